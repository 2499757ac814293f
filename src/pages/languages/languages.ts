import type { Context } from '../../http/context.ts'
import { en, type Messages } from './en.ts'

/** A language of the pages. */
export interface Language {
  /** BCP 47. */
  readonly code: string
  readonly direction: 'ltr' | 'rtl'
  readonly messages: Messages
}

const english: Language = { code: 'en', direction: 'ltr', messages: en }

const all: readonly Language[] = [english]

export const languageCodes: readonly string[] = all.map(({ code }) => code)

/**
 * The language of a page: the first of `wanted` that there is (`ui_locales`, the person's own), then that of
 * the browser, then English.
 */
export function languageFor(ctx: Context, wanted: readonly string[] = []): Language {
  const accepted = ctx.acceptsLanguages()
  for (const tag of [...wanted, ...(Array.isArray(accepted) ? accepted : [])]) {
    const found = matching(tag)
    if (found) return found
  }
  return english
}

/** RFC 4647 §3.4: the tag itself, or the language alone. */
function matching(tag: string): Language | undefined {
  const wanted = tag.toLowerCase()
  const [primary] = wanted.split('-')
  return (
    all.find(({ code }) => code.toLowerCase() === wanted) ??
    all.find(({ code }) => code.toLowerCase().split('-')[0] === primary)
  )
}
