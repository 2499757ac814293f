import cors from '@koa/cors'
import type { Context, Middleware } from './context.ts'
import { type Fields, setFields } from './response-headers.ts'

const exposeHeaders = 'ETag,RateLimit,RateLimit-Policy,Retry-After,WWW-Authenticate,X-Request-Id'

const options = {
  allowMethods: 'GET,HEAD,POST,PATCH,DELETE',
  allowHeaders: 'Authorization,Content-Type',
  exposeHeaders,
  maxAge: 600,
}

/** Headers of a document that every script may read and every page may embed. */
export const openFields: Fields = [
  ['vary', 'Origin'],
  ['access-control-allow-origin', '*'],
  ['access-control-expose-headers', exposeHeaders],
  ['cross-origin-resource-policy', 'cross-origin'],
]

/** For public documents. The answer is the same whether an Origin was sent or not, so caches can share it. */
export function allowEveryOrigin(): Middleware {
  const preflight = cors({ ...options, origin: () => '*' }) as unknown as Middleware
  const answer = setFields(openFields)
  return (ctx, next) => (ctx.method === 'OPTIONS' ? preflight(ctx, next) : answer(ctx, next))
}

/**
 * For everything else: only scripts of the listed origins may read the answers.
 * @param cookies whether they may send cookies, which cookie mode of the JSON API needs
 */
export function allowListedOrigins(
  allowed: readonly string[],
  { cookies }: { readonly cookies: boolean },
): Middleware {
  const listed: ReadonlySet<string> = new Set(allowed)
  const answer = cors({
    ...options,
    origin: (ctx) => (listed.has(ctx.get('origin')) ? ctx.get('origin') : ''),
    credentials: (ctx) => cookies && listed.has(ctx.get('origin')),
  }) as unknown as Middleware
  return (ctx: Context, next) => {
    if (ctx.req.headers.origin !== undefined) return answer(ctx, next)
    // Most callers are no browsers. Caches must know that the answer depends on the Origin.
    ctx.res.setHeader('vary', 'Origin')
    return next()
  }
}
