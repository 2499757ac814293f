import getRawBody from 'raw-body'
import { OAuthError } from '../oauth/error.ts'
import { Params } from '../oauth/params.ts'
import type { Context, Middleware } from './context.ts'

/** The largest body that is read, in bytes. No honest request is larger. */
const maxBytes = 16 * 1024

const formType = /^application\/x-www-form-urlencoded\s*(;\s*charset\s*=\s*"?utf-8"?\s*)?$/i

/** How an API words its errors about bodies. */
interface BodyErrors {
  tooLarge(maxBytes: number): Error
  broken(detail: string, cause?: unknown): Error
}

/** Reads a body of bounded size. A compressed one is refused: it could be a thousand times larger inside. */
export async function readBody(ctx: Context, { tooLarge, broken }: BodyErrors): Promise<Buffer> {
  if (!['', 'identity'].includes(ctx.get('content-encoding').toLowerCase())) {
    throw broken('compressed bodies are not supported')
  }
  const length = ctx.get('content-length')
  try {
    return await getRawBody(ctx.req, { limit: maxBytes, ...(length !== '' && { length }) })
  } catch (cause) {
    if ((cause as { type?: string }).type !== 'entity.too.large') {
      throw broken('the body did not arrive completely', cause)
    }
    // The rest of the body is not read, so the connection ends with the answer.
    ctx.set('connection', 'close')
    throw tooLarge(maxBytes)
  }
}

/** Reads the parameters of RFC 6749 §3.2 into `ctx.state.params`. */
export const form: Middleware = async (ctx, next) => {
  ctx.state.params = await readParams(ctx)
  return next()
}

/**
 * The same as an object for a schema; `__proto__` is a name like any other.
 * @param mayHaveQuery true for a page: its URL is also the address of what it answers
 */
export async function readForm(
  ctx: Context,
  { mayHaveQuery = true }: { readonly mayHaveQuery?: boolean } = {},
): Promise<Record<string, string>> {
  if (!mayHaveQuery) refuseQuery(ctx)
  const fields: Record<string, string> = Object.create(null)
  for (const [name, [value = '']] of Params.parse(await formBody(ctx)).entries())
    fields[name] = value
  return { ...fields }
}

/** The parameters of a form, for an endpoint that also takes other bodies. */
export const readFormParams = (ctx: Context): Promise<Params> => readParams(ctx)

/**
 * The parameters of an authorization request: in the query of a GET, in the form of a POST (RFC 6749 §3.1).
 * Repeated names are kept, because the client is told of them.
 */
export async function readAuthorizationParams(ctx: Context): Promise<Params> {
  if (ctx.method === 'POST') return readParams(ctx, Params.parseAll)
  return Params.parseAll(Buffer.from(ctx.querystring))
}

/** URLs end up in logs and histories (ASVS 14.2.1). */
function refuseQuery(ctx: Context): void {
  if (ctx.querystring === '') return
  throw new OAuthError('invalid_request', 'send parameters in the request body, not in the URL')
}

async function readParams(ctx: Context, parse = Params.parse): Promise<Params> {
  refuseQuery(ctx)
  return parse(await formBody(ctx))
}

/** The body of a form. No step of its own: the token endpoint waits for it with every request. */
function formBody(ctx: Context): Promise<Buffer> {
  if (!formType.test(ctx.get('content-type'))) {
    throw new OAuthError('invalid_request', 'the body must be application/x-www-form-urlencoded')
  }
  return readBody(ctx, {
    tooLarge: (bytes) =>
      new OAuthError('invalid_request', `the body is larger than ${bytes} bytes`, { status: 413 }),
    broken: (description, cause) => new OAuthError('invalid_request', description, { cause }),
  })
}
