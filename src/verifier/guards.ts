import type { AccessTokenClaims } from './access-token.ts'
import { asError, assertScopes, Challenge, type Refusal } from './challenge.ts'
import type { Verifier } from './verifier.ts'

/** The used members of Node's requests, HTTP/1 and 2, on which the frameworks build. */
export interface BearerRequest {
  readonly headers: { readonly authorization?: string | undefined }
  readonly rawHeaders?: readonly string[]
}

/** The credentials of a request. */
type Presented =
  | { readonly kind: 'token'; readonly token: string }
  /** None, or of another scheme. */
  | { readonly kind: 'none' }
  | { readonly kind: 'malformed' }

/**
 * Reads the Authorization header (RFC 6750 §2.1) and nothing else: a token in a query ends up in logs (§5.3),
 * and one in a body can be sent by a form of another site.
 */
function readBearer({ headers, rawHeaders = [] }: BearerRequest): Presented {
  // Node drops one of two headers, and a proxy perhaps the other (§2: one method only).
  const names = rawHeaders.filter((name, i) => i % 2 === 0 && /^authorization$/i.test(name))
  if (names.length > 1) return { kind: 'malformed' }
  const { authorization } = headers
  if (authorization === undefined) return { kind: 'none' }
  const [scheme = ''] = /^[!#$%&'*+.^`|~\w-]+/.exec(authorization) ?? []
  if (scheme === '') return { kind: 'malformed' }
  if (scheme.toLowerCase() !== 'bearer') return { kind: 'none' }
  const [, token] = /^ +([\w.~+/-]+=*) *$/.exec(authorization.slice(scheme.length)) ?? []
  return token === undefined ? { kind: 'malformed' } : { kind: 'token', token }
}

export interface GuardOptions {
  /** The realm of every challenge. Default: api. */
  readonly realm?: string
  /** Called for every refusal with its reason, which the caller does not see. For logs and metrics. */
  readonly onRefusal?: (refusal: Refusal) => void
}

/** The middlewares of one framework. */
export interface Guards<Middleware> {
  /** Requires a valid token. */
  readonly requireUser: Middleware
  /** Admits requests without a token, and refuses those with an invalid one. */
  readonly optionalUser: Middleware
  /** Requires all of these scopes. */
  requireScope(...scopes: string[]): Middleware
  /** Requires one of these roles. */
  requireRole(...roles: string[]): Middleware
}

/** The claims of a request, undefined without a token; or its refusal. */
type Verdict =
  | { readonly refusal: Refusal }
  | { readonly refusal?: undefined; readonly user: AccessTokenClaims | undefined }

/** Decides on a request, independent of the framework. Throws errors that are not refusals. */
export type Guard = (request: BearerRequest) => Promise<Verdict>

interface Seen {
  readonly authorization: string | undefined
  readonly verdict: Promise<Verdict>
}

/**
 * Verifies a request once, however many guards it passes. The verdict is keyed by the request itself, not
 * stored in `user`, which other code could have set.
 */
function verifyOnce(verifier: Pick<Verifier, 'verify'>, challenge: Challenge): Guard {
  const seen = new WeakMap<BearerRequest, Seen>()

  async function verify(request: BearerRequest): Promise<Verdict> {
    const presented = readBearer(request)
    if (presented.kind === 'none') return { user: undefined }
    if (presented.kind === 'malformed') return { refusal: challenge.malformed() }
    try {
      return { user: await verifier.verify(presented.token) }
    } catch (error) {
      return { refusal: challenge.notVerified(error) }
    }
  }

  return (request) => {
    const { authorization } = request.headers
    const before = seen.get(request)
    // A changed header is a new request to verify.
    if (before && before.authorization === authorization) return before.verdict
    const verdict = verify(request)
    seen.set(request, { authorization, verdict })
    return verdict
  }
}

/** A further requirement for a valid token. */
type Check = (user: AccessTokenClaims) => Refusal | undefined

/** Creates the guards of one verifier; `adapt` turns one into a middleware of the framework. */
export function createGuards<Middleware>(
  verifier: Pick<Verifier, 'verify'>,
  { realm = 'api', onRefusal }: GuardOptions,
  adapt: (guard: Guard) => Middleware,
): Guards<Middleware> {
  const challenge = new Challenge(realm)
  const verify = verifyOnce(verifier, challenge)

  const guard = (check: Check, withoutToken?: Refusal): Middleware =>
    adapt(async (request) => {
      const verdict = await verify(request)
      const refusal = verdict.refusal ?? (verdict.user ? check(verdict.user) : withoutToken)
      if (!refusal) return verdict
      try {
        const result: unknown = onRefusal?.(refusal)
        // The response does not wait for it, and its rejection must not end the process.
        if (result instanceof Promise) result.catch(() => undefined)
      } catch (error) {
        throw asError(error)
      }
      return { refusal }
    })

  return {
    requireUser: guard(() => undefined, challenge.noToken()),
    optionalUser: guard(() => undefined),
    requireScope(...scopes) {
      assertScopes(scopes)
      const refusal = challenge.insufficientScope(scopes.join(' '))
      const check: Check = ({ scope = '' }) => {
        const given = scope.split(' ')
        return scopes.every((one) => given.includes(one)) ? undefined : refusal
      }
      return guard(check, challenge.noToken())
    },
    requireRole(...roles) {
      if (roles.length === 0) throw new TypeError('requireRole: name at least one role')
      const refusal = challenge.insufficientRole()
      const check: Check = ({ roles: given = [] }) =>
        roles.some((role) => given.includes(role)) ? undefined : refusal
      return guard(check, challenge.noToken())
    },
  }
}
