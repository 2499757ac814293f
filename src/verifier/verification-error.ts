/** Stable: services branch on them. The table of docs/verifying.md says what each means. */
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
 * Why a token was not accepted. The message holds nothing that the sender of the token wrote, so it
 * may go into a log; `cause` is what a library or the network said.
 */
export class VerificationError extends Error {
  override readonly name = 'VerificationError'
  readonly code: VerificationCode

  constructor(code: VerificationCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.code = code
  }
}
