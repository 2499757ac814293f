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
import type { SameOrigin } from '../access-control.ts'
import type { Reply } from '../operation.ts'

/** The only path at which the refresh token cookie is used. */
export const refreshPath = '/api/v1/auth/refresh'
const devicePath = '/api/v1/auth/login'
const deviceSeconds = 90 * 86_400

interface Dependencies {
  readonly sameOrigin: SameOrigin
  readonly codec: RefreshTokenCodec
  /** Lifetime of the refresh cookie; the token in it may end earlier. */
  readonly sessionSeconds: number
  /** The path of the issuer; empty at the root. */
  readonly path: string
}

/** Tokens for browser apps, in cookies that no script can read and never in a body (ASVS 10.1.1). */
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
   * Reads the refresh token. An instance of the release before rotates only the cookie with the former
   * name, so of two tokens of one session the newer one counts. A cookie with the former name may come
   * from a stranger, so a token of another session counts only while there is no other cookie.
   */
  refreshToken(ctx: Context): string | undefined {
    const own = readCookie(ctx, refreshCookie)
    const former = readCookie(ctx, formerRefreshCookie)
    if (own === undefined || former === undefined) return own ?? former
    const { codec } = this.#deps
    const ownContent = codec.decode(own)
    const formerContent = codec.decode(former)
    const isSameSession = formerContent && ownContent?.sid === formerContent.sid
    return isSameSession && formerContent.generation > ownContent.generation ? former : own
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

  /** The cookies of a sign-out. The device cookie stays, so that the device stays known. */
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
