import { type VerificationCode, VerificationError } from './verification-error.ts'

/** Why a request was refused. For logs; it is not sent. */
export type RefusalReason =
  | VerificationCode
  | 'no_token'
  | 'malformed_request'
  | 'scope_missing'
  | 'role_missing'

/**
 * A response of RFC 6750 §3 as data. It contains no text of the request: a quote or a line break in a
 * token must not reach a header or a log.
 */
export interface Refusal {
  readonly reason: RefusalReason
  readonly status: 400 | 401 | 403 | 503
  readonly headers: Readonly<Record<string, string>>
  /** JSON. */
  readonly body: string
}

/** When to retry after the server is unreachable or its list is too old. */
const retryAfterSeconds = 5

/** A scope (RFC 6749 §3.3), and text that RFC 6750 §3 allows between quotes. */
const scopeToken = /^[\x21\x23-\x5b\x5d-\x7e]+$/
const quotable = /^[\x20\x21\x23-\x5b\x5d-\x7e]+$/

/** Creates refusals for one protection space (realm). */
export class Challenge {
  readonly #realm: string

  /** @throws TypeError for a realm that would have to be escaped */
  constructor(realm: string) {
    if (!quotable.test(realm)) throw new TypeError('realm: printable ASCII without " and \\')
    this.#realm = realm
  }

  /** RFC 6750 §3.1: without credentials the challenge has no error. */
  noToken(): Refusal {
    return this.#refuse(401, 'no_token', 'unauthorized', 'an access token is required', {})
  }

  malformed(): Refusal {
    const description = 'send one Authorization header: Bearer and one access token'
    const error = 'invalid_request'
    return this.#refuse(400, 'malformed_request', error, description, { error })
  }

  insufficientScope(scope: string): Refusal {
    const error = 'insufficient_scope'
    const description = `the access token lacks a required scope: ${scope}`
    return this.#refuse(403, 'scope_missing', error, description, { error, scope })
  }

  /** RFC 6750 has no code for roles; the one for scopes also means "not with this token". */
  insufficientRole(): Refusal {
    const error = 'insufficient_scope'
    return this.#refuse(403, 'role_missing', error, 'the access token lacks a required role', {
      error,
    })
  }

  /**
   * 401 for a rejected token, or 503 when the verifier cannot decide: on 401 clients discard the token.
   * @throws errors other than VerificationError
   */
  notVerified(error: unknown): Refusal {
    if (!(error instanceof VerificationError)) throw asError(error)
    const { code } = error
    if (code === 'keys_unavailable' || code === 'revocations_stale') return unavailable(code)
    // Only expiry is named, because a client can refresh. A thief learns nothing else.
    const description =
      code === 'token_expired'
        ? 'the access token has expired'
        : 'the access token is not valid here'
    return this.#refuse(401, code, 'invalid_token', description, { error: 'invalid_token' })
  }

  #refuse(
    status: 400 | 401 | 403,
    reason: RefusalReason,
    error: string,
    description: string,
    parameters: Readonly<Record<string, string>>,
  ): Refusal {
    const challenge = Object.entries({ realm: this.#realm, ...parameters })
      .map(([name, value]) => `${name}="${value}"`)
      .join(', ')
    return refusal(status, reason, error, description, {
      'www-authenticate': `Bearer ${challenge}`,
    })
  }
}

/** Express treats `next(undefined)` as "continue" and `next('route')` as "skip the other guards". */
export const asError = (cause: unknown): Error =>
  cause instanceof Error ? cause : new Error('the access token was not verified', { cause })

/** @throws TypeError for an empty list, which would admit every request, or for an invalid scope */
export function assertScopes(scopes: readonly string[]): void {
  if (scopes.length === 0) throw new TypeError('requireScope: name at least one scope')
  const wrong = scopes.find((scope) => !scopeToken.test(scope))
  if (wrong !== undefined) throw new TypeError(`requireScope: not a scope: ${wrong}`)
}

const unavailable = (code: VerificationCode): Refusal =>
  refusal(503, code, 'temporarily_unavailable', 'access tokens cannot be verified at present', {
    'retry-after': String(retryAfterSeconds),
  })

function refusal(
  status: Refusal['status'],
  reason: RefusalReason,
  error: string,
  description: string,
  headers: Readonly<Record<string, string>>,
): Refusal {
  return {
    status,
    reason,
    headers: {
      ...headers,
      'cache-control': 'no-store',
      'content-type': 'application/json; charset=utf-8',
    },
    body: JSON.stringify({ error, error_description: description }),
  }
}
