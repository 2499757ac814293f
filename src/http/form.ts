import { OAuthError } from '../oauth/error.ts'
import { Params } from '../oauth/params.ts'
import type { Context, Middleware } from './context.ts'
import { readBody } from './read-body.ts'

const formType = /^application\/x-www-form-urlencoded\s*(;\s*charset\s*=\s*"?utf-8"?\s*)?$/i

/** Reads the parameters of RFC 6749 §3.2, for the doors behind. */
export const form: Middleware = async (ctx, next) => {
  ctx.state.params = await readParams(ctx)
  return next()
}

/** The same as an object for a schema. Its prototype is null: `__proto__` is a name like any other. */
export async function readForm(ctx: Context): Promise<Record<string, string>> {
  const fields: Record<string, string> = Object.create(null)
  for (const [name, [value = '']] of (await readParams(ctx)).entries()) fields[name] = value
  return { ...fields }
}

/**
 * Parameters come from the body and from nowhere else: in a URL they would end up in logs and
 * histories (ASVS 14.2.1).
 */
async function readParams(ctx: Context): Promise<Params> {
  if (ctx.querystring !== '') {
    throw new OAuthError('invalid_request', 'parameters belong into the body, none into the URL')
  }
  if (!formType.test(ctx.get('content-type'))) {
    throw new OAuthError('invalid_request', 'the body must be application/x-www-form-urlencoded')
  }
  const body = await readBody(ctx, {
    tooLarge: (bytes) =>
      new OAuthError('invalid_request', `the body is larger than ${bytes} bytes`, { status: 413 }),
    broken: (description, cause) => new OAuthError('invalid_request', description, { cause }),
  })
  return Params.parse(body)
}
