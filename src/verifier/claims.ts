/** The claims of an access token of Signet: RFC 9068 §2.2, and what it adds. Frozen: tokens are remembered. */
export interface AccessTokenClaims {
  readonly iss: string
  /** The person, or the client when it acts for itself. */
  readonly sub: string
  readonly aud: string | readonly string[]
  readonly exp: number
  readonly iat: number
  readonly jti: string
  readonly client_id: string
  /** Words with single spaces between them. */
  readonly scope?: string
  /** The session; only in tokens of people. */
  readonly sid?: string
  readonly auth_time?: number
  readonly amr?: readonly string[]
  readonly roles?: readonly string[]
  readonly [claim: string]: unknown
}
