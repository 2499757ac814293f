import { OAuthError } from '../oauth/error.ts'
import { OverloadedError } from '../passwords/bulkhead.ts'
import { isUnavailable, outageOf } from '../stores/unavailable.ts'
import type { Metrics } from '../telemetry/metrics.ts'
import { ThrottledError, throttledFields } from '../throttle/throttled.ts'
import type { Context, Middleware } from './context.ts'

/** Seconds after which a caller may try again when the database did not answer. */
const retryAfterSeconds = 5

/** An error as its caller reads it. */
export interface Refusal {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  /** Content-Type */
  readonly type: string
  readonly body: string
  /** The sentence of the body that says what is wrong. */
  readonly sentence?: string
  /** The error code or problem type, for the log. */
  readonly code?: string | undefined
  /** For the log alone. */
  readonly cause?: unknown
  /** For the log alone: the session that the request is about. */
  readonly sid?: string | undefined
}

/** How the routes of a group word their errors. */
export interface ErrorFormat {
  /** The answer for any error of a handler. A bug is logged, and its answer has no details. */
  refusal(ctx: Context, error: unknown): Refusal
  notFound(ctx: Context): Refusal
  /** @param allow the methods of the path, as in the header of that name */
  wrongMethod(allow: string, ctx: Context): Refusal
}

interface Dependencies {
  readonly metrics: Metrics
  readonly errors: ErrorFormat
}

/** The one place that turns errors into answers, in the format of the route's group. */
export function errorBoundary({ metrics, errors }: Dependencies): Middleware {
  return async (ctx, next) => {
    try {
      await next()
      if (ctx.status === 404 && ctx.body === undefined) answer(ctx, errors.notFound(ctx))
      if (ctx.status === 405 || ctx.status === 501) answer(ctx, wrongMethod(ctx, errors))
    } catch (error) {
      if (error instanceof ThrottledError) noteThrottled(ctx, metrics, error)
      const refusal = errors.refusal(ctx, error)
      const { cause, sid } = refusal
      if (sid !== undefined) ctx.state.facts.sid = sid
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

function answer(ctx: Context, refusal: Refusal): void {
  const { status, headers, type, body, code, sentence } = refusal
  if (sentence !== undefined) ctx.state.sentence = sentence
  ctx.status = status
  ctx.set({ ...headers, 'cache-control': 'no-store' })
  ctx.body = body
  ctx.type = type
  ctx.state.facts.error = code
}

/** The router knows the methods of a path and has set Allow. */
function wrongMethod(ctx: Context, errors: ErrorFormat): Refusal {
  const allow = ctx.response.get('allow')
  if (allow !== '') return errors.wrongMethod(allow, ctx)
  ctx.remove('allow')
  return errors.notFound(ctx)
}

/** RFC 6749 §5.2: `error` and `error_description`. */
export const oauthErrors: ErrorFormat = {
  refusal: (ctx, error) => inOAuth(asOAuthError(ctx, error)),
  notFound: () => ({
    status: 404,
    headers: {},
    type: jsonType,
    body: JSON.stringify({
      error: 'not_found',
      error_description: 'there is no resource at this address',
    }),
  }),
  wrongMethod: (allow) =>
    inOAuth(
      new OAuthError('invalid_request', `use one of: ${allow}`, {
        status: 405,
        headers: { allow },
      }),
    ),
}

const jsonType = 'application/json; charset=utf-8'

const inOAuth = (error: OAuthError): Refusal => ({
  status: error.status,
  headers: error.headers,
  type: jsonType,
  body: JSON.stringify(error),
  code: error.code,
  cause: error.cause,
  sentence: error.message,
  sid: error.sid,
})

/** The OAuth error for any error. A bug is logged here, once, with its stack. */
export function asOAuthError(ctx: Context, error: unknown): OAuthError {
  if (error instanceof OAuthError) return error
  if (error instanceof ThrottledError) {
    return new OAuthError('temporarily_unavailable', 'too many attempts, try again later', {
      status: 429,
      headers: throttledFields(error),
      cause: error,
    })
  }
  if (error instanceof OverloadedError) {
    return unavailable('the server is busy, try again later', error.retryAfterSeconds, error)
  }
  if (isUnavailable(error)) {
    const { cause, advice } = outageOf(error)
    ctx.state.facts.advice = advice
    ctx.state.outage = error
    return unavailable('the server cannot answer now, try again later', retryAfterSeconds, cause)
  }
  ctx.state.log.error({ err: error }, 'a request failed because of a bug in this server')
  return new OAuthError('server_error', 'the server met an unexpected condition')
}

const unavailable = (description: string, seconds: number, cause: unknown) =>
  new OAuthError('temporarily_unavailable', description, {
    cause,
    headers: { 'retry-after': String(seconds) },
  })
