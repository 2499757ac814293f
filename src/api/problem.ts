/** One field of a request that is wrong; `pointer` is a JSON Pointer into the body (RFC 6901). */
export interface FieldProblem {
  readonly pointer: string
  readonly detail: string
}

/** The problems that the JSON API knows: RFC 9457 wants each type stable, with one title. */
export const problems = {
  'malformed-request': [400, 'The request cannot be read'],
  'unusable-token': [400, 'The link or code is not valid any more'],
  unauthenticated: [401, 'Sign in first'],
  'wrong-credentials': [401, 'The username or the password is wrong'],
  forbidden: [403, 'Not allowed'],
  'password-change-required': [403, 'A new password is needed first'],
  'foreign-origin': [403, 'This page may not do that'],
  'not-found': [404, 'There is nothing here'],
  'method-not-allowed': [405, 'This method is not offered here'],
  conflict: [409, 'That does not fit what is there'],
  'too-large': [413, 'The request is too large'],
  'unsupported-media-type': [415, 'The body must be JSON'],
  'invalid-fields': [422, 'Some fields are wrong'],
  'too-many-requests': [429, 'Too many attempts'],
  'internal-error': [500, 'The server met an unexpected condition'],
  unavailable: [503, 'The server cannot answer now'],
} as const

export type ProblemType = keyof typeof problems

export interface ProblemOptions {
  /** What is wrong this time; goes out. */
  readonly detail?: string
  readonly errors?: readonly FieldProblem[]
  readonly headers?: Readonly<Record<string, string>>
  /** What the log should know and the caller should not. */
  readonly cause?: unknown
}

/** A refusal of the JSON API in the form of RFC 9457. The cause stays in the log. */
export class Problem extends Error {
  override readonly name = 'Problem'
  readonly type: ProblemType
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
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

export const invalidField = (pointer: string, detail: string): Problem =>
  new Problem('invalid-fields', { errors: [{ pointer, detail }] })
