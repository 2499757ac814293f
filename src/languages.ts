/** The languages of pages and mails, each named in itself. */
export const languageNames = {
  en: 'English',
  de: 'Deutsch',
  fr: 'Français',
  es: 'Español',
  'pt-BR': 'Português (Brasil)',
  ja: '日本語',
  ar: 'العربية',
} as const

export type LanguageCode = keyof typeof languageNames

export const languageCodes = Object.keys(languageNames) as readonly LanguageCode[]

export const directionOf = (code: LanguageCode): 'ltr' | 'rtl' => (code === 'ar' ? 'rtl' : 'ltr')

/** RFC 4647 §3.4: the tag itself, or the language alone. */
export function closestLanguage(tag: string): LanguageCode | undefined {
  const wanted = tag.toLowerCase()
  const [primary] = wanted.split('-')
  return (
    languageCodes.find((code) => code.toLowerCase() === wanted) ??
    languageCodes.find((code) => code.toLowerCase().split('-')[0] === primary)
  )
}
