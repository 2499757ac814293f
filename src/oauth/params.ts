import { OAuthError } from './error.ts'

/** Parameters that RFC 8707 §2 and RFC 8693 §2.1 allow to be repeated. */
const repeatable: ReadonlySet<string> = new Set(['resource', 'audience'])

const mostParameters = 64

/**
 * The parameters of one request, RFC 6749 §3.2: a parameter without a value counts as omitted, an
 * unknown one is ignored, and others must not be repeated. A Map, so that `__proto__` is a plain name.
 */
export class Params {
  readonly #values: ReadonlyMap<string, readonly string[]>
  /** Names that were repeated although they must not be; empty unless they were to be kept. */
  readonly repeated: ReadonlySet<string>

  private constructor(
    values: ReadonlyMap<string, readonly string[]>,
    repeated: ReadonlySet<string>,
  ) {
    this.#values = values
    this.repeated = repeated
  }

  /** Reads an `application/x-www-form-urlencoded` body as RFC 6749 appendix B defines it: UTF-8 only. */
  static parse(body: Uint8Array): Params {
    const params = Params.parseAll(body)
    if (params.repeated.size > 0) throw invalid('a parameter is repeated')
    return params
  }

  /** The same, but keeps the names that are repeated, for an endpoint that answers by redirect. */
  static parseAll(body: Uint8Array): Params {
    const repeated = new Set<string>()
    const values = new Map<string, string[]>()
    const pairs = utf8(body).split('&')
    if (pairs.length > mostParameters) throw invalid('too many parameters')
    for (const pair of pairs) {
      const at = pair.indexOf('=')
      if (at < 1) {
        if (pair === '' || at < 0) continue
        throw invalid('a parameter has no name')
      }
      const name = formDecode(pair.slice(0, at))
      const value = formDecode(pair.slice(at + 1))
      if (value === '') continue
      const earlier = values.get(name)
      if (earlier && !repeatable.has(name)) repeated.add(name)
      if (earlier) earlier.push(value)
      else values.set(name, [value])
    }
    return new Params(values, repeated)
  }

  get(name: string): string | undefined {
    return this.#values.get(name)?.[0]
  }

  has(name: string): boolean {
    return this.#values.has(name)
  }

  all(name: string): readonly string[] {
    return this.#values.get(name) ?? []
  }

  /** All parameters, for a schema. */
  entries(): IterableIterator<[string, readonly string[]]> {
    return this.#values.entries()
  }

  require(name: string): string {
    const value = this.get(name)
    if (value === undefined) throw invalid(`the parameter ${name} is missing`)
    return value
  }
}

/** One form-encoded name or value; also the halves of HTTP Basic credentials (RFC 6749 §2.3.1). */
export function formDecode(encoded: string): string {
  const text = encoded.replaceAll('+', ' ')
  if (!text.includes('%')) return plain(text)
  try {
    return plain(decodeURIComponent(text))
  } catch (cause) {
    if (cause instanceof OAuthError) throw cause
    throw invalid('a parameter is not valid percent-encoded UTF-8', cause)
  }
}

/** PostgreSQL cannot store NUL, and no legitimate parameter contains it. */
function plain(text: string): string {
  if (text.includes('\0')) throw invalid('a parameter holds a NUL character')
  return text
}

function utf8(body: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(body)
  } catch (cause) {
    throw invalid('the body is not valid UTF-8', cause)
  }
}

const invalid = (description: string, cause?: unknown) =>
  new OAuthError('invalid_request', description, { cause })
