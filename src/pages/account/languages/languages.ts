import type { Language, LanguageCode } from '../../languages/languages.ts'
import { ar } from './ar.ts'
import { de } from './de.ts'
import { type AccountMessages, en } from './en.ts'
import { es } from './es.ts'
import { fr } from './fr.ts'
import { ja } from './ja.ts'
import { ptBr } from './pt-br.ts'

const all = { en, de, fr, es, 'pt-BR': ptBr, ja, ar }

/** Each language of the pages has texts here, too. */
const catalogues: Readonly<Record<LanguageCode, AccountMessages>> = all

/** The texts of the account pages in the language of a page. */
export const accountMessages = ({ code }: Language): AccountMessages => catalogues[code]
