import { createHash } from 'node:crypto'
import type { Context } from './context.ts'

/** Answers with a public document, or with 304 when the caller has it already (RFC 9110 §13). */
export function sendPublic(ctx: Context, body: string, maxAgeSeconds: number): void {
  const etag = etagOf(body)
  ctx.set({ etag, 'cache-control': `public, max-age=${maxAgeSeconds}` })
  ctx.type = 'application/json; charset=utf-8'
  ctx.status = 200
  if (isKnown(ctx, etag)) ctx.status = 304
  else ctx.body = body
}

/** Of documents that are served again and again; larger ones are not held on to. */
const etags = new Map<string, string>()
const mostEtags = 16
const mostLetters = 16_384

function etagOf(body: string): string {
  const known = etags.get(body)
  if (known !== undefined) return known
  const etag = `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"`
  if (etags.size >= mostEtags) etags.clear()
  if (body.length <= mostLetters) etags.set(body, etag)
  return etag
}

/**
 * RFC 9110 §13.1.2, weak comparison. Koa's `ctx.fresh` would not do: it takes `Cache-Control: no-cache`
 * for a wish to have everything again, and Node's fetch sends that with every If-None-Match.
 */
export function isKnown(ctx: Context, etag: string): boolean {
  const ifNoneMatch = ctx.get('if-none-match')
  if (ifNoneMatch === '') return false
  const known = ifNoneMatch.split(',').map(withoutWeakness)
  return known.includes(withoutWeakness(etag)) || ifNoneMatch.trim() === '*'
}

const withoutWeakness = (etag: string): string => etag.trim().replace(/^W\//, '')
