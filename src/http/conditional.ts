import { createHash } from 'node:crypto'
import type { Context } from './context.ts'

/** Answers with a public document, or with 304 when the caller has it already (RFC 9110 §13). */
export function sendPublic(ctx: Context, body: string, maxAgeSeconds: number): void {
  const etag = `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"`
  ctx.set({ etag, 'cache-control': `public, max-age=${maxAgeSeconds}` })
  ctx.type = 'application/json; charset=utf-8'
  ctx.status = 200
  if (has(ctx.get('if-none-match'), etag)) ctx.status = 304
  else ctx.body = body
}

/**
 * RFC 9110 §13.1.2, weak comparison. Koa's `ctx.fresh` would not do: it takes `Cache-Control: no-cache`
 * for a wish to have everything again, and Node's fetch sends that with every If-None-Match.
 */
function has(ifNoneMatch: string, etag: string): boolean {
  const known = ifNoneMatch.split(',').map((one) => one.trim().replace(/^W\//, ''))
  return known.includes(etag) || ifNoneMatch.trim() === '*'
}
