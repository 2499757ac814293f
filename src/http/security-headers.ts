import type { Middleware } from './context.ts'

/** Names and values, in pairs. */
export type Fields = readonly (readonly [name: string, value: string])[]

/**
 * What every answer carries: it is data and never a page, it may not be framed, sniffed or embedded
 * (ASVS 3.2.1, 3.4). HSTS only where the issuer is https: on a laptop it would lock the host name.
 */
export const securityFields = ({ https }: { readonly https: boolean }): Fields =>
  Object.entries({
    'content-security-policy': "default-src 'none'; base-uri 'none'; frame-ancestors 'none'",
    'cross-origin-opener-policy': 'same-origin',
    'cross-origin-resource-policy': 'same-origin',
    'referrer-policy': 'no-referrer',
    'x-content-type-options': 'nosniff',
    'x-frame-options': 'DENY',
    ...(https && { 'strict-transport-security': 'max-age=31536000; includeSubDomains' }),
  })

export const securityHeaders =
  (fields: Fields): Middleware =>
  (ctx, next) => {
    for (const [name, value] of fields) ctx.res.setHeader(name, value)
    return next()
  }
