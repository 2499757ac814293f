import cors from '@koa/cors'
import type { Context, Middleware } from './context.ts'
import type { Fields } from './security-headers.ts'

/**
 * Public documents are for everybody's scripts; everything else only for those of the origins on the
 * list. Cookies may go along to the JSON API alone: cookie mode needs them there.
 */
export function crossOrigin(allowed: readonly string[]): Middleware {
  const isListed = (origin: string) => allowed.includes(origin)
  const options = {
    allowMethods: 'GET,HEAD,POST,PATCH,DELETE',
    allowHeaders: 'Authorization,Content-Type',
    exposeHeaders,
    maxAge: 600,
  }
  const answer = cors({
    ...options,
    origin: (ctx) => {
      if (ctx.state.group.scripts === 'everyone') return '*'
      const origin = ctx.get('origin')
      return isListed(origin) ? origin : ''
    },
    credentials: (ctx) =>
      ctx.state.group.scripts === 'listed-with-cookies' && isListed(ctx.get('origin')),
  }) as unknown as Middleware
  return (ctx, next) => {
    const isOpen = ctx.state.group.scripts === 'everyone'
    const isAsked = isOpen ? ctx.method === 'OPTIONS' : ctx.req.headers.origin !== undefined
    if (isAsked) return answer(ctx, next)
    // Nearly every other caller is no browser: all it has to be told is what caches have to know. What is
    // public is cached for everybody, whoever asked first.
    for (const [name, value] of isOpen ? openFields : closedFields) ctx.res.setHeader(name, value)
    return next()
  }
}

const exposeHeaders = 'ETag,RateLimit,RateLimit-Policy,Retry-After,WWW-Authenticate,X-Request-Id'

/** What every script may read, and every page embed. */
export const openFields: Fields = [
  ['vary', 'Origin'],
  ['access-control-allow-origin', '*'],
  ['access-control-expose-headers', exposeHeaders],
  ['cross-origin-resource-policy', 'cross-origin'],
]

const closedFields: Fields = [['vary', 'Origin']]

/** For documents that other origins may embed as well as fetch. */
export const publicDocument: Middleware = (ctx: Context, next) => {
  ctx.set('cross-origin-resource-policy', 'cross-origin')
  return next()
}
