import type { Middleware } from './context.ts'

/** RFC 6749 §5.1: whatever has a token in it, or tells something about one, is stored nowhere. */
export const noStore: Middleware = (ctx, next) => {
  ctx.res.setHeader('cache-control', 'no-store')
  ctx.res.setHeader('pragma', 'no-cache')
  return next()
}
