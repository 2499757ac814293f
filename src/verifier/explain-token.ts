import { jsonObject } from './compact-jws.ts'
import { type TokenCheck, tokenChecks, VerificationError } from './verification-error.ts'
import type { Verifier } from './verifier.ts'

interface CheckResult {
  readonly check: TokenCheck
  /** `skipped`: not reached, or nothing to compare with. */
  readonly state: 'passed' | 'failed' | 'skipped'
  /** Nothing of it is secret; texts of the token are in quotes. */
  readonly message: string
}

export interface TokenExplanation {
  readonly ok: boolean
  /** The first check that failed. */
  readonly failed: TokenCheck | undefined
  readonly code: string | undefined
  readonly checks: readonly CheckResult[]
}

/** Verifies a token and says which check it fails, with what it says instead. */
export async function explainToken(
  verifier: Pick<Verifier, 'verify' | 'status'>,
  token: string,
  now: Date,
): Promise<TokenExplanation> {
  const error = await verifier.verify(token).then(
    () => undefined,
    (reason: unknown) => {
      if (reason instanceof VerificationError) return reason
      throw reason
    },
  )
  const place = error ? tokenChecks.indexOf(error.check) : tokenChecks.length
  const found = findingsOf(token, now)
  const checks = tokenChecks.map((check, at): CheckResult => {
    if (at > place) return { check, state: 'skipped', message: 'not reached' }
    if (at === place) {
      const more = found[check] === '' ? '' : `: ${found[check]}`
      return { check, state: 'failed', message: `${error?.message}${more}` }
    }
    if (check === 'revocation' && !verifier.status.following) {
      return { check, state: 'skipped', message: 'the list of revocations was not read' }
    }
    return { check, state: 'passed', message: found[check] }
  })
  return { ok: error === undefined, failed: error?.check, code: error?.code, checks }
}

/** The parts of the token that a check is about, as anybody can read them. */
function findingsOf(token: string, now: Date): Readonly<Record<TokenCheck, string>> {
  const [header = {}, claims = {}] = token
    .split('.', 2)
    .map((part) => jsonObject(Buffer.from(part, 'base64url')))
  return {
    form: `${token.split('.').length} parts, ${token.length} characters`,
    header: `has ${quoted(Object.keys(header).join(' '))}`,
    algorithm: quoted(header.alg),
    type: quoted(header.typ),
    key: quoted(header.kid),
    signature: '',
    claims: '',
    issuer: quoted(claims.iss),
    audience: quoted(claims.aud),
    time: `exp ${timeOf(claims.exp)}, now ${now.toISOString()}`,
    revocation: '',
  }
}

function timeOf(seconds: unknown): string {
  const date = new Date(Number(seconds) * 1000)
  return typeof seconds === 'number' && !Number.isNaN(date.getTime())
    ? date.toISOString()
    : quoted(seconds)
}

/** Short, and without characters that a terminal would obey. */
function quoted(value: unknown): string {
  const json = JSON.stringify(value) ?? 'nothing'
  const shown = json.length > 200 ? `${json.slice(0, 200)}...` : json
  return shown.replace(/[^\x20-\x7e]/g, (char) => `\\u{${char.codePointAt(0)?.toString(16)}}`)
}
