import { isIP } from 'node:net'
import { deviceNames } from '../device-names.ts'
import { closestLanguage, type LanguageCode } from '../languages.ts'
import type { Facts, MailTexts } from './languages/en.ts'
import { mailTexts } from './languages/texts.ts'
import { harmless, isolated, layOut, partlyHidden, type Rendered, type Wording } from './layout.ts'
import type { MailData, MailTemplate } from './outbox.ts'

/** The circumstances of one mail. */
interface Occasion {
  readonly appUrl: string
  /** The base of the pages that only this server has; that of the app when absent. */
  readonly ownUrl?: string
  readonly at: Date
  readonly data: MailData
  /** The place of the token in links: pages of this server read the query, apps the fragment. */
  readonly tokenIn?: 'query' | 'fragment' | undefined
  /** For the templates with a link (`LinkTemplate`). */
  readonly token?: string | undefined
  /** For the page that waits for this mail. */
  readonly code?: string | undefined
}

/** The templates that this release can render. */
export const templateNames = (): MailTemplate[] => Object.keys(compositions) as MailTemplate[]

/** Renders a mail, which says what happened, when, from where, and what to do. */
export function render(template: MailTemplate, occasion: Occasion): Rendered {
  const { appUrl, ownUrl = appUrl, data, token, tokenIn, code } = occasion
  const language = closestLanguage(data.locale ?? '') ?? 'en'
  const texts = mailTexts[language]
  // A fragment keeps the token out of server logs and Referer headers, but needs a script to read it.
  const mark = tokenIn === 'query' ? '?' : '#'
  const wording = compositions[template]({
    texts,
    facts: factsOf(occasion, texts, language),
    page: (path) => ({ link: `${appUrl}${path}${token ? `${mark}token=${token}` : ''}` }),
    ownPage: (path) => ({ link: `${ownUrl}${path}${token ? `?token=${token}` : ''}` }),
    code: code && `${code.slice(0, 4)}-${code.slice(4)}`,
  })
  return layOut(wording, language)
}

function factsOf(
  { appUrl, at, data }: Occasion,
  { when, quotes }: MailTexts,
  language: LanguageCode,
): Facts {
  const shown = (text: string | undefined) => text && isolated(text, language)
  const quoted = (text: string | undefined) => text && `${quotes[0]}${shown(text)}${quotes[1]}`
  const ip = data.ip && isIP(data.ip) ? data.ip : undefined
  const device = deviceNames(data.userAgent ?? null)
  return {
    site: isolated(new URL(appUrl).host, language),
    when: when(timeText(language, at), shown(ip)),
    username: quoted(harmless(data.username)),
    newEmail: shown(partlyHidden(data.newEmail)),
    keyName: quoted(harmless(data.keyName)),
    keysKept: data.keysKept === true,
    app: shown(harmless(data.app)),
    browser: shown(harmless(device?.browser)),
    system: shown(harmless(device?.system)),
  }
}

/** "21 November 2026 at 10:15 UTC". The zone of the reader is not known. */
const timeText = (language: LanguageCode, at: Date): string =>
  // The day before the month, as everywhere but in the United States, and no AM or PM.
  new Intl.DateTimeFormat(language === 'en' ? 'en-GB' : language, {
    year: 'numeric',
    month: 'long',
    day: 'numeric',
    hour: 'numeric',
    minute: '2-digit',
    timeZone: 'UTC',
    timeZoneName: 'short',
  }).format(at)

interface Material {
  readonly texts: MailTexts
  readonly facts: Facts
  /** "ABCD-2345", for a page that waits. */
  readonly code: string | undefined
  page(path: string): { readonly link: string }
  /** A page of this server, even if an app has the others. */
  ownPage(path: string): { readonly link: string }
}

const resetPath = '/reset-password'

/** The order of texts, links and codes is the same in every language. */
const compositions: Record<MailTemplate, (material: Material) => Wording> = {
  verify_email({ texts: { verify_email: text }, facts, page, code }) {
    const byCode = code === undefined ? [] : [text.enterCode, { code }, text.orLink]
    return {
      subject: text.subject(facts),
      parts: [text.event(facts), ...byCode, text.openLink, page('/verify-email'), text.otherwise],
    }
  },
  reset_password: ({ texts: { reset_password: text }, facts, page }) => ({
    subject: text.subject(facts),
    parts: [text.event(facts), text.openLink, page(resetPath), text.otherwise],
  }),
  registration_attempt: ({ texts: { registration_attempt: text }, facts, page }) => ({
    subject: text.subject(facts),
    parts: [
      text.event(facts),
      text.signIn,
      page('/'),
      text.forgotten,
      page(resetPath),
      text.otherwise,
    ],
  }),
  username_taken: ({ texts: { username_taken: text }, facts, page }) => ({
    subject: text.subject(facts),
    parts: [text.event(facts), text.register, page('/'), text.otherwise],
  }),
  password_changed: ({ texts, facts, page }) => warning(texts.password_changed, facts, page),
  email_change_requested: ({ texts, facts, page }) =>
    warning(texts.email_change_requested, facts, page),
  email_changed: ({ texts: { email_changed: text }, facts }) => ({
    subject: text.subject(facts),
    parts: [text.event(facts), text.otherwise(facts)],
  }),
  username_changed: ({ texts, facts, page }) => warning(texts.username_changed, facts, page),
  api_key_created: ({ texts, facts, page }) => warning(texts.api_key_created, facts, page),
  new_sign_in: ({ texts: { new_sign_in: text }, facts, ownPage }) => ({
    subject: text.subject(facts),
    parts: [
      text.event(facts),
      text.device(facts),
      ...(facts.app === undefined ? [] : [text.app(facts)]),
      text.own,
      text.otherwise,
      ownPage('/secure-account'),
      text.effect,
    ],
  }),
  account_deleted: ({ texts: { account_deleted: text }, facts }) => ({
    subject: text.subject(facts),
    parts: [text.event(facts), text.otherwise(facts)],
  }),
}

/** A change that the reader undoes by choosing a new password. */
const warning = (
  text: MailTexts['username_changed'],
  facts: Facts,
  page: Material['page'],
): Wording => ({
  subject: text.subject(facts),
  parts: [text.event(facts), text.otherwise, page(resetPath)],
})
