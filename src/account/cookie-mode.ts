import type { TokenResponse } from '../grants/grant.ts'
import type { SignedIn, SignInRefusal } from '../grants/sign-in.ts'
import type { Context } from '../http/context.ts'
import {
  accessCookie,
  deviceCookie,
  readCookie,
  refreshCookie,
  setCookie,
} from '../http/cookies.ts'
import type { Reply } from '../http/operation.ts'
import type { SameOrigin } from '../http/same-origin.ts'

/** The one path that the refresh cookie goes to; signing out takes it away there too. */
export const refreshPath = '/api/v1/auth/refresh'
const devicePath = '/api/v1/auth/login'
const deviceSeconds = 90 * 86_400

interface Rooms {
  readonly sameOrigin: SameOrigin
  /** How long the browser keeps the refresh cookie; the token in it may end earlier. */
  readonly sessionSeconds: number
  /** Of the issuer; empty at the root. */
  readonly path: string
}

/**
 * Tokens for browser apps: in cookies that no script can read, and never in a body (ASVS 10.1.1). The
 * refresh cookie goes to one path only, so that no other request carries it.
 */
export class CookieMode {
  readonly #rooms: Rooms

  constructor(rooms: Rooms) {
    this.#rooms = rooms
  }

  /** @throws Problem `foreign-origin` */
  check(ctx: Context): void {
    this.#rooms.sameOrigin.check(ctx)
  }

  refreshToken(ctx: Context): string | undefined {
    return readCookie(ctx, refreshCookie)
  }

  reply({ tokens, deviceToken }: Exclude<SignedIn, { refused: SignInRefusal }>): Reply {
    const { status, body, cookies = [] } = this.replyTokens(tokens)
    const device = setCookie(deviceCookie, deviceToken, {
      path: this.#rooms.path + devicePath,
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
      const maxAgeSeconds = this.#rooms.sessionSeconds
      cookies.push(
        setCookie(refreshCookie, refresh, { path: this.#rooms.path + refreshPath, maxAgeSeconds }),
      )
    }
    return { status: 200, body: visible, cookies }
  }

  /** Signing out: the device stays known. */
  get cleared(): readonly string[] {
    return [
      setCookie(accessCookie, '', { path: '/', maxAgeSeconds: 0 }),
      setCookie(refreshCookie, '', { path: this.#rooms.path + refreshPath, maxAgeSeconds: 0 }),
    ]
  }
}
