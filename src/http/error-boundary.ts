import { Problem, type ProblemType } from '../api/problem.ts'
import { OAuthError } from '../oauth/error.ts'
import { OverloadedError } from '../passwords/bulkhead.ts'
import { isUnavailable, whatToDo } from '../stores/unavailable.ts'
import type { Metrics } from '../telemetry/metrics.ts'
import { ThrottledError, throttledFields } from '../throttle/throttled.ts'
import type { Context, Middleware } from './context.ts'

/** Seconds after which a caller may try again when the database was away. */
const retryAfterSeconds = 5

/** What both APIs can say, each in its own form. */
interface Refusal {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly cause?: unknown
  toJSON(): object
}

/**
 * The one place that turns errors into answers, in the format of the route's group. What was
 * meant for the caller goes out; a bug answers blankly and is logged whole, once.
 */
export function errorBoundary({ metrics }: { readonly metrics: Metrics }): Middleware {
  return async (ctx, next) => {
    try {
      await next()
      if (ctx.status === 404 && ctx.body === undefined) answer(ctx, nothingHere(ctx))
      if (ctx.status === 405 || ctx.status === 501) answer(ctx, wrongMethod(ctx))
    } catch (error) {
      if (error instanceof ThrottledError) noteThrottled(ctx, metrics, error)
      const refusal = speaksProblems(ctx) ? asProblem(ctx, error) : asOAuthError(ctx, error)
      const { cause } = refusal
      if (cause !== undefined)
        ctx.state.facts.cause = cause instanceof Error ? cause.message : cause
      answer(ctx, refusal)
    }
  }
}

/** ASVS 16.3.3: an attempt to go around a limit leaves a trace. */
function noteThrottled(
  ctx: Context,
  metrics: Metrics,
  { quota: { policy } }: ThrottledError,
): void {
  ctx.state.facts.policy = policy
  metrics.throttled.inc({ policy })
}

const speaksProblems = (ctx: Context): boolean => ctx.state.group.errors === 'problem'

function answer(ctx: Context, refusal: Refusal): void {
  ctx.status = refusal.status
  // RFC 9110 §15.5.2: a 401 always says how to do it right.
  if (refusal.status === 401 && refusal instanceof Problem) {
    ctx.set('www-authenticate', 'Bearer realm="signet"')
  }
  ctx.set({ ...refusal.headers, 'cache-control': 'no-store' })
  ctx.body = JSON.stringify(refusal)
  ctx.type = `application/${refusal instanceof Problem ? 'problem+json' : 'json'}; charset=utf-8`
  ctx.state.facts.error =
    refusal instanceof Problem ? refusal.type : (refusal as { code?: string }).code
}

export function asProblem(ctx: Context, error: unknown): Problem {
  if (error instanceof Problem) return error
  if (error instanceof ThrottledError) {
    const { advice: detail } = error
    const headers = throttledFields(error)
    return new Problem('too-many-requests', { headers, cause: error, ...(detail && { detail }) })
  }
  const { status, headers, message, cause } = asOAuthError(ctx, error)
  const types: Record<number, ProblemType> = {
    400: 'malformed-request',
    401: 'unauthenticated',
    413: 'too-large',
    503: 'unavailable',
  }
  return new Problem(types[status] ?? 'internal-error', { detail: message, headers, cause })
}

function asOAuthError(ctx: Context, error: unknown): OAuthError {
  if (error instanceof OAuthError) return error
  if (error instanceof ThrottledError) {
    const options = { status: 429, headers: throttledFields(error), cause: error }
    return new OAuthError('temporarily_unavailable', 'too many attempts, try again later', options)
  }
  if (error instanceof OverloadedError) {
    return unavailable('the server is busy, try again later', error.retryAfterSeconds, error)
  }
  if (isUnavailable(error)) {
    // In an outage every request comes here: one line for each, that of the request, has it all.
    ctx.state.facts.advice = whatToDo(error)
    return unavailable('the server cannot answer now, try again later', retryAfterSeconds, error)
  }
  ctx.state.log.error({ err: error }, 'a request failed by a mistake of this server')
  return new OAuthError('server_error', 'the server met an unexpected condition')
}

const unavailable = (description: string, seconds: number, cause: unknown) =>
  new OAuthError('temporarily_unavailable', description, {
    cause,
    headers: { 'retry-after': String(seconds) },
  })

function nothingHere(ctx: Context): Refusal {
  if (speaksProblems(ctx)) return new Problem('not-found')
  const body = { error: 'not_found', error_description: 'there is nothing at this address' }
  return { status: 404, headers: {}, toJSON: () => body }
}

/** The router knows the methods of a path and has set Allow. */
function wrongMethod(ctx: Context): Refusal {
  const allow = ctx.response.get('allow')
  if (allow === '') {
    ctx.remove('allow')
    return nothingHere(ctx)
  }
  const detail = `use one of: ${allow}`
  if (speaksProblems(ctx)) return new Problem('method-not-allowed', { detail, headers: { allow } })
  return new OAuthError('invalid_request', detail, { status: 405, headers: { allow } })
}
