import type { AccountMessages } from '../languages/account-en.ts'
import type { Messages } from '../languages/en.ts'

/** The names of the values in the texts of a catalogue, in the order in which the pages give them. */
type Placeholders<Catalogue> = {
  readonly [Key in keyof Catalogue as Catalogue[Key] extends (...values: never[]) => string
    ? Key
    : never]: Catalogue[Key] extends (...values: infer Values) => string
    ? { readonly [At in keyof Values]: string }
    : never
}

const pages: Placeholders<Messages> = {
  continueTo: ['app'],
  signInTo: ['app'],
  signInAsHinted: ['name'],
  codeSent: ['email'],
  verifyEffect: ['email'],
  verifySignedIn: ['email'],
  consentTitle: ['app'],
  consentReturn: ['host'],
  scopeNamed: ['scope'],
  signOutOf: ['app'],
  errorTooManyUntil: ['minutes'],
  requestNumber: ['id'],
  startAgainAt: ['app'],
}

const account: Placeholders<AccountMessages> = {
  overviewApps: ['count'],
  overviewDevices: ['count'],
  overviewKeys: ['count'],
  overviewPassword: ['date'],
  emailPending: ['email'],
  allowedOn: ['date'],
  lastUsed: ['date'],
  deviceOn: ['browser', 'system'],
  signedInOn: ['date'],
  more: ['count'],
  days: ['count'],
  createdOn: ['date'],
  expiresOn: ['date'],
  createdByApp: ['app'],
  otherEvent: ['name'],
  deleteConfirm: ['name'],
  confirmRule: ['name'],
}

/** By section of a file of texts. */
export const placeholders: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>> = {
  pages,
  account,
}

/** Values that are numbers. Their text may differ by plural, and may leave the number out: "an app". */
export const isCount = (placeholder: string): boolean =>
  placeholder === 'count' || placeholder === 'minutes'
