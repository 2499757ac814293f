import type { Context } from './context.ts'

/** `__Host-`: set by this host, over https, for every path (RFC 6265bis §4.1.3). */
export const accessCookie = '__Host-signet_access'

/** `__Host-` too, so that a sibling subdomain cannot set it. The price is that it is sent to every path. */
export const refreshCookie = '__Host-signet_refresh'

/** Used by the previous release, at one path. Remove it in the next release. */
export const formerRefreshCookie = '__Secure-signet_refresh'

/** The browser session: single sign-on. Lax, because people arrive from apps (RFC 6265bis §5.6.7). */
export const browserCookie = '__Host-signet_session'

/** The same as `deviceCookie` for the pages, which are at every path. */
export const browserDeviceCookie = '__Host-signet_device'

/** Proves that the sealed value of an owed password was given to this browser: its URL alone opens nothing. */
export const pendingCookie = '__Host-signet_pending'

/** Marks a browser in which this person has signed in before. */
export const deviceCookie = '__Secure-signet_device'

interface CookieOptions {
  readonly path: string
  readonly sameSite?: 'Strict' | 'Lax'
  /** 0 deletes the cookie; absent: it ends with the browser window. */
  readonly maxAgeSeconds?: number | undefined
}

export const setCookie = (
  name: string,
  value: string,
  { path, maxAgeSeconds, sameSite = 'Strict' }: CookieOptions,
): string => {
  const maxAge = maxAgeSeconds === undefined ? '' : ` Max-Age=${maxAgeSeconds};`
  return `${name}=${value}; Path=${path};${maxAge} Secure; HttpOnly; SameSite=${sameSite}`
}

/** Deletes a cookie of the pages. */
export const deletedCookie = (name: string): string =>
  setCookie(name, '', { path: '/', maxAgeSeconds: 0, sameSite: 'Lax' })

/** The first cookie of that name. Our values need no decoding. */
export function readCookie(ctx: Context, name: string): string | undefined {
  for (const pair of ctx.get('cookie').split(';')) {
    const at = pair.indexOf('=')
    if (pair.slice(0, at).trim() === name) return pair.slice(at + 1).trim()
  }
  return undefined
}
