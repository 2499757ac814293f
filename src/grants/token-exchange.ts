import { tokenExchangeGrant } from '../clients/client-settings.ts'
import { type Lifetimes, lifetimesOf } from '../clients/lifetimes.ts'
import { type Now, secondsBetween } from '../clock.ts'
import { OAuthError } from '../oauth/error.ts'
import { chooseAudience } from '../oauth/resource.ts'
import { narrowScope } from '../oauth/scope.ts'
import type { AccessTokens } from '../tokens/access-tokens.ts'
import { type ApiKeys, apiKeyMethod } from '../tokens/api-keys.ts'
import { type Grant, tokenResponse } from './grant.ts'

export const accessTokenType = 'urn:ietf:params:oauth:token-type:access_token'

/** Type of the API keys of /api/v1/auth/api-keys: RFC 8693 §3 allows private types. */
export const apiKeyType = 'urn:signet:params:oauth:token-type:api-key'

interface Dependencies {
  readonly apiKeys: ApiKeys
  readonly accessTokens: AccessTokens
  readonly lifetimes: Lifetimes
  readonly now: Now
}

/**
 * RFC 8693: a service exchanges an API key for a short-lived access token of the person, with at most
 * the scope of the key and the audiences that client and key share. The `sid` of the token is the key,
 * so that revoking the key ends the token.
 */
export function tokenExchange({ apiKeys, accessTokens, lifetimes, now }: Dependencies): Grant {
  return {
    type: tokenExchangeGrant,
    async exchange(client, params) {
      const subjectToken = params.require('subject_token')
      if (params.require('subject_token_type') !== apiKeyType) {
        throw new OAuthError('invalid_request', `subject_token_type must be ${apiKeyType}`)
      }
      if (params.has('actor_token')) {
        throw new OAuthError('invalid_request', 'actor_token is not supported')
      }
      const requestedType = params.get('requested_token_type') ?? accessTokenType
      if (requestedType !== accessTokenType) {
        throw new OAuthError('invalid_request', `requested_token_type must be ${accessTokenType}`)
      }
      const key = await apiKeys.verify(subjectToken)
      if (!key) throw new OAuthError('invalid_grant', 'the subject token is not valid')
      const scope = narrowScope(params.get('scope'), key.scope)
      // A service must not reach another one with a key that was meant for itself.
      const shared = key.audience.filter((audience) => client.audiences.includes(audience))
      if (shared.length === 0) {
        throw new OAuthError(
          'invalid_target',
          'the client has none of the audiences of the API key',
        )
      }
      const audience = chooseAudience(params, shared, shared)
      const longest = lifetimesOf(client, lifetimes).accessTokenSeconds
      // No token outlives its key.
      const left = key.expiresAt ? secondsBetween(now(), key.expiresAt) : longest
      const seconds = Math.max(1, Math.min(longest, Math.floor(left)))
      const token = await accessTokens.issue({
        subject: key.userId,
        clientId: client.id,
        audience,
        scope,
        seconds,
        person: { sid: key.id, authTime: key.createdAt, amr: [apiKeyMethod], roles: key.roles },
      })
      return { ...tokenResponse(token, scope), issued_token_type: accessTokenType }
    },
  }
}
