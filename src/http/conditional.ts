import { createHash } from 'node:crypto'
import type { Context } from './context.ts'

/** Answers with a public document, or with 304 when the caller has it already (RFC 9110 §13). */
export function sendPublic(ctx: Context, body: string, maxAgeSeconds: number): void {
  const etag = `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"`
  ctx.set({ etag, 'cache-control': `public, max-age=${maxAgeSeconds}` })
  ctx.type = 'application/json; charset=utf-8'
  ctx.status = 200
  if (isKnown(ctx, etag)) ctx.status = 304
  else ctx.body = body
}

/**
 * RFC 9110 §13.1.2, weak comparison. Koa's `ctx.fresh` would not do: it takes `Cache-Control: no-cache`
 * for a wish to have everything again, and Node's fetch sends that with every If-None-Match.
 */
export function isKnown(ctx: Context, etag: string): boolean {
  const ifNoneMatch = ctx.get('if-none-match')
  const known = ifNoneMatch.split(',').map(withoutWeakness)
  return known.includes(withoutWeakness(etag)) || ifNoneMatch.trim() === '*'
}

const withoutWeakness = (etag: string): string => etag.trim().replace(/^W\//, '')
