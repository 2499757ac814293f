import type { AccessTokenClaims } from './claims.ts'
import { jsonObject } from './json.ts'
import { VerificationError } from './verification-error.ts'

export interface ClaimRules {
  readonly issuer: string
  readonly audience: readonly string[]
  readonly requiredClaims: readonly string[]
  readonly clockToleranceSeconds: number
}

type Check = (value: unknown) => boolean

const isName: Check = (value) => typeof value === 'string' && value !== ''
const isNames: Check = (value) => Array.isArray(value) && value.every(isName)
const isAudience: Check = (value) => isName(value) || (isNames(value) && (value as []).length > 0)
const isTime: Check = (value) => Number.isSafeInteger(value)
const isText: Check = (value) => typeof value === 'string'

/** RFC 9068 §2.2: all of them, each of its type. */
const required: readonly (readonly [string, Check])[] = [
  ['iss', isName],
  ['sub', isName],
  ['aud', isAudience],
  ['exp', isTime],
  ['iat', isTime],
  ['jti', isName],
  ['client_id', isName],
]

/** Even a token that the genuine key signed must not bring a list where a name is looked up. */
const optional: readonly (readonly [string, Check])[] = [
  ['nbf', isTime],
  ['scope', isText],
  ['sid', isName],
  ['auth_time', isTime],
  ['amr', isNames],
  ['roles', isNames],
]

/** What the issuer allows for between its clock and ours. */
const clocksApartSeconds = 60

/** @throws VerificationError unless these are claims of the issuer for this service: RFC 9068 §4 */
export function readClaims(payload: Buffer, rules: ClaimRules): AccessTokenClaims {
  const claims = jsonObject(payload)
  if (!claims) throw new VerificationError('token_malformed', 'the claims are not a JSON object')
  for (const [name] of required) assertPresent(claims, name)
  for (const name of rules.requiredClaims) assertPresent(claims, name)
  for (const [name, check] of required) if (!check(claims[name])) throw invalid(name)
  for (const [name, check] of optional) {
    if (Object.hasOwn(claims, name) && !check(claims[name])) throw invalid(name)
  }
  const own = claims as AccessTokenClaims
  if (own.iss !== rules.issuer) {
    throw new VerificationError('issuer_mismatch', 'the token is that of another issuer')
  }
  const audience = typeof own.aud === 'string' ? [own.aud] : own.aud
  if (!audience.some((name) => rules.audience.includes(name))) {
    throw new VerificationError('audience_mismatch', 'the token is for another service')
  }
  return own
}

function assertPresent(claims: object, name: string): void {
  if (Object.hasOwn(claims, name)) return
  throw new VerificationError('claim_missing', `the claim ${name} is missing`)
}

const invalid = (name: string) =>
  new VerificationError('claim_invalid', `the claim ${name} is not of its type`)

/**
 * RFC 7519 §4.1.4 and §4.1.5. `iat` says nothing about validity, so it only must not lie further ahead
 * than clocks are apart.
 */
export function assertTime(claims: AccessTokenClaims, nowSeconds: number, tolerance: number): void {
  if (nowSeconds >= claims.exp + tolerance) {
    throw new VerificationError('token_expired', 'the token has expired')
  }
  const nbf = claims.nbf as number | undefined
  if (nbf !== undefined && nowSeconds < nbf - tolerance) {
    throw new VerificationError('token_not_yet_valid', 'nbf lies ahead')
  }
  if (nowSeconds < claims.iat - Math.max(tolerance, clocksApartSeconds)) {
    throw new VerificationError('token_not_yet_valid', 'iat lies ahead')
  }
}

/** Claims are handed out again and again: what one request writes into them, no other may read. */
export function frozen<T>(value: T): T {
  if (typeof value === 'object' && value !== null) {
    for (const member of Object.values(value)) frozen(member)
    Object.freeze(value)
  }
  return value
}
