import { readSecret } from '../clients/client-secrets.ts'
import { readApiKey } from '../tokens/api-keys.ts'
import { readLinkToken } from '../tokens/one-time-tokens.ts'
import {
  type Check,
  type Expected,
  type Explanation,
  failed,
  passed,
  quoted,
  relative,
  skipped,
  upTo,
} from './explanation.ts'
import { clientCheck, endedText, personCheck } from './parties.ts'
import type { Sources } from './sources.ts'
import { audienceCheck, scopeCheck } from './token-checks.ts'

/** 256 bits in base64url behind a prefix of four characters. */
const secretForm = /^s[a-z]{2}_[\w-]{43}$/

const formCheck = (text: string): Check =>
  secretForm.test(text)
    ? passed('form', `${text.slice(0, 4)} and 43 characters`)
    : failed('form', `it has ${text.length} characters instead of 47: it was cut or changed`)

type Explain = (text: string, expected: Expected, sources: Sources) => Promise<Explanation>

function timeCheck(expiresAt: Date | null, { now }: Sources): Check {
  if (!expiresAt) return passed('time', 'it does not expire')
  const at = relative(expiresAt, now())
  return expiresAt <= now() ? failed('time', `expired ${at}`) : passed('time', `expires ${at}`)
}

/** An API key, by its secret. The digest that the database has is not shown. */
export const explainApiKey: Explain = async (text, expected, sources) => {
  const subject = 'API key'
  const key = await readApiKey(sources.db, { secret: text })
  if (!key) {
    const checks = [
      formCheck(text),
      failed('key', 'unknown: it was revoked, expired, or is of another environment'),
      ...['person', 'client', 'time', 'audience', 'scope'].map((name) => skipped(name)),
    ]
    return { subject, checks, notes: [] }
  }
  return {
    subject,
    id: key.id,
    checks: [formCheck(text), ...(await ofKey(key, expected, sources))],
    notes: [],
  }
}

type ApiKey = NonNullable<Awaited<ReturnType<typeof readApiKey>>>

/** The checks of an API key that was found, in the order of the server's own statement. */
export async function ofKey(key: ApiKey, expected: Expected, sources: Sources): Promise<Check[]> {
  return [
    passed('key', `${key.id}, created ${relative(key.createdAt, sources.now())}`),
    await personCheck(sources, key.userId),
    key.clientId === null
      ? skipped('client', 'none: the release before created it')
      : await clientCheck(sources, key.clientId),
    timeCheck(key.expiresAt, sources),
    audienceCheck(key.audience, expected),
    scopeCheck(key.scope, expected),
  ]
}

/** A client secret: whose it is, and whether it was replaced. */
export const explainClientSecret: Explain = async (text, { clientId }, sources) => {
  const subject = 'client secret'
  const known = await readSecret(sources.db, text)
  if (!known) {
    const checks = [
      passed('form', 'scs_'),
      failed('secret', 'no client has it: it was replaced twice, or is of another environment'),
      ...['owner', 'time', 'client'].map((name) => skipped(name)),
    ]
    return { subject, checks, notes: [] }
  }
  const { client_id: owner, created_at: createdAt, expires_at: expiresAt } = known
  const isForeign = clientId !== undefined && clientId !== owner
  const time = timeCheck(expiresAt, sources)
  return {
    subject,
    id: owner,
    checks: [
      passed('form', 'scs_'),
      passed('secret', `created ${relative(createdAt, sources.now())}`),
      isForeign
        ? failed('owner', `it is of ${owner}, not of ${quoted(clientId)}`)
        : passed('owner', `it is of ${owner}`),
      expiresAt ? { ...time, message: `replaced by a newer one; ${time.message}` } : time,
      await clientCheck(sources, owner),
    ],
    notes: [],
  }
}

const purposes = {
  email_verification: 'verifies an address',
  password_reset: 'resets a password',
  disowned_sign_in: 'says that a sign-in was not theirs',
} as const

/** The token of a link in a mail. It is not spent. */
export const explainMailLink: Explain = async (text, _expected, sources) => {
  const subject = 'link of a mail'
  const row = await readLinkToken(sources.db, text)
  if (!row) {
    const link =
      'unknown: it was used, a newer mail or another password replaced it, it expired, or it is of another environment'
    const names = ['form', 'link', 'time', 'person'] as const
    const fault = secretForm.test(text) ? 'link' : 'form'
    return {
      subject,
      checks: upTo(names, fault, { form: formCheck(text).message, link }),
      notes: [],
    }
  }
  const created = relative(row.created_at, sources.now())
  const checks = [
    formCheck(text),
    passed('link', `${purposes[row.purpose]}; mailed ${created}`),
    timeCheck(row.expires_at, sources),
    await personCheck(sources, row.user_id),
  ]
  return { subject, checks, notes: [] }
}

const cookieChecks = ['form', 'signature', 'session', 'end', 'time', 'person', 'version'] as const

/** The cookie of a browser that has signed in. */
export const explainBrowserCookie: Explain = async (text, _expected, sources) => {
  const subject = 'browser session'
  const result = await sources.browsers.foresee(text)
  if ('fault' in result) {
    const message =
      result.fault === 'form'
        ? 'it is not sbs_ and a whole value: it was cut or changed'
        : 'this installation did not issue it: it was changed, or is of another environment'
    const messages = { form: 'sbs_ and a whole value', [result.fault]: message }
    return { subject, checks: upTo(cookieChecks, result.fault, messages), notes: [] }
  }
  const { id, row, isCurrent } = result
  const own = { form: 'sbs_ and a whole value', signature: 'issued by this installation' }
  if (!row) {
    const session = `there is no browser session ${id} (any more): ended ones are kept for a day`
    return { subject, id, checks: upTo(cookieChecks, 'session', { ...own, session }), notes: [] }
  }
  const person = await personCheck(sources, row.user_id)
  const end = row.expires_at < row.idle_expires_at ? row.expires_at : row.idle_expires_at
  const time = timeCheck(end, sources)
  const fault = row.revoked_at
    ? 'end'
    : time.state === 'failed'
      ? 'time'
      : person.state === 'failed'
        ? 'person'
        : isCurrent
          ? undefined
          : 'version'
  const checks = upTo(cookieChecks, fault, {
    ...own,
    session: `${id}, begun ${relative(row.created_at, sources.now())}`,
    end: await endOfBrowser(row, sources),
    time: time.message,
    person: person.message,
    version: isCurrent
      ? 'the newest cookie'
      : 'the person signed in again, which replaced the cookie',
  })
  return { subject, id, checks, notes: [] }
}

type BrowserRow = Extract<
  Awaited<ReturnType<Sources['browsers']['foresee']>>,
  { readonly id: string }
>['row']

/** How a browser session ended. */
export async function endOfBrowser(
  row: NonNullable<BrowserRow>,
  sources: Sources,
): Promise<string> {
  if (!row.revoked_at) return 'it has not ended'
  const { user_id: userId, revoked_at: at, revoked_reason: reason } = row
  return endedText(sources, { userId, at, reason })
}
