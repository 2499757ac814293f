import { isIP } from 'node:net'
import { layOut, partlyHidden, quoted, type Rendered, type Wording } from './layout.ts'
import type { MailData, MailTemplate } from './outbox.ts'

/** Every mail that the server sends. Each says what happened, when, from where, and what to do. */

export interface Occasion {
  readonly appUrl: string
  readonly at: Date
  readonly data: MailData
  /** Pages of this server read it from the query, without a script; apps from the fragment. */
  readonly tokenIn?: 'query' | 'fragment' | undefined
  /** For the templates of `links`. */
  readonly token?: string | undefined
}

export const templateNames = (): MailTemplate[] => Object.keys(wordings) as MailTemplate[]

export function render(template: MailTemplate, occasion: Occasion): Rendered {
  const { appUrl, at, data, token, tokenIn } = occasion
  const from = data.ip && isIP(data.ip) ? `, from the network address ${data.ip}` : ''
  // In the fragment the token reaches no server's log and no Referer, but only a script can read it there.
  const mark = tokenIn === 'query' ? '?' : '#'
  const page = (path: string) => `${appUrl}${path}${token ? `${mark}token=${token}` : ''}`
  const context = { data, page, site: new URL(appUrl).host, when: `on ${utc(at)}${from}` }
  return layOut(wordings[template](context))
}

interface Context {
  readonly data: MailData
  readonly site: string
  /** "on 21 November 2026 at 10:15 UTC, from the network address 203.0.113.7" */
  readonly when: string
  page(path: string): string
}

const days = new Intl.DateTimeFormat('en-GB', { dateStyle: 'long', timeZone: 'UTC' })
const utc = (at: Date): string => `${days.format(at)} at ${at.toISOString().slice(11, 16)} UTC`

const keyNamed = (name: string | undefined): string => {
  const shown = quoted(name)
  return shown === undefined ? 'An API key' : `The API key ${shown}`
}

const resetPath = '/reset-password'
const nothingToDo = 'If it was not you, there is nothing to do'

const wordings: Record<MailTemplate, (context: Context) => Wording> = {
  verify_email: ({ site, when, page }) => ({
    subject: `Confirm your email address for ${site}`,
    parts: [
      `This address was entered for an account at ${site} ${when}.`,
      'To confirm that it is yours, open this link and enter the password of the account. It works once, within 24 hours.',
      { link: page('/verify-email') },
      `${nothingToDo}: without the link the address does not count.`,
    ],
  }),
  reset_password: ({ site, when, page }) => ({
    subject: `Choose a new password for ${site}`,
    parts: [
      `A new password for your account at ${site} was asked for ${when}.`,
      'To choose it, open this link. It works once, within an hour, and ends all sessions.',
      { link: page(resetPath) },
      `${nothingToDo}: your password stays as it is, and nobody else has this link.`,
    ],
  }),
  registration_attempt: ({ site, when, page }) => ({
    subject: `You have an account at ${site} already`,
    parts: [
      `This address was entered for an account at ${site} ${when}. You have an account with it already, so nothing was changed.`,
      'If it was you, sign in:',
      { link: page('/') },
      'If you do not know your password any more, choose a new one:',
      { link: page(resetPath) },
      `${nothingToDo}: whoever it was did not learn that you have an account.`,
    ],
  }),
  username_taken: ({ site, when, data, page }) => ({
    subject: `Your registration at ${site} needs another username`,
    parts: [
      `This address was used to register at ${site} ${when}. The username ${quoted(data.username) ?? 'that was chosen'} is taken, so no account was made.`,
      'To register, choose another one:',
      { link: page('/') },
      `${nothingToDo}.`,
    ],
  }),
  password_changed: ({ site, when, data, page }) => ({
    subject: `Your password for ${site} was changed`,
    parts: [
      `The password of your account at ${site} was changed ${when}. All sessions were ended, but for the one it was changed in. Your API keys were ${data.keysKept ? 'kept' : 'deleted'}.`,
      'If it was not you, choose a new password at once:',
      { link: page(resetPath) },
    ],
  }),
  email_change_requested: ({ site, when, data, page }) => ({
    subject: `A new email address for your account at ${site}`,
    parts: [
      `A change of the email address of your account at ${site} to ${partlyHidden(data.newEmail) ?? 'another one'} was asked for ${when}. It happens when the new address is confirmed.`,
      'If it was not you, somebody knows your password. Choose a new one at once:',
      { link: page(resetPath) },
    ],
  }),
  email_changed: ({ site, when, data }) => ({
    subject: `The email address of your account at ${site} was changed`,
    parts: [
      `The email address of your account at ${site} was changed from this one to ${partlyHidden(data.newEmail) ?? 'another one'} ${when}. No more mails about the account come here.`,
      `If it was not you, somebody else can get into your account: tell the people who run ${site}.`,
    ],
  }),
  username_changed: ({ site, when, data, page }) => ({
    subject: `Your username at ${site} was changed`,
    parts: [
      `The username of your account at ${site} was changed to ${quoted(data.username) ?? 'another one'} ${when}.`,
      'If it was not you, somebody knows your password. Choose a new one at once:',
      { link: page(resetPath) },
    ],
  }),
  api_key_created: ({ site, when, data, page }) => ({
    subject: `A new API key for your account at ${site}`,
    parts: [
      `${keyNamed(data.keyName)} was made for your account at ${site} ${when}. A program that has it can act for you.`,
      'If it was not you, choose a new password at once. That ends all sessions and deletes all API keys:',
      { link: page(resetPath) },
    ],
  }),
  account_deleted: ({ site, when }) => ({
    subject: `Your account at ${site} was deleted`,
    parts: [
      `Your account at ${site} was deleted ${when}. You are signed out everywhere, and this is the last mail about it.`,
      `If it was not you, tell the people who run ${site}.`,
    ],
  }),
}
