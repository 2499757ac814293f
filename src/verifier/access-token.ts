import { jsonObject } from './compact-jws.ts'
import { VerificationError } from './verification-error.ts'

/** The claims of an access token of Signet: RFC 9068 §2.2 and its own. Frozen, because they are cached. */
export interface AccessTokenClaims {
  readonly iss: string
  /** The person, or the client when it acts on its own behalf. */
  readonly sub: string
  readonly aud: string | readonly string[]
  readonly exp: number
  readonly iat: number
  readonly jti: string
  readonly client_id: string
  /** Scope names, separated by single spaces. */
  readonly scope?: string
  /** The session id; only in tokens of people. */
  readonly sid?: string
  readonly auth_time?: number
  readonly amr?: readonly string[]
  readonly roles?: readonly string[]
  readonly [claim: string]: unknown
}

interface ClaimRules {
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

/** Required claims and their types (RFC 9068 §2.2). */
const required: readonly (readonly [string, Check])[] = [
  ['iss', isName],
  ['sub', isName],
  ['aud', isAudience],
  ['exp', isTime],
  ['iat', isTime],
  ['jti', isName],
  ['client_id', isName],
]

/** Types of optional claims, so that even a genuine token cannot put a list where a string is expected. */
const optional: readonly (readonly [string, Check])[] = [
  ['nbf', isTime],
  ['scope', isText],
  ['sid', isName],
  ['auth_time', isTime],
  ['amr', isNames],
  ['roles', isNames],
]

/** The clock difference that the issuer allows for. */
const clocksApartSeconds = 60

/**
 * Reads the claims of a token (RFC 9068 §4).
 * @throws VerificationError unless they are of the issuer and for this service
 */
export function readClaims(payload: Buffer, rules: ClaimRules): AccessTokenClaims {
  const claims = jsonObject(payload)
  if (!claims) {
    const message = 'the claims are not a JSON object'
    throw new VerificationError('token_malformed', message, undefined, 'claims')
  }
  for (const [name] of required) assertPresent(claims, name)
  for (const name of rules.requiredClaims) assertPresent(claims, name)
  for (const [name, check] of required) if (!check(claims[name])) throw invalid(name)
  for (const [name, check] of optional) {
    if (Object.hasOwn(claims, name) && !check(claims[name])) throw invalid(name)
  }
  const own = claims as AccessTokenClaims
  if (own.iss !== rules.issuer) {
    throw new VerificationError('issuer_mismatch', 'the token is from another issuer')
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
  new VerificationError('claim_invalid', `the claim ${name} has the wrong type`)

/**
 * Checks `exp` and `nbf` (RFC 7519 §4.1.4, §4.1.5). `iat` says nothing about validity, so it only must
 * not lie further in the future than clocks may differ.
 */
export function assertTime(claims: AccessTokenClaims, nowSeconds: number, tolerance: number): void {
  if (nowSeconds >= claims.exp + tolerance) {
    throw new VerificationError('token_expired', 'the token has expired')
  }
  const nbf = claims.nbf as number | undefined
  if (nbf !== undefined && nowSeconds < nbf - tolerance) {
    throw new VerificationError('token_not_yet_valid', 'nbf is in the future')
  }
  if (nowSeconds < claims.iat - Math.max(tolerance, clocksApartSeconds)) {
    throw new VerificationError('token_not_yet_valid', 'iat is in the future')
  }
}

/** Freezes claims deeply: they are shared by requests, which must not see each other's changes. */
export function frozen<T>(value: T): T {
  if (typeof value === 'object' && value !== null) {
    for (const member of Object.values(value)) frozen(member)
    Object.freeze(value)
  }
  return value
}
