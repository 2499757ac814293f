import type { AccessTokenClaims } from './claims.ts'

export type { AccessTokenClaims } from './claims.ts'
export { type VerificationCode, VerificationError } from './verification-error.ts'
export type { RevocationOptions, VerifierEvent, VerifierOptions } from './verifier-options.ts'

/** For health checks and metrics. */
export interface VerifierStatus {
  /** Age of the list of revocations: 0 when it is fresh, Infinity before the first and without a feed. */
  readonly staleSeconds: number
  /** Whether there is a feed and it is followed. */
  readonly following: boolean
  /** How many keys are known. */
  readonly keys: number
  /** How many revocations are held. */
  readonly entries: number
}

export interface Verifier {
  /**
   * The claims of a good token.
   * @throws VerificationError
   */
  verify(token: string): Promise<AccessTokenClaims>
  /** Discovery, keys and the first list are there. Not needed: `verify` waits by itself. */
  ready(): Promise<void>
  readonly status: VerifierStatus
  /** Ends the long poll and all timers. A forgotten close keeps no process alive. */
  close(): Promise<void>
}
