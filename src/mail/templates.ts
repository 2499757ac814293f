import { isIP } from 'node:net'
import { layOut, partlyHidden, quoted, type Rendered, type Wording } from './layout.ts'
import type { MailData, MailTemplate } from './outbox.ts'

/** The circumstances of one mail. */
interface Occasion {
  readonly appUrl: string
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
export const templateNames = (): MailTemplate[] => Object.keys(wordings) as MailTemplate[]

/** Renders a mail, which says what happened, when, from where, and what to do. */
export function render(template: MailTemplate, occasion: Occasion): Rendered {
  const { appUrl, at, data, token, tokenIn, code } = occasion
  const from = data.ip && isIP(data.ip) ? `, from the network address ${data.ip}` : ''
  // A fragment keeps the token out of server logs and Referer headers, but needs a script to read it.
  const mark = tokenIn === 'query' ? '?' : '#'
  const page = (path: string) => `${appUrl}${path}${token ? `${mark}token=${token}` : ''}`
  const site = new URL(appUrl).host
  const context = { data, page, site, when: `on ${utc(at)}${from}`, code: grouped(code) }
  return layOut(wordings[template](context))
}

interface Context {
  readonly data: MailData
  readonly site: string
  /** "on 21 November 2026 at 10:15 UTC, from the network address 203.0.113.7" */
  readonly when: string
  /** "ABCD-2345", for a page that waits. */
  readonly code: string | undefined
  page(path: string): string
}

const days = new Intl.DateTimeFormat('en-GB', { dateStyle: 'long', timeZone: 'UTC' })
const utc = (at: Date): string => `${days.format(at)} at ${at.toISOString().slice(11, 16)} UTC`

const grouped = (code: string | undefined): string | undefined =>
  code && `${code.slice(0, 4)}-${code.slice(4)}`

const keyNamed = (name: string | undefined): string => {
  const shown = quoted(name)
  return shown === undefined ? 'An API key' : `The API key ${shown}`
}

const resetPath = '/reset-password'

const wordings: Record<MailTemplate, (context: Context) => Wording> = {
  verify_email: ({ site, when, page, code }) => ({
    subject: `Confirm your email address for ${site}`,
    parts: [
      `Someone entered this email address for an account at ${site} ${when}.`,
      ...(code === undefined
        ? []
        : ['Enter this code on the page where you registered:', code, 'Or confirm by link.']),
      'To confirm that the address is yours, open this link and enter the password of the account. The link works once, within 24 hours.',
      { link: page('/verify-email') },
      "If this wasn't you, ignore this email. The address will not be confirmed.",
    ],
  }),
  reset_password: ({ site, when, page }) => ({
    subject: `Reset your password for ${site}`,
    parts: [
      `Someone requested a password reset for your ${site} account ${when}.`,
      'To choose a new password, open this link. It works once, within an hour, and signs you out everywhere.',
      { link: page(resetPath) },
      "If this wasn't you, ignore this email. Your password stays the same, and only you have received this link.",
    ],
  }),
  registration_attempt: ({ site, when, page }) => ({
    subject: `You already have an account at ${site}`,
    parts: [
      `Someone entered this email address for an account at ${site} ${when}. You already have an account with this address, so nothing was changed.`,
      'If this was you, sign in:',
      { link: page('/') },
      'If you have forgotten your password, choose a new one:',
      { link: page(resetPath) },
      "If this wasn't you, ignore this email. The other person was not told that you have an account.",
    ],
  }),
  username_taken: ({ site, when, data, page }) => ({
    subject: `Your registration at ${site} needs another username`,
    parts: [
      `Someone used this email address to register at ${site} ${when}. The username ${quoted(data.username) ?? 'that was chosen'} is taken, so no account was created.`,
      'To register, choose another username:',
      { link: page('/') },
      "If this wasn't you, ignore this email.",
    ],
  }),
  password_changed: ({ site, when, data, page }) => ({
    subject: `Your password for ${site} was changed`,
    parts: [
      `The password of your ${site} account was changed ${when}. All sessions were ended, except the one in which it was changed. Your API keys were ${data.keysKept ? 'kept' : 'deleted'}.`,
      "If this wasn't you, choose a new password immediately:",
      { link: page(resetPath) },
    ],
  }),
  email_change_requested: ({ site, when, data, page }) => ({
    subject: `New email address requested for your account at ${site}`,
    parts: [
      `Someone requested to change the email address of your ${site} account to ${partlyHidden(data.newEmail) ?? 'another address'} ${when}. The change takes effect when the new address is confirmed.`,
      "If this wasn't you, someone else knows your password. Choose a new one immediately:",
      { link: page(resetPath) },
    ],
  }),
  email_changed: ({ site, when, data }) => ({
    subject: `The email address of your account at ${site} was changed`,
    parts: [
      `The email address of your ${site} account was changed from this one to ${partlyHidden(data.newEmail) ?? 'another address'} ${when}. This address receives no further emails about the account.`,
      `If this wasn't you, someone else has access to your account. Contact ${site} immediately.`,
    ],
  }),
  username_changed: ({ site, when, data, page }) => ({
    subject: `Your username at ${site} was changed`,
    parts: [
      `The username of your ${site} account was changed to ${quoted(data.username) ?? 'another one'} ${when}.`,
      "If this wasn't you, someone else knows your password. Choose a new one immediately:",
      { link: page(resetPath) },
    ],
  }),
  api_key_created: ({ site, when, data, page }) => ({
    subject: `New API key for your account at ${site}`,
    parts: [
      `${keyNamed(data.keyName)} was created for your ${site} account ${when}. A program that has it can act on your behalf.`,
      "If this wasn't you, choose a new password immediately. This ends all sessions and deletes all API keys:",
      { link: page(resetPath) },
    ],
  }),
  account_deleted: ({ site, when }) => ({
    subject: `Your account at ${site} was deleted`,
    parts: [
      `Your ${site} account was deleted ${when}. You are signed out everywhere, and this is the last email about it.`,
      `If this wasn't you, contact ${site}.`,
    ],
  }),
}
