/**
 * Whether the caller has this version already: RFC 9110 §13.1.2, weak comparison. Koa's `ctx.fresh` would
 * not do: it takes `Cache-Control: no-cache` for a wish to have everything again, and Node's fetch sends
 * that with every If-None-Match.
 */
export function isKnown(ifNoneMatch: string | undefined, etag: string): boolean {
  if (!ifNoneMatch) return false
  const known = ifNoneMatch.split(',').map(withoutWeakness)
  return known.includes(withoutWeakness(etag)) || ifNoneMatch.trim() === '*'
}

const withoutWeakness = (etag: string): string => etag.trim().replace(/^W\//, '')
