import type { Language, LanguageCode } from '../../languages/languages.ts'
import { type AccountMessages, en } from './en.ts'

const catalogues: Readonly<Record<LanguageCode, AccountMessages>> = { en }

/** The texts of the account pages in the language of a page. */
export const accountMessages = ({ code }: Language): AccountMessages => catalogues[code]
