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

interface AllowedOrigins {
  readonly listed: readonly string[]
  /** Those of apps, which change while the server runs. Their scripts may never send cookies. */
  readonly isOfApp?: (origin: string) => Promise<boolean>
  /** True if scripts of the listed origins may send cookies, which cookie mode of the JSON API needs. */
  readonly cookies: boolean
}

/** For everything else: only scripts of these origins may read the answers. */
export function allowOrigins({ listed: list, isOfApp, cookies }: AllowedOrigins): Middleware {
  const listed: ReadonlySet<string> = new Set(list)
  const isAllowed = async (origin: string) =>
    listed.has(origin) || ((await isOfApp?.(origin)) ?? false)
  const answer = cors({
    ...options,
    origin: async (ctx) => ((await isAllowed(ctx.get('origin'))) ? ctx.get('origin') : ''),
    credentials: (ctx) => cookies && listed.has(ctx.get('origin')),
  }) as unknown as Middleware
  return (ctx: Context, next) => {
    if (ctx.req.headers.origin !== undefined) return answer(ctx, next)
    // Most callers are no browsers. Caches must know that the answer depends on the Origin.
    ctx.res.setHeader('vary', 'Origin')
    return next()
  }
}
