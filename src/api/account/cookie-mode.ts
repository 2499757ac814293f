import type { TokenResponse } from '../../grants/grant.ts'
import type { SignedIn } from '../../grants/sign-in.ts'
import type { Context } from '../../http/context.ts'
import {
  accessCookie,
  deviceCookie,
  formerRefreshCookie,
  readCookie,
  refreshCookie,
  setCookie,
} from '../../http/cookies.ts'
import type { RefreshTokenCodec } from '../../sessions/refresh-token.ts'
import type { Reply } from '../operation.ts'
import type { SameOrigin } from '../same-origin.ts'

/** The one path at which a refresh token in a cookie counts. */
export const refreshPath = '/api/v1/auth/refresh'
const devicePath = '/api/v1/auth/login'
const deviceSeconds = 90 * 86_400

interface Dependencies {
  readonly sameOrigin: SameOrigin
  readonly codec: RefreshTokenCodec
  /** How long the browser keeps the refresh cookie; the token in it may end earlier. */
  readonly sessionSeconds: number
  /** Of the issuer; empty at the root. */
  readonly path: string
}

/**
 * Tokens for browser apps: in cookies that no script can read, and never in a body (ASVS 10.1.1).
 */
export class CookieMode {
  readonly #deps: Dependencies

  constructor(deps: Dependencies) {
    this.#deps = deps
  }

  /** @throws Problem `foreign-origin` */
  check(ctx: Context): void {
    this.#deps.sameOrigin.check(ctx)
  }

  /**
   * An instance of the release before rotates the cookie of the former name alone: of the same session
   * the newer one counts. A former one of another session may be a stranger's, so it counts only while
   * there is no other.
   */
  refreshToken(ctx: Context): string | undefined {
    const own = readCookie(ctx, refreshCookie)
    const former = readCookie(ctx, formerRefreshCookie)
    if (own === undefined || former === undefined) return own ?? former
    const { codec } = this.#deps
    const [ours, theirs] = [codec.decode(own), codec.decode(former)]
    const isNewer = theirs && ours?.sid === theirs.sid && theirs.generation > ours.generation
    return isNewer ? former : own
  }

  reply({ tokens, deviceToken }: SignedIn): Reply {
    const { status, body, cookies = [] } = this.replyTokens(tokens)
    const device = setCookie(deviceCookie, deviceToken, {
      path: this.#deps.path + devicePath,
      maxAgeSeconds: deviceSeconds,
    })
    return { status, body, cookies: [...cookies, device] }
  }

  replyTokens(tokens: TokenResponse): Reply {
    const { access_token: access, refresh_token: refresh, token_type: _, ...visible } = tokens
    const cookies = [
      setCookie(accessCookie, access, { path: '/', maxAgeSeconds: tokens.expires_in }),
    ]
    if (refresh !== undefined) {
      cookies.push(...this.#refreshCookies(refresh, this.#deps.sessionSeconds))
    }
    return { status: 200, body: visible, cookies }
  }

  /** Signing out: the device stays known. */
  get cleared(): readonly string[] {
    return [
      setCookie(accessCookie, '', { path: '/', maxAgeSeconds: 0 }),
      ...this.#refreshCookies('', 0),
    ]
  }

  #refreshCookies(value: string, maxAgeSeconds: number): string[] {
    return [
      setCookie(refreshCookie, value, { path: '/', maxAgeSeconds }),
      setCookie(formerRefreshCookie, value, {
        path: this.#deps.path + refreshPath,
        maxAgeSeconds,
      }),
    ]
  }
}
