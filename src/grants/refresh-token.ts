import { OAuthError } from '../oauth/error.ts'
import type { RefreshTokenCodec } from '../sessions/refresh-token.ts'
import type { Grant } from './grant.ts'
import type { SessionTokens } from './session-tokens.ts'

interface Dependencies {
  readonly sessionTokens: SessionTokens
  readonly codec: RefreshTokenCodec
}

/** RFC 6749 §6. */
export function refreshToken({ sessionTokens, codec }: Dependencies): Grant {
  return {
    type: 'refresh_token',
    async exchange(client, params, { ip, hasLeft }) {
      const content = codec.decode(params.require('refresh_token'))
      const refreshed = await sessionTokens.refresh({
        content,
        client,
        narrowing: params,
        ip,
        hasLeft,
      })
      if (!('refused' in refreshed)) return refreshed
      // One answer for every reason: a thief learns nothing from it.
      const cause = refreshed.refused
      throw new OAuthError('invalid_grant', 'the refresh token is not valid', {
        cause,
        sid: content?.sid,
      })
    },
  }
}
