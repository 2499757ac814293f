/** Whether the revocation feed is followed, and what its absence means. */
export interface RevocationOptions {
  /** What happens to good tokens while the list is older than `maxStaleSeconds`. Default: `accept`. */
  readonly onStale?: 'accept' | 'reject'
  /** Default: 60. */
  readonly maxStaleSeconds?: number
  /** A longer answer is refused while it is read. Default: 16 MiB. */
  readonly maxListBytes?: number
}

export interface VerifierOptions {
  /** Exactly the `iss` of the tokens. Everything else is found below it: RFC 8414. */
  readonly issuer: string
  /** This service: one of them has to be in `aud`. */
  readonly audience: string | readonly string[]
  /** How far the clocks may be apart for `exp` and `nbf`. Default: 5. */
  readonly clockToleranceSeconds?: number
  /** Beside `iss sub aud exp iat jti client_id`, which RFC 9068 §2.2 requires. */
  readonly requiredClaims?: readonly string[]
  /** `false`: not followed. Default: followed when the metadata names a feed. */
  readonly revocations?: false | RevocationOptions
  /** How many verified tokens are remembered by their digest. Default: 1000; 0: none. */
  readonly rememberTokens?: number
  /** Of one request to the issuer, body included; of the long poll: its wait and this. Default: 5. */
  readonly timeoutSeconds?: number
  /** The longest that keys count as fresh, whatever `Cache-Control` says. Default: 300. */
  readonly jwksMaxAgeSeconds?: number
  /** How long the last keys go on when the issuer does not answer. Default: 86400. */
  readonly jwksMaxStaleSeconds?: number
  /** At most one request in this time for `kid`s that nobody knows. Default: 30. */
  readonly unknownKidCooldownSeconds?: number
  /** For proxies and tests. Default: the global one. */
  readonly fetch?: typeof globalThis.fetch
  readonly now?: () => Date
  /** For logs and metrics. */
  readonly onEvent?: (event: VerifierEvent) => void
}

export type VerifierEvent =
  /** The published keys are others than before. */
  | { readonly type: 'keys'; readonly kids: readonly string[] }
  /** A list was applied; `entries` are all that are held now. */
  | { readonly type: 'list'; readonly full: boolean; readonly entries: number }
  /** The list has become older than `maxStaleSeconds`. */
  | { readonly type: 'stale'; readonly staleSeconds: number }
  | { readonly type: 'fresh' }
  /** Something did not work and is tried again. */
  | {
      readonly type: 'problem'
      readonly about: 'discovery' | 'keys' | 'revocations'
      readonly reason: string
    }
