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
  /** OpenID Connect Core §3.1.3.3 */
  readonly id_token?: string
  /** Not in the RFC: a device that sends it back is not locked out by strangers who guess passwords. */
  readonly device_token?: string
  /** RFC 8693 §2.2.1 */
  readonly issued_token_type?: string
}

/** Where a request came from. */
interface Origin {
  readonly ip: string
  /** The device's own description of itself. */
  readonly userAgent?: string | undefined
  /** True if the caller has closed the connection, so that nobody would receive the answer. */
  readonly hasLeft?: (() => Promise<boolean>) | undefined
}

/**
 * One way to earn a token. The token endpoint has authenticated the client and checked that it may use
 * this grant type; a grant does the rest.
 */
export interface Grant {
  readonly type: GrantType
  /** @throws OAuthError when the request is refused */
  exchange(client: Client, params: Params, origin: Origin): Promise<TokenResponse>
}

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
