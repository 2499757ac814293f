import type { LanguageCode } from '../../languages.ts'
import { ar } from '../languages/account-ar.ts'
import { de } from '../languages/account-de.ts'
import { type AccountMessages, en } from '../languages/account-en.ts'
import { es } from '../languages/account-es.ts'
import { fr } from '../languages/account-fr.ts'
import { ja } from '../languages/account-ja.ts'
import { ptBr } from '../languages/account-pt-br.ts'
import type { Language } from '../languages/languages.ts'

const all = { en, de, fr, es, 'pt-BR': ptBr, ja, ar }

/** Each language of the pages has texts here, too. */
const catalogues: Readonly<Record<LanguageCode, AccountMessages>> = all

/** The texts of the account pages in the language of a page. */
export const accountMessages = ({ code }: Language): AccountMessages => catalogues[code]
