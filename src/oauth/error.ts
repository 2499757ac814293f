/**
 * The error codes of this server and the status of each: RFC 6749 §4.1.2.1 and §5.2, RFC 7009 §2.2.1,
 * RFC 8707 §2, OpenID Connect Core §3.1.2.6. `temporarily_unavailable` stands for a 503 everywhere.
 */
const statuses = {
  invalid_request: 400,
  invalid_client: 401,
  invalid_grant: 400,
  unauthorized_client: 400,
  unsupported_grant_type: 400,
  unsupported_token_type: 400,
  invalid_scope: 400,
  invalid_target: 400,
  invalid_token: 401,
  insufficient_scope: 403,
  access_denied: 400,
  unsupported_response_type: 400,
  request_not_supported: 400,
  request_uri_not_supported: 400,
  registration_not_supported: 400,
  login_required: 400,
  consent_required: 400,
  interaction_required: 400,
  account_selection_required: 400,
  unmet_authentication_requirements: 400,
  server_error: 500,
  temporarily_unavailable: 503,
} as const

export type OAuthErrorCode = keyof typeof statuses

interface OAuthErrorOptions {
  /** For the log, not for the caller. */
  readonly cause?: unknown
  /** For the log, too: the session that a genuine token names. */
  readonly sid?: string | undefined
  /** Overrides the status of the code, for instance 413 or 415. */
  readonly status?: number
  readonly headers?: Readonly<Record<string, string>>
}

/** An error response of RFC 6749 §5.2. The caller gets the description; the cause is logged. */
export class OAuthError extends Error {
  override readonly name = 'OAuthError'
  readonly code: OAuthErrorCode
  readonly status: number
  readonly sid: string | undefined
  readonly headers: Readonly<Record<string, string>>

  constructor(code: OAuthErrorCode, description: string, options: OAuthErrorOptions = {}) {
    super(description, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.status = options.status ?? statuses[code]
    this.headers = options.headers ?? {}
    this.sid = options.sid
  }

  /** The response body. RFC 6749 §5.2 allows only these characters in a description. */
  toJSON(): { error: OAuthErrorCode; error_description: string } {
    return {
      error: this.code,
      error_description: this.message.replace(/[^\x20\x21\x23-\x5b\x5d-\x7e]/g, '?'),
    }
  }
}
