import { type Lifetimes, lifetimesOf } from '../clients/lifetimes.ts'
import { chooseAudience } from '../oauth/resource.ts'
import { narrowScope, offlineAccess } from '../oauth/scope.ts'
import type { AccessTokens } from '../tokens/access-tokens.ts'
import { type Grant, tokenResponse } from './grant.ts'

interface Dependencies {
  readonly accessTokens: AccessTokens
  readonly lifetimes: Lifetimes
}

/** RFC 6749 §4.4: a client acts for itself. No refresh token comes with it (§4.4.3). */
export function clientCredentials({ accessTokens, lifetimes }: Dependencies): Grant {
  return {
    type: 'client_credentials',
    async exchange(client, params) {
      const scopes = client.scopes.filter((scope) => scope !== offlineAccess)
      const defaultScopes = client.defaultScopes.filter((scope) => scope !== offlineAccess)
      const scope = narrowScope(params.get('scope'), scopes, defaultScopes)
      const token = await accessTokens.issue({
        subject: client.id,
        clientId: client.id,
        audience: chooseAudience(params, client.audiences),
        scope,
        seconds: lifetimesOf(client, lifetimes).accessTokenSeconds,
      })
      return tokenResponse(token, scope)
    },
  }
}
