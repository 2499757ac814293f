import type { Context } from '../http/context.ts'
import { readCookie } from '../http/cookies.ts'
import { closestLanguage } from '../languages.ts'
import { type Language, languageCookie, languageOf } from './languages/languages.ts'
import { themeOf } from './theme/theme.ts'

/**
 * The language of a page: the first that there is of `ui_locales`, the one chosen on a page, the person's
 * own, those of the browser, and English.
 */
export function languageFor(
  ctx: Context,
  uiLocales: readonly string[] = [],
  locale: string | null = null,
): Language {
  const { catalogues } = themeOf(ctx)
  const chosen = readCookie(ctx, languageCookie) ?? ''
  const accepted = ctx.acceptsLanguages()
  const wanted = [...uiLocales, chosen, locale ?? '', ...(Array.isArray(accepted) ? accepted : [])]
  for (const tag of wanted) {
    const code = closestLanguage(tag)
    if (code) return languageOf(code, catalogues)
  }
  return languageOf('en', catalogues)
}
