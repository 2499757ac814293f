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
 * Why a token was rejected. The message contains nothing of the token, so it may be logged; `cause` is the
 * error of a library or the network.
 */
export class VerificationError extends Error {
  override readonly name = 'VerificationError'
  readonly code: VerificationCode

  constructor(code: VerificationCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.code = code
  }
}
