import type { Middleware } from './context.ts'

/**
 * What every answer carries: it is data and never a page, it may not be framed, sniffed or embedded
 * (ASVS 3.2.1, 3.4). HSTS only where the issuer is https: on a laptop it would lock the host name.
 */
export function securityHeaders({ https }: { readonly https: boolean }): Middleware {
  const headers = Object.entries({
    'content-security-policy': "default-src 'none'; base-uri 'none'; frame-ancestors 'none'",
    'cross-origin-opener-policy': 'same-origin',
    'cross-origin-resource-policy': 'same-origin',
    'referrer-policy': 'no-referrer',
    'x-content-type-options': 'nosniff',
    'x-frame-options': 'DENY',
    ...(https && { 'strict-transport-security': 'max-age=31536000; includeSubDomains' }),
  })
  return (ctx, next) => {
    for (const [name, value] of headers) ctx.res.setHeader(name, value)
    return next()
  }
}
