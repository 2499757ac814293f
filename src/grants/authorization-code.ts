import { type Lifetimes, lifetimesOf } from '../clients/lifetimes.ts'
import { OAuthError } from '../oauth/error.ts'
import { challengeOf } from '../oauth/pkce.ts'
import type { AuthorizationCodes } from '../sessions/authorization-codes.ts'
import type { Grant } from './grant.ts'
import type { SessionTokens } from './session-tokens.ts'

interface Dependencies {
  readonly codes: AuthorizationCodes
  readonly sessionTokens: SessionTokens
  readonly lifetimes: Lifetimes
}

/** RFC 6749 §4.1.3, with PKCE (RFC 7636 §4.5). A code is the session that it begins. */
export function authorizationCode({ codes, sessionTokens, lifetimes }: Dependencies): Grant {
  return {
    type: 'authorization_code',
    async exchange(client, params, { ip, userAgent }) {
      const own = lifetimesOf(client, lifetimes)
      const code = params.require('code')
      const redirectUri = params.require('redirect_uri')
      // Without a signing key the code would be spent on an answer that cannot be given.
      await sessionTokens.freshen()
      const redeemed = await codes.redeem({
        code,
        clientId: client.id,
        redirectUri,
        codeChallenge: challengeOf(params.get('code_verifier')),
        idleSeconds: own.sessionIdleSeconds,
        absoluteSeconds: own.sessionAbsoluteSeconds,
        ip,
        userAgent,
      })
      // One answer for every reason: a thief learns nothing from it.
      if ('refused' in redeemed) {
        throw new OAuthError('invalid_grant', 'the authorization code is not valid', {
          cause: redeemed.refused,
          sid: redeemed.sid,
        })
      }
      return sessionTokens.ofCode(redeemed, client)
    },
  }
}
