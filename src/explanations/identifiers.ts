import { keyState } from '../keyring/signing-key.ts'
import { type RevocationEntry, readRevocations } from '../revocations/revocation-reads.ts'
import { readBrowserSession, readSession } from '../sessions/session-reads.ts'
import { readApiKey } from '../tokens/api-keys.ts'
import {
  type Check,
  type Expected,
  type Explanation,
  failed,
  passed,
  relative,
  skipped,
} from './explanation.ts'
import { clientCheck, personCheck, sessionCheck } from './parties.ts'
import { redirectCheck } from './redirect-uri.ts'
import { latestNotes } from './request.ts'
import { endOfBrowser, ofKey } from './secrets.ts'
import { because, clientOf, eventAt, newestEvent, type Sources } from './sources.ts'
import { audienceCheck, keyFaultText, scopeCheck } from './token-checks.ts'

const uuid = /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/i

export const isUuid = (text: string): boolean => uuid.test(text)

type Explain = (
  id: string,
  expected: Expected,
  sources: Sources,
) => Promise<Explanation | undefined>

/** Everything that an id may name, most telling first. */
export const explainUuid: Explain = async (id, expected, sources) => {
  for (const explain of [ofPerson, ofSession, ofApiKey, ofBrowser, ofRevocation]) {
    const found = await explain(id.toLowerCase(), expected, sources)
    if (found) return found
  }
  return undefined
}

const ofPerson: Explain = async (id, _expected, sources) => {
  const user = await sources.users.find(id)
  if (!user) {
    const event = await newestEvent(sources, { userId: id, event: 'user.deleted' })
    if (!event) return undefined
    return { subject: 'person', id, checks: [await personCheck(sources, id)], notes: [] }
  }
  const at = { userId: id, event: 'user.password_change_required' }
  const checks: Check[] = [
    await personCheck(sources, id),
    user.mustChangePassword
      ? failed(
          'password',
          `must be changed before the next sign-in${because(await newestEvent(sources, at))}`,
        )
      : passed('password', `set ${relative(user.passwordChangedAt, sources.now())}`),
    addressCheck(user),
  ]
  return { subject: 'person', id, checks, notes: await latestNotes(sources, { user_id: id }) }
}

function addressCheck({
  email,
  emailVerifiedAt,
}: {
  readonly email: string | null
  readonly emailVerifiedAt: Date | null
}): Check {
  if (email === null) return skipped('address', 'none')
  return emailVerifiedAt
    ? passed('address', 'verified')
    : failed('address', 'not verified: only a client that lets unverified people in signs them in')
}

const ofSession: Explain = async (id, expected, sources) => {
  const row = await readSession(sources.db, id)
  if (!row) return undefined
  const checks = [
    await sessionCheck(sources, id),
    await personCheck(sources, row.user_id),
    await clientCheck(sources, row.client_id),
    audienceCheck(row.audience, expected),
    scopeCheck(row.scope, expected),
  ]
  return { subject: 'session', id, checks, notes: [] }
}

const ofApiKey: Explain = async (id, expected, sources) => {
  const key = await readApiKey(sources.db, { id })
  if (key) {
    return { subject: 'API key', id, checks: await ofKey(key, expected, sources), notes: [] }
  }
  // The tokens that it was exchanged for are revoked by its id.
  const [entry] = await readRevocations(sources.db, [{ kind: 'sid', value: id }], sources.now)
  if (!entry) return undefined
  const event = await eventAt(
    sources,
    [{ event: 'api_key.revoked' }],
    entry.revoked_at,
    ['api_key.revoked'],
    ({ detail }) => detail.key === id,
  )
  if (!event) return undefined
  const checks = [failed('key', `it was revoked${because(event)}`)]
  return { subject: 'API key', id, checks, notes: [] }
}

const ofBrowser: Explain = async (id, _expected, sources) => {
  const row = await readBrowserSession(sources.db, id)
  if (!row) return undefined
  const now = sources.now()
  const end = row.expires_at < row.idle_expires_at ? row.expires_at : row.idle_expires_at
  const checks = [
    row.revoked_at
      ? failed('end', await endOfBrowser(row, sources))
      : passed('end', 'it has not ended'),
    end <= now
      ? failed('time', `expired ${relative(end, now)}`)
      : passed('time', `expires ${relative(end, now)} if it is not used`),
    await personCheck(sources, row.user_id),
  ]
  return { subject: 'browser session', id, checks, notes: [] }
}

/** A `jti`, or a session whose row is gone: only the log of revocations knows them. */
const ofRevocation: Explain = async (id, _expected, sources) => {
  const subjects = [
    { kind: 'jti', value: id },
    { kind: 'sid', value: id },
  ] as const
  const [entry] = await readRevocations(sources.db, subjects, sources.now)
  if (!entry) return undefined
  const subject = entry.kind === 'jti' ? 'access token' : 'session'
  return { subject, id, checks: [await revokedCheck(entry, sources)], notes: [] }
}

async function revokedCheck(
  { value, kind, revoked_at: at }: RevocationEntry,
  sources: Sources,
): Promise<Check> {
  const isOfToken = ({ detail }: { readonly detail: object }) =>
    (detail as { jti?: unknown }).jti === value
  const event =
    kind === 'jti'
      ? await eventAt(sources, [{ event: 'token.revoked' }], at, ['token.revoked'], isOfToken)
      : await eventAt(sources, [{ sid: value }], at, ['session.revoked', 'session.reused'])
  return failed('revocation', `revoked ${relative(at, sources.now())}${because(event)}`)
}

/** A person by their username or address; the answer names them by their id. */
export const explainName: Explain = async (name, expected, sources) => {
  const user = name.length <= mostName ? await sources.users.findAny(name) : undefined
  return user && ofPerson(user.id, expected, sources)
}

/** Email addresses are no longer: RFC 5321 §4.5.3.1. */
const mostName = 320

/** A signing key by its `kid`. */
export const explainKey: Explain = async (kid, _expected, sources) => {
  const now = sources.now()
  const key = sources.keyring.current.keys.find((one) => one.kid === kid)
  if (!key) return undefined
  const state = keyState(key, now)
  const isGone = state === 'retired' || state === 'revoked'
  const checks = [
    isGone
      ? failed('key', await keyFaultText(kid, sources))
      : passed('key', `${state}; signs from ${relative(key.signsFrom, now)}`),
  ]
  return { subject: 'signing key', id: kid, checks, notes: [] }
}

/** A client, and what a request would ask of it. */
export const explainClient: Explain = async (id, expected, sources) => {
  const client = /^[A-Za-z0-9._~-]{1,100}$/.test(id) ? await clientOf(sources, id) : undefined
  if (!client) {
    const event = await newestEvent(sources, { clientId: id, event: 'client.deleted' })
    if (!event) return undefined
    return { subject: 'client', id, checks: [await clientCheck(sources, id)], notes: [] }
  }
  const { redirectUri } = expected
  const checks = [
    await clientCheck(sources, id),
    redirectUri === undefined
      ? skipped('redirect_uri', 'compare with --redirect-uri')
      : redirectCheck(redirectUri, client.redirectUris),
    audienceCheck(client.audiences, expected),
    scopeCheck(client.scopes, expected),
  ]
  return { subject: 'client', id, checks, notes: await latestNotes(sources, { client_id: id }) }
}
