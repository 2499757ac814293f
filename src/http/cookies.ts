import type { Context } from './context.ts'

/** `__Host-`: from this very host, over https, for every path (RFC 6265bis §4.1.3). */
export const accessCookie = '__Host-signet_access'

/** `__Host-` as well: a sibling subdomain must not be able to set it. So it goes to every path. */
export const refreshCookie = '__Host-signet_refresh'

/** What the release before reads and writes, at one path. Goes with the release after this one. */
export const formerRefreshCookie = '__Secure-signet_refresh'

/** Says that this browser has signed in as this person before. */
export const deviceCookie = '__Secure-signet_device'

export interface CookieOptions {
  readonly path: string
  /** 0 takes the cookie away. */
  readonly maxAgeSeconds: number
}

export const setCookie = (
  name: string,
  value: string,
  { path, maxAgeSeconds }: CookieOptions,
): string =>
  `${name}=${value}; Path=${path}; Max-Age=${maxAgeSeconds}; Secure; HttpOnly; SameSite=Strict`

/** The first cookie of that name; values of ours need no decoding. */
export function readCookie(ctx: Context, name: string): string | undefined {
  for (const pair of ctx.get('cookie').split(';')) {
    const at = pair.indexOf('=')
    if (pair.slice(0, at).trim() === name) return pair.slice(at + 1).trim()
  }
  return undefined
}
