import type { ZodType, z } from 'zod'
import type { Context } from '../http/context.ts'
import { readBody } from '../http/request-body.ts'
import { Problem } from './problem.ts'

const jsonType = /^application\/json\s*(;\s*charset\s*=\s*"?utf-8"?\s*)?$/i

/** @throws Problem when the body is not JSON in UTF-8, is too large, or is compressed */
export async function readJson(ctx: Context): Promise<unknown> {
  if (!jsonType.test(ctx.get('content-type'))) throw new Problem('unsupported-media-type')
  const body = await readBody(ctx, {
    tooLarge: (bytes) => new Problem('too-large', { detail: `at most ${bytes} bytes` }),
    broken: (detail, cause) => new Problem('malformed-request', { detail, cause }),
  })
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(body)
    const value = JSON.parse(text, storable)
    // RFC 8259 §4: with two members of the same name, two readers may see two different requests.
    if (hasDuplicateMember(text)) throw malformed('an object has two members of the same name')
    return value
  } catch (cause) {
    if (cause instanceof Problem) throw cause
    throw new Problem('malformed-request', {
      detail: 'the body is not valid JSON',
      cause: positionOf(cause),
    })
  }
}

/** V8 quotes the text around an error, which may be a password; only the position is logged. */
function positionOf(error: unknown): string {
  if (!(error instanceof SyntaxError)) return 'not UTF-8'
  const [, position] = / at position (\d+)(?: \(line \d+ column \d+\))?$/.exec(error.message) ?? []
  return position === undefined ? 'not JSON' : `not JSON at position ${position}`
}

const malformed = (detail: string) => new Problem('malformed-request', { detail })

/** Refuses what PostgreSQL cannot store: NUL and unpaired surrogates. */
function storable(name: string, value: unknown): unknown {
  for (const text of [name, value]) {
    if (typeof text !== 'string' || !/[\0\p{Cs}]/u.test(text)) continue
    throw malformed('a string contains a NUL character or an unpaired surrogate')
  }
  return value
}

/** Finds equal member names also when they are escaped differently. The text is valid JSON. */
function hasDuplicateMember(text: string): boolean {
  const open: Set<string>[] = []
  for (const [token, member] of text.matchAll(/("(?:[^"\\]|\\.)*")\s*:|"(?:[^"\\]|\\.)*"|[{}]/g)) {
    if (token === '{') open.push(new Set())
    else if (token === '}') open.pop()
    else if (member !== undefined) {
      const name: string = JSON.parse(member)
      if (open.at(-1)?.has(name)) return true
      open.at(-1)?.add(name)
    }
  }
  return false
}

/**
 * Checks input against its schema.
 * @throws Problem `invalid-fields` that lists every invalid field
 */
export function checked<Schema extends ZodType>(schema: Schema, value: unknown): z.output<Schema> {
  const result = schema.safeParse(value)
  if (result.success) return result.data
  throw new Problem('invalid-fields', {
    errors: result.error.issues.flatMap((issue) => {
      // Each unknown member is an error, so nothing is assigned by guessing names.
      const names = issue.code === 'unrecognized_keys' ? issue.keys : [undefined]
      return names.map((name) => ({
        pointer: pointerTo(name === undefined ? issue.path : [...issue.path, name]),
        detail: name === undefined ? issue.message : 'unknown field',
      }))
    }),
  })
}

const pointerTo = (path: readonly PropertyKey[]): string =>
  path.map((part) => `/${String(part).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('')
