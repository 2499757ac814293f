import type { MailTemplate } from '../outbox.ts'

/** The facts of one mail. Names and addresses are safe to show, or undefined. */
export interface Facts {
  /** The host of the app. */
  readonly site: string
  /** The time and the origin of the event, as an adverbial phrase of the language. */
  readonly when: string
  readonly username: string | undefined
  readonly newEmail: string | undefined
  readonly keyName: string | undefined
  readonly keysKept: boolean
  readonly app: string | undefined
  readonly browser: string | undefined
  readonly system: string | undefined
}

type Text = string | ((facts: Facts) => string)

/** English, and the type of every other language: a text that is missing there does not compile. */
export const en = {
  /** `at` is "21 November 2026 at 10:15 UTC". */
  when: (at: string, ip: string | undefined): string =>
    ip ? `on ${at}, from the network address ${ip}` : `on ${at}`,
  quotes: ['“', '”'] as readonly [string, string],

  verify_email: {
    subject: ({ site }: Facts) => `Confirm your email address for ${site}`,
    event: ({ site, when }: Facts) =>
      `Someone entered this email address for an account at ${site} ${when}.`,
    enterCode: 'Enter this code on the page where you registered:',
    orLink: 'Or confirm by link.',
    openLink:
      'To confirm that the address is yours, open this link and enter the password of the account. The link works once, within 24 hours.',
    otherwise: "If this wasn't you, ignore this email. The address will not be confirmed.",
  },
  reset_password: {
    subject: ({ site }: Facts) => `Reset your password for ${site}`,
    event: ({ site, when }: Facts) =>
      `Someone requested a password reset for your ${site} account ${when}.`,
    openLink:
      'To choose a new password, open this link. It works once, within an hour, and signs you out everywhere.',
    otherwise:
      "If this wasn't you, ignore this email. Your password stays the same, and only you have received this link.",
  },
  registration_attempt: {
    subject: ({ site }: Facts) => `You already have an account at ${site}`,
    event: ({ site, when }: Facts) =>
      `Someone entered this email address for an account at ${site} ${when}. You already have an account with this address, so nothing was changed.`,
    signIn: 'If this was you, sign in:',
    forgotten: 'If you have forgotten your password, choose a new one:',
    otherwise:
      "If this wasn't you, ignore this email. The other person was not told that you have an account.",
  },
  username_taken: {
    subject: ({ site }: Facts) => `Your registration at ${site} needs another username`,
    event: ({ site, when, username }: Facts) =>
      `Someone used this email address to register at ${site} ${when}. The username ${username ?? 'that was chosen'} is taken, so no account was created.`,
    register: 'To register, choose another username:',
    otherwise: "If this wasn't you, ignore this email.",
  },
  password_changed: {
    subject: ({ site }: Facts) => `Your password for ${site} was changed`,
    event: ({ site, when, keysKept }: Facts) =>
      `The password of your ${site} account was changed ${when}. All sessions were ended, except the one in which it was changed. Your API keys were ${keysKept ? 'kept' : 'deleted'}.`,
    otherwise: "If this wasn't you, choose a new password immediately:",
  },
  email_change_requested: {
    subject: ({ site }: Facts) => `New email address requested for your account at ${site}`,
    event: ({ site, when, newEmail }: Facts) =>
      `Someone requested to change the email address of your ${site} account to ${newEmail ?? 'another address'} ${when}. The change takes effect when the new address is confirmed.`,
    otherwise:
      "If this wasn't you, someone else knows your password. Choose a new one immediately:",
  },
  email_changed: {
    subject: ({ site }: Facts) => `The email address of your account at ${site} was changed`,
    event: ({ site, when, newEmail }: Facts) =>
      `The email address of your ${site} account was changed from this one to ${newEmail ?? 'another address'} ${when}. This address receives no further emails about the account.`,
    otherwise: ({ site }: Facts) =>
      `If this wasn't you, someone else has access to your account. Contact ${site} immediately.`,
  },
  username_changed: {
    subject: ({ site }: Facts) => `Your username at ${site} was changed`,
    event: ({ site, when, username }: Facts) =>
      `The username of your ${site} account was changed to ${username ?? 'another one'} ${when}.`,
    otherwise:
      "If this wasn't you, someone else knows your password. Choose a new one immediately:",
  },
  api_key_created: {
    subject: ({ site }: Facts) => `New API key for your account at ${site}`,
    event: ({ site, when, keyName }: Facts) =>
      `${keyName ? `The API key ${keyName}` : 'An API key'} was created for your ${site} account ${when}. A program that has it can act on your behalf.`,
    otherwise:
      "If this wasn't you, choose a new password immediately. This ends all sessions and deletes all API keys:",
  },
  new_sign_in: {
    subject: ({ site }: Facts) => `New sign-in to your account at ${site}`,
    event: ({ site, when }: Facts) =>
      `Someone signed in to your ${site} account on a device that we do not know, ${when}.`,
    device: ({ browser, system }: Facts) =>
      `Device: ${browser && system ? `${browser} on ${system}` : (browser ?? system ?? 'unknown')}`,
    app: ({ app }: Facts) => `App: ${app}`,
    own: 'If this was you, ignore this email.',
    otherwise:
      "If this wasn't you, someone else knows your password. Secure your account with this link, and confirm on the page that it opens. The link works for 7 days.",
    effect:
      'Every device and app will be signed out, all API keys will be deleted, and the password will stop working. You will get an email to choose a new one.',
  },
  account_deleted: {
    subject: ({ site }: Facts) => `Your account at ${site} was deleted`,
    event: ({ site, when }: Facts) =>
      `Your ${site} account was deleted ${when}. You are signed out everywhere, and this is the last email about it.`,
    otherwise: ({ site }: Facts) => `If this wasn't you, contact ${site}.`,
  },
} satisfies Record<MailTemplate, Readonly<Record<string, Text>>> & Record<string, unknown>

export type MailTexts = typeof en
