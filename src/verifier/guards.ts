import { type BearerRequest, readBearer } from './bearer-header.ts'
import { asError, assertScopes, Challenge, type Refusal } from './challenge.ts'
import type { AccessTokenClaims } from './claims.ts'
import type { Verifier } from './verifier.ts'

export interface GuardOptions {
  /** Named in every challenge. Default: api. */
  readonly realm?: string
  /** Told of every refusal with its reason, which the caller does not see: for logs and metrics. */
  readonly onRefusal?: (refusal: Refusal) => void
}

/** The middlewares of one framework. */
export interface Guards<Middleware> {
  /** Refuses who has no good token. */
  readonly requireUser: Middleware
  /** Lets pass who has no token at all; a bad one is refused. */
  readonly optionalUser: Middleware
  /** Refuses whose token lacks one of these scopes. */
  requireScope(...scopes: string[]): Middleware
  /** Refuses who has none of these roles. */
  requireRole(...roles: string[]): Middleware
}

/** Whose request it is: nobody's, when there was no token. */
type Verdict =
  | { readonly refusal: Refusal }
  | { readonly refusal?: undefined; readonly user: AccessTokenClaims | undefined }

/** A door, whatever the framework: decides on a request. Throws what is a mistake and no refusal. */
export type Door = (request: BearerRequest) => Promise<Verdict>

interface Seen {
  readonly authorization: string | undefined
  readonly verdict: Promise<Verdict>
}

/**
 * Verifies a request once, however many doors it passes. What is remembered hangs on the request
 * itself, not on `user`, which anybody could have set.
 */
function verifyOnce(verifier: Pick<Verifier, 'verify'>, challenge: Challenge): Door {
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
    // Whoever changes the header on the way asks another question.
    if (before && before.authorization === authorization) return before.verdict
    const verdict = verify(request)
    seen.set(request, { authorization, verdict })
    return verdict
  }
}

/** What a door asks of somebody whose token is good. */
type Check = (user: AccessTokenClaims) => Refusal | undefined

/** Makes the doors of one verifier; `adapt` makes one the framework's own. */
export function createGuards<Middleware>(
  verifier: Pick<Verifier, 'verify'>,
  { realm = 'api', onRefusal }: GuardOptions,
  adapt: (guard: Door) => Middleware,
): Guards<Middleware> {
  const challenge = new Challenge(realm)
  const ask = verifyOnce(verifier, challenge)

  const guard = (check: Check, stranger?: Refusal): Middleware =>
    adapt(async (request) => {
      const verdict = await ask(request)
      const refusal = verdict.refusal ?? (verdict.user ? check(verdict.user) : stranger)
      if (!refusal) return verdict
      try {
        const told: unknown = onRefusal?.(refusal)
        // The answer does not wait for it, and its rejection must not end the process.
        if (told instanceof Promise) told.catch(() => undefined)
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
