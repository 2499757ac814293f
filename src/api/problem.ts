import type { Context } from '../http/context.ts'
import { asOAuthError, type ErrorFormat, type Refusal } from '../http/error-boundary.ts'
import { ThrottledError, throttledFields } from '../throttle/throttled.ts'

/** One invalid field of a request; `pointer` is a JSON Pointer into the body (RFC 6901). */
export interface FieldProblem {
  readonly pointer: string
  readonly detail: string
}

/** Status and title of each problem type. RFC 9457: types are stable and have one title each. */
export const problems = {
  'malformed-request': [400, 'The request is malformed'],
  'unusable-token': [400, 'The link or code is no longer valid'],
  unauthenticated: [401, 'Authentication required'],
  'wrong-credentials': [401, 'Wrong username or password'],
  forbidden: [403, 'Not allowed'],
  'password-change-required': [403, 'Password change required'],
  'foreign-origin': [403, 'Requests from this origin are not allowed'],
  'not-found': [404, 'Not found'],
  'method-not-allowed': [405, 'Method not allowed'],
  conflict: [409, 'Conflict with the current state'],
  'too-large': [413, 'The request is too large'],
  'unsupported-media-type': [415, 'The body must be JSON'],
  'invalid-fields': [422, 'Some fields are invalid'],
  'too-many-requests': [429, 'Too many attempts'],
  'internal-error': [500, 'The server met an unexpected condition'],
  unavailable: [503, 'The server cannot answer now'],
} as const

type ProblemType = keyof typeof problems

interface ProblemOptions {
  /** The error of this request, in one sentence for the caller. */
  readonly detail?: string
  readonly errors?: readonly FieldProblem[]
  readonly headers?: Readonly<Record<string, string>>
  /** For the log alone. */
  readonly cause?: unknown
  /** For the log alone: the session that a genuine token names. */
  readonly sid?: string | undefined
}

/** An error of the JSON API in the form of RFC 9457. Its cause is logged and not sent. */
export class Problem extends Error {
  override readonly name = 'Problem'
  readonly type: ProblemType
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly sid: string | undefined
  readonly #options: ProblemOptions

  constructor(type: ProblemType, options: ProblemOptions = {}) {
    const [status, title] = problems[type]
    super(
      options.detail ?? title,
      options.cause === undefined ? undefined : { cause: options.cause },
    )
    this.type = type
    this.status = status
    this.headers = options.headers ?? {}
    this.sid = options.sid
    this.#options = options
  }

  get errors(): readonly FieldProblem[] {
    return this.#options.errors ?? []
  }

  /** The body of the answer, `application/problem+json`. */
  toJSON(): object {
    const [status, title] = problems[this.type]
    const { detail, errors } = this.#options
    return {
      type: `urn:signet:problem:${this.type}`,
      title,
      status,
      ...(detail !== undefined && { detail }),
      ...(errors && { errors }),
    }
  }
}

/** @param cause the error that a page words in its own language */
export const invalidField = (pointer: string, detail: string, cause?: Error): Problem =>
  new Problem('invalid-fields', { errors: [{ pointer, detail }], cause })

/** RFC 9457, the error format of the JSON API. */
export const problemErrors: ErrorFormat = {
  refusal: (ctx, error) => inProblem(asProblem(ctx, error)),
  notFound: () => inProblem(new Problem('not-found')),
  wrongMethod: (allow) =>
    inProblem(
      new Problem('method-not-allowed', { detail: `use one of: ${allow}`, headers: { allow } }),
    ),
}

const inProblem = (problem: Problem): Refusal => ({
  status: problem.status,
  headers: {
    // RFC 9110 §15.5.2: a 401 always says how to authenticate.
    ...(problem.status === 401 && { 'www-authenticate': 'Bearer realm="signet"' }),
    ...problem.headers,
  },
  type: 'application/problem+json; charset=utf-8',
  body: JSON.stringify(problem),
  code: problem.type,
  cause: problem.cause,
  sentence: problem.message,
  sid: problem.sid,
})

/** Any error as a problem. A bug is logged, and the problem says nothing about it. */
export function asProblem(ctx: Context, error: unknown): Problem {
  if (error instanceof Problem) return error
  if (error instanceof ThrottledError) {
    const { advice: detail } = error
    const headers = throttledFields(error)
    return new Problem('too-many-requests', { headers, cause: error, ...(detail && { detail }) })
  }
  const { status, headers, message, cause, sid } = asOAuthError(ctx, error)
  const type = typeOfStatus[status] ?? 'internal-error'
  return new Problem(type, { detail: message, headers, cause, sid })
}

const typeOfStatus: Readonly<Record<number, ProblemType>> = {
  400: 'malformed-request',
  401: 'unauthenticated',
  413: 'too-large',
  503: 'unavailable',
}
