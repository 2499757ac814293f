import type { Client } from '../clients/client.ts'
import type { GrantType } from '../clients/client-settings.ts'
import type { Params } from '../oauth/params.ts'
import type { IssuedAccessToken } from '../tokens/access-tokens.ts'

/** RFC 6749 §5.1. */
export interface TokenResponse {
  readonly access_token: string
  readonly token_type: 'Bearer'
  /** Seconds. */
  readonly expires_in: number
  readonly scope: string
  readonly refresh_token?: string
  /** Not of the RFC: keeps strangers' guessing from locking out the device that sends it back. */
  readonly device_token?: string
  /** RFC 8693 §2.2.1 */
  readonly issued_token_type?: string
}

/** Where a request came from. */
export interface Origin {
  readonly ip: string
  /** What the device says it is. */
  readonly userAgent?: string | undefined
  /** Whether the caller has closed the connection that the answer would go to. */
  readonly hasLeft?: (() => Promise<boolean>) | undefined
}

/**
 * How a token is earned. The token endpoint has authenticated the client and checked that it may use
 * this grant; a grant does only what is its own.
 */
export interface Grant {
  readonly type: GrantType
  exchange(client: Client, params: Params, origin: Origin): Promise<TokenResponse>
}

/** Lives that hold unless a client has its own, in seconds. */
export interface Lifetimes {
  readonly accessTokenSeconds: number
  /** Signing keys and revocations are kept for so long, whatever a client was given. */
  readonly accessTokenMaxSeconds: number
  readonly sessionIdleSeconds: number
  readonly sessionAbsoluteSeconds: number
}

/** The lives that hold for one client. */
export const lifetimesOf = (client: Client, lifetimes: Lifetimes): Lifetimes => ({
  ...lifetimes,
  accessTokenSeconds: Math.min(
    client.accessTokenSeconds ?? lifetimes.accessTokenSeconds,
    lifetimes.accessTokenMaxSeconds,
  ),
  sessionIdleSeconds: client.sessionIdleSeconds ?? lifetimes.sessionIdleSeconds,
  sessionAbsoluteSeconds: client.sessionAbsoluteSeconds ?? lifetimes.sessionAbsoluteSeconds,
})

export const tokenResponse = (
  { token, expiresIn }: IssuedAccessToken,
  scope: readonly string[],
  refreshToken?: string,
): TokenResponse => ({
  access_token: token,
  token_type: 'Bearer',
  expires_in: expiresIn,
  scope: scope.join(' '),
  ...(refreshToken !== undefined && { refresh_token: refreshToken }),
})
