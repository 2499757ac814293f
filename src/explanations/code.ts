import { challengeOf } from '../oauth/pkce.ts'
import type { CodeFault, ForeseenCode } from '../sessions/code-redemptions.ts'
import { readBrowserSession, readSession } from '../sessions/session-reads.ts'
import {
  type Check,
  type Expected,
  type Explanation,
  quoted,
  relative,
  skipped,
  upTo,
} from './explanation.ts'
import { clientCheck, endedText, endText, personCheck } from './parties.ts'
import { redirectDifference } from './redirect-uri.ts'
import type { Sources } from './sources.ts'

/** The checks of an authorization code, in the order in which the server reports them. */
const names = [
  'form',
  'signature',
  'code',
  'owner',
  'time',
  'redirect_uri',
  'pkce',
  'person',
  'password',
  'client',
  'browser',
  'consent',
] as const

type Name = (typeof names)[number]

const checkOf: Readonly<Record<CodeFault, Name>> = {
  code_expired: 'time',
  redirect_uri_mismatch: 'redirect_uri',
  pkce_mismatch: 'pkce',
  user_disabled: 'person',
  password_changed: 'password',
  client_disabled: 'client',
  browser_signed_out: 'browser',
  consent_withdrawn: 'consent',
}

/** Explains an authorization code, which is not spent. */
export async function explainCode(
  code: string,
  expected: Expected,
  sources: Sources,
): Promise<Explanation> {
  const { redirectUri, codeVerifier } = expected
  const codeChallenge = challengeOf(codeVerifier)
  const result = await sources.codes.foresee({ code, redirectUri, codeChallenge })
  const subject = 'authorization code'
  if ('fault' in result) {
    const message =
      result.fault === 'form'
        ? `${code.length} characters are not sac_ and a whole code: it was cut or changed`
        : 'this installation did not issue it: it was changed, or is of another environment'
    return {
      subject,
      checks: upTo(names, result.fault, { form: formText, [result.fault]: message }),
      notes: [],
    }
  }
  const { sid, foreseen } = result
  const own = { form: formText, signature: 'issued by this installation' }
  const checks = foreseen
    ? await checksOf(foreseen, own, expected, sources)
    : upTo(names, 'code', { ...own, code: await absentText(sid, sources) })
  return { subject, id: sid, checks, notes: [] }
}

const formText = 'sac_ and a whole code'

async function checksOf(
  code: ForeseenCode,
  own: Partial<Record<Name, string>>,
  expected: Expected,
  sources: Sources,
): Promise<Check[]> {
  const now = sources.now()
  const { clientId } = expected
  const isForeign = clientId !== undefined && clientId !== code.client_id
  const first = isForeign ? 'owner' : code.fault ? checkOf[code.fault] : undefined
  const verb = code.expires_at <= now ? 'expired' : 'expires'
  const checks = upTo(names, first, {
    ...own,
    code: 'not redeemed yet',
    owner: isForeign
      ? `issued to ${code.client_id}, not to ${quoted(clientId)}`
      : `issued to ${code.client_id}`,
    time: `${verb} ${relative(code.expires_at, now)}; a code lives for a minute`,
    redirect_uri: redirectText(code, expected),
    pkce: pkceText(code, expected),
    person: (await personCheck(sources, code.user_id)).message,
    password: code.fault === 'password_changed' ? 'it was changed since' : 'not changed since',
    client: (await clientCheck(sources, code.client_id)).message,
    browser: await browserText(code, sources),
    consent: code.fault === 'consent_withdrawn' ? 'missing or withdrawn' : 'given, or not needed',
  })
  return checks.map((check) => withoutExpectation(check, expected))
}

/** A check that has nothing to compare with. */
function withoutExpectation(check: Check, { redirectUri, codeVerifier }: Expected): Check {
  const isUnknown =
    (check.check === 'redirect_uri' && redirectUri === undefined) ||
    (check.check === 'pkce' && codeVerifier === undefined)
  return isUnknown && check.state === 'passed' ? skipped(check.check, check.message) : check
}

const redirectText = ({ redirect_uri: known }: ForeseenCode, { redirectUri }: Expected): string =>
  redirectUri === undefined
    ? `the request had ${quoted(known)}; compare with --redirect-uri`
    : redirectUri === known
      ? 'the same as in the request'
      : redirectDifference(redirectUri, [known ?? ''])

function pkceText({ code_challenge: known }: ForeseenCode, { codeVerifier }: Expected): string {
  if (codeVerifier === undefined) {
    const sent = known === null ? 'no code_challenge' : 'a code_challenge'
    return `the request had ${sent}; compare with --code-verifier`
  }
  if (known === null) return 'the request had no code_challenge, so no code_verifier may be sent'
  const challenge = challengeOf(codeVerifier)
  if (challenge === 'malformed') {
    return `the code_verifier is not 43 to 128 letters, digits and -._~ (${codeVerifier.length} characters)`
  }
  return challenge === known
    ? 'S256 of the code_verifier is the code_challenge'
    : 'S256 of the code_verifier is not the code_challenge of the request'
}

async function browserText(
  { browser_session_id: id, user_id: userId }: ForeseenCode,
  sources: Sources,
): Promise<string> {
  const row = await readBrowserSession(sources.db, id)
  if (!row) return `the browser session ${id} is gone`
  const now = sources.now()
  if (row.revoked_at) {
    const { revoked_at: at, revoked_reason: reason } = row
    return `${id} ${await endedText(sources, { userId, at, reason })}`
  }
  return row.expires_at <= now ? `${id} expired ${relative(row.expires_at, now)}` : `${id} lives`
}

/** A code that has no row was redeemed, or it expired and was deleted. */
async function absentText(sid: string, sources: Sources): Promise<string> {
  const row = await readSession(sources.db, sid)
  if (!row) {
    return 'spent by an attempt that was refused, or expired and deleted: a code can be presented once'
  }
  const begun = `it was redeemed by ${row.client_id}, and began the session ${sid}`
  return row.revoked_at
    ? `${begun}; ${await endText(sources, row, row.revoked_at)}`
    : `${begun}. Presenting it again ends that session`
}
