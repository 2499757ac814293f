import { type VerificationCode, VerificationError } from './verification-error.ts'

/** Why a request was refused: for logs, it is not sent. */
export type RefusalReason =
  | VerificationCode
  | 'no_token'
  | 'malformed_request'
  | 'scope_missing'
  | 'role_missing'

/**
 * An answer of RFC 6750 §3 as data. Nothing in it was written by the sender of the request: a quote or
 * a line break in a token must not get into a header or a log of somebody else.
 */
export interface Refusal {
  readonly reason: RefusalReason
  readonly status: 400 | 401 | 403 | 503
  readonly headers: Readonly<Record<string, string>>
  /** JSON. */
  readonly body: string
}

/** Seconds after which it is worth another try: the server is away, or its list is old. */
const retryAfterSeconds = 5

/** RFC 6749 §3.3, and what RFC 6750 §3 lets stand between quotes. */
const scopeToken = /^[\x21\x23-\x5b\x5d-\x7e]+$/
const quotable = /^[\x20\x21\x23-\x5b\x5d-\x7e]+$/

/** Makes refusals for one protection space. */
export class Challenge {
  readonly #realm: string

  /** @throws TypeError for a realm that would have to be escaped */
  constructor(realm: string) {
    if (!quotable.test(realm)) throw new TypeError('realm: printable ASCII without " and \\')
    this.#realm = realm
  }

  /** RFC 6750 §3.1: who has sent no credentials is told no error in the challenge. */
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
    const description = `the access token lacks a scope: ${scope} is needed`
    return this.#refuse(403, 'scope_missing', error, description, { error, scope })
  }

  /** There is no code for roles: the one for scopes means "not with this token" as well. */
  insufficientRole(): Refusal {
    const error = 'insufficient_scope'
    return this.#refuse(403, 'role_missing', error, 'the access token lacks a role', { error })
  }

  /**
   * "Not with this token", or "cannot tell now", which must not look like it: a client that is told
   * 401 throws away a good token.
   * @throws what is no VerificationError
   */
  notVerified(error: unknown): Refusal {
    if (!(error instanceof VerificationError)) throw asError(error)
    const { code } = error
    if (code === 'keys_unavailable' || code === 'revocations_stale') return unavailable(code)
    // Only that it is too old: a client can do something about it. A thief is told nothing else.
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

/** Express takes `next(undefined)` for "go on" and `next('route')` for "skip the other doors". */
export const asError = (cause: unknown): Error =>
  cause instanceof Error ? cause : new Error('the access token was not verified', { cause })

/** @throws TypeError when there is none, which would let everybody in, or one cannot be a scope */
export function assertScopes(scopes: readonly string[]): void {
  if (scopes.length === 0) throw new TypeError('requireScope: name at least one scope')
  const wrong = scopes.find((scope) => !scopeToken.test(scope))
  if (wrong !== undefined) throw new TypeError(`requireScope: not one scope: ${wrong}`)
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
