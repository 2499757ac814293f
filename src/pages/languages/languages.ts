import { directionOf, type LanguageCode } from '../../languages.ts'
import { ar as accountAr } from './account-ar.ts'
import { de as accountDe } from './account-de.ts'
import { type AccountMessages, en as accountEn } from './account-en.ts'
import { es as accountEs } from './account-es.ts'
import { fr as accountFr } from './account-fr.ts'
import { ja as accountJa } from './account-ja.ts'
import { ptBr as accountPtBr } from './account-pt-br.ts'
import { ar } from './ar.ts'
import { de } from './de.ts'
import { en, type Messages } from './en.ts'
import { es } from './es.ts'
import { fr } from './fr.ts'
import { ja } from './ja.ts'
import { ptBr } from './pt-br.ts'

/** A language of the pages. */
export interface Language {
  /** BCP 47. */
  readonly code: LanguageCode
  readonly direction: 'ltr' | 'rtl'
  readonly messages: Messages
  readonly accountMessages: AccountMessages
}

/** Set by the choice at the foot of each page. It is no secret, and tells nothing about the person. */
export const languageCookie = '__Host-signet_language'

/** The texts of a language, by the pages that show them. */
export interface Catalogue {
  readonly pages: Messages
  readonly account: AccountMessages
}

export type Catalogues = Readonly<Record<LanguageCode, Catalogue>>

export const catalogues: Catalogues = {
  en: { pages: en, account: accountEn },
  de: { pages: de, account: accountDe },
  fr: { pages: fr, account: accountFr },
  es: { pages: es, account: accountEs },
  'pt-BR': { pages: ptBr, account: accountPtBr },
  ja: { pages: ja, account: accountJa },
  ar: { pages: ar, account: accountAr },
}

export function languageOf(code: LanguageCode, texts: Catalogues): Language {
  const { pages, account } = texts[code]
  return {
    code,
    direction: directionOf(code),
    messages: pages,
    accountMessages: account,
  }
}
