import type { Context } from './context.ts'

/** `__Host-`: set by this host, over https, for every path (RFC 6265bis §4.1.3). */
export const accessCookie = '__Host-signet_access'

/** `__Host-` too, so that a sibling subdomain cannot set it. The price is that it is sent to every path. */
export const refreshCookie = '__Host-signet_refresh'

/** Used by the previous release, at one path. Remove it in the next release. */
export const formerRefreshCookie = '__Secure-signet_refresh'

/** Marks a browser in which this person has signed in before. */
export const deviceCookie = '__Secure-signet_device'

interface CookieOptions {
  readonly path: string
  /** 0 deletes the cookie. */
  readonly maxAgeSeconds: number
}

export const setCookie = (
  name: string,
  value: string,
  { path, maxAgeSeconds }: CookieOptions,
): string =>
  `${name}=${value}; Path=${path}; Max-Age=${maxAgeSeconds}; Secure; HttpOnly; SameSite=Strict`

/** The first cookie of that name. Our values need no decoding. */
export function readCookie(ctx: Context, name: string): string | undefined {
  for (const pair of ctx.get('cookie').split(';')) {
    const at = pair.indexOf('=')
    if (pair.slice(0, at).trim() === name) return pair.slice(at + 1).trim()
  }
  return undefined
}
