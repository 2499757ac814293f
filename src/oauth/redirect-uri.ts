/** Schemes that a browser or an operating system handles by itself: code must never be sent to them. */
const deniedSchemes = new Set(
  `javascript data vbscript livescript mocha file blob about filesystem view-source jar feed resource chrome edge
   chrome-extension moz-extension ws wss ftp ftps sftp ssh telnet ldap ldaps gopher mailto tel sms geo magnet
   intent android-app market ms-msdt search-ms http https`
    .split(/\s+/)
    .map((name) => `${name}:`),
)

/** Exactly two slashes and no user: `https:host` is relative to the page on which it is met. */
const authority = /^https?:\/\/(?:[a-z0-9.-]+|\[[0-9a-f:.]+\])(?::\d+)?(?:[/?]|$)/i

const loopbackHosts = new Set(['127.0.0.1', '[::1]', 'localhost'])

export const longestRedirectUri = 1000

const parsed = (uri: string): URL | undefined => (URL.canParse(uri) ? new URL(uri) : undefined)

/** True for http URIs of the caller's own machine: RFC 8252 §7.3. */
export const isLoopback = ({ protocol, hostname }: URL): boolean =>
  protocol === 'http:' && loopbackHosts.has(hostname)

/**
 * Says what is wrong with a redirect URI that is to be registered (RFC 6749 §3.1.2, RFC 8252 §7): it must be
 * https, http on loopback, or a private-use scheme, without fragment and credentials.
 */
export function redirectUriProblem(uri: string): string | undefined {
  const url = parsed(uri)
  // PostgreSQL and headers take printable ASCII only; anything else is percent-encoded in a URI.
  if (!url || !/^[\x21-\x7e]+$/.test(uri)) return 'is no absolute URI'
  if (uri.length > longestRedirectUri) return `is longer than ${longestRedirectUri} characters`
  if (uri.includes('#')) return 'must have no fragment'
  if (url.username !== '' || url.password !== '') return 'must have no user name and no password'
  if (/[\\*]/.test(uri)) return 'must contain no \\ and no *'
  if (/^https?:/.test(url.protocol) && !authority.test(uri)) {
    return 'must name its host after two slashes, in letters, digits, dots and hyphens'
  }
  if (url.protocol === 'https:') return undefined
  if (url.protocol === 'http:') {
    return isLoopback(url) ? undefined : 'must be https, except on 127.0.0.1, [::1] and localhost'
  }
  return deniedSchemes.has(url.protocol) ? 'has a scheme that apps cannot own' : undefined
}

/** True for `com.example.app:/callback`: RFC 8252 §7.1. */
export const isPrivateScheme = (uri: string): boolean => !/^https?:/i.test(uri)

/**
 * True if a redirect URI of a request is registered: the same text (RFC 9700 §4.1.3). On loopback the port may
 * differ, because an app takes any free one (RFC 8252 §7.3); nothing else may.
 */
export function isRegistered(uri: string, registered: readonly string[]): boolean {
  if (registered.includes(uri)) return true
  const requested = withoutPort(uri)
  return requested !== undefined && registered.some((one) => withoutPort(one) === requested)
}

/** A loopback URI as it is spelled, without its port; undefined for any other. */
function withoutPort(uri: string): string | undefined {
  const [, host, port, rest] =
    /^http:\/\/(127\.0\.0\.1|\[::1\]|localhost)(?::(\d{1,5}))?([/?][\x21\x22\x24-\x7e]*)?$/.exec(
      uri,
    ) ?? []
  if (host === undefined || Number(port ?? 1) > 65_535 || Number(port ?? 1) < 1) return undefined
  if (uri.length > longestRedirectUri || rest?.includes('\\')) return undefined
  return `${host} ${rest ?? ''}`
}

/** A redirect URI with response parameters added to its query: RFC 6749 §4.1.2. */
export function withParameters(uri: string, parameters: Readonly<Record<string, string>>): string {
  const query = new URLSearchParams(parameters).toString()
  if (query === '') return uri
  return `${uri}${uri.includes('?') ? (/[?&]$/.test(uri) ? '' : '&') : '?'}${query}`
}

/** The source that `form-action` must name so that a browser follows a redirect there: CSP3 §2.3.1. */
export function formActionSource(uri: string): string {
  const url = new URL(uri)
  return isPrivateScheme(uri) ? url.protocol : url.origin
}
