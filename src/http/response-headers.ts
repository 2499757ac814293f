import type { Middleware } from './context.ts'

/** Header names and values, in pairs. */
export type Fields = readonly (readonly [name: string, value: string])[]

/** For answers that are data: a browser that shows one as a page loads nothing. */
const dataPolicy = "default-src 'none'; base-uri 'none'; frame-ancestors 'none'"

/**
 * The security headers of a group: nothing may be framed, sniffed or embedded (ASVS 3.2.1, 3.4).
 * HSTS is sent only where the issuer is https, because it would lock `localhost` to https.
 * @param contentSecurityPolicy other than that of data, for groups of pages
 * @param others replace the fields of the same name
 */
export const securityFields = (
  { https }: { readonly https: boolean },
  contentSecurityPolicy = dataPolicy,
  others: Readonly<Record<string, string>> = {},
): Fields =>
  Object.entries({
    'content-security-policy': contentSecurityPolicy,
    'cross-origin-opener-policy': 'same-origin',
    'cross-origin-resource-policy': 'same-origin',
    'referrer-policy': 'no-referrer',
    'x-content-type-options': 'nosniff',
    'x-frame-options': 'DENY',
    ...(https && { 'strict-transport-security': 'max-age=31536000; includeSubDomains' }),
    ...others,
  })

/**
 * For the pages of a sign-in. With `no-referrer` browsers send `Origin: null` with the forms of this server
 * itself; with any opener policy an app that signs in through a popup loses its hold of it.
 */
export const flowFields: Readonly<Record<string, string>> = {
  'referrer-policy': 'same-origin',
  'cross-origin-opener-policy': 'unsafe-none',
  'cache-control': 'no-store',
}

/** For the pages of an account, which no app opens in a popup: they keep the opener policy. */
export const accountFields: Readonly<Record<string, string>> = {
  'referrer-policy': 'same-origin',
  'cache-control': 'no-store',
}

/** RFC 6749 §5.1: an answer that holds a token, or describes one, is stored nowhere. */
export const noStore: Fields = [
  ['cache-control', 'no-store'],
  ['pragma', 'no-cache'],
]

/** Sets fields that a handler may still replace. */
export const setFields =
  (fields: Fields): Middleware =>
  (ctx, next) => {
    for (const [name, value] of fields) ctx.res.setHeader(name, value)
    return next()
  }
