import type { Context } from '../../http/context.ts'
import { readCookie } from '../../http/cookies.ts'
import { closestLanguage, directionOf, type LanguageCode } from '../../languages.ts'
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
}

/** Set by the choice at the foot of each page. It is no secret, and tells nothing about the person. */
export const languageCookie = '__Host-signet_language'

const catalogues: Readonly<Record<LanguageCode, Messages>> = {
  en,
  de,
  fr,
  es,
  'pt-BR': ptBr,
  ja,
  ar,
}

const languageOf = (code: LanguageCode): Language => ({
  code,
  direction: directionOf(code),
  messages: catalogues[code],
})

/**
 * The language of a page: the first that there is of `ui_locales`, the one chosen on a page, the person's
 * own, those of the browser, and English.
 */
export function languageFor(
  ctx: Context,
  uiLocales: readonly string[] = [],
  locale: string | null = null,
): Language {
  const chosen = readCookie(ctx, languageCookie) ?? ''
  const accepted = ctx.acceptsLanguages()
  const wanted = [...uiLocales, chosen, locale ?? '', ...(Array.isArray(accepted) ? accepted : [])]
  for (const tag of wanted) {
    const code = closestLanguage(tag)
    if (code) return languageOf(code)
  }
  return languageOf('en')
}
