/** Stable, because services branch on them. docs/verifying.md explains each code. */
export type VerificationCode =
  | 'token_malformed'
  | 'token_expired'
  | 'token_not_yet_valid'
  | 'token_revoked'
  | 'algorithm_not_allowed'
  | 'type_not_allowed'
  | 'issuer_mismatch'
  | 'audience_mismatch'
  | 'claim_missing'
  | 'claim_invalid'
  | 'signature_invalid'
  | 'key_unknown'
  | 'keys_unavailable'
  | 'revocations_stale'

/**
 * The checks of a token, in the order in which they are done. `signet explain` names those of the server alike;
 * it has more of them.
 */
export const tokenChecks = [
  'form',
  'header',
  'algorithm',
  'type',
  'key',
  'signature',
  'claims',
  'issuer',
  'audience',
  'time',
  'revocation',
] as const

export type TokenCheck = (typeof tokenChecks)[number]

/** The check that usually fails with a code. */
const checkOf: Readonly<Record<VerificationCode, TokenCheck>> = {
  token_malformed: 'form',
  token_expired: 'time',
  token_not_yet_valid: 'time',
  token_revoked: 'revocation',
  algorithm_not_allowed: 'algorithm',
  type_not_allowed: 'type',
  issuer_mismatch: 'issuer',
  audience_mismatch: 'audience',
  claim_missing: 'claims',
  claim_invalid: 'claims',
  signature_invalid: 'signature',
  key_unknown: 'key',
  keys_unavailable: 'key',
  revocations_stale: 'revocation',
}

/**
 * Why a token was rejected. The message contains nothing of the token, so it may be logged; `cause` is the
 * error of a library or the network.
 */
export class VerificationError extends Error {
  override readonly name = 'VerificationError'
  readonly code: VerificationCode
  /** The first check that the token failed, or that could not be made. Stable, like the code. */
  readonly check: TokenCheck

  constructor(
    code: VerificationCode,
    message: string,
    cause?: unknown,
    check: TokenCheck = checkOf[code],
  ) {
    super(message, cause === undefined ? undefined : { cause })
    this.code = code
    this.check = check
  }
}
