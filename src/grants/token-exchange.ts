import { tokenExchangeGrant } from '../clients/client-settings.ts'
import { type Now, secondsBetween } from '../clock.ts'
import { OAuthError } from '../oauth/error.ts'
import { chooseAudience } from '../oauth/resource.ts'
import { narrowScope } from '../oauth/scope.ts'
import type { AccessTokens } from '../tokens/access-tokens.ts'
import { type ApiKeys, apiKeyMethod } from '../tokens/api-keys.ts'
import { type Grant, type Lifetimes, lifetimesOf, tokenResponse } from './grant.ts'

export const accessTokenType = 'urn:ietf:params:oauth:token-type:access_token'

/** Our name for what people make at /api/v1/auth/api-keys: RFC 8693 §3 leaves room for own types. */
export const apiKeyType = 'urn:signet:params:oauth:token-type:api-key'

interface Dependencies {
  readonly apiKeys: ApiKeys
  readonly accessTokens: AccessTokens
  readonly lifetimes: Lifetimes
  readonly now: Now
}

/**
 * RFC 8693: a service that was given an API key exchanges it for a short access token of the person,
 * with the scope of the key and the audiences that both have, or less. Its `sid` is the key: revoking that ends it.
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
        throw new OAuthError('invalid_request', 'there is no delegation here: no actor_token')
      }
      const wanted = params.get('requested_token_type') ?? accessTokenType
      if (wanted !== accessTokenType) {
        throw new OAuthError('invalid_request', `only ${accessTokenType} can be requested`)
      }
      const key = await apiKeys.verify(subjectToken)
      if (!key) throw new OAuthError('invalid_grant', 'the subject token is not valid')
      const scope = narrowScope(params.get('scope'), key.scope)
      // A service must not get at another one through a key that it was handed.
      const shared = key.audience.filter((one) => client.audiences.includes(one))
      if (shared.length === 0) {
        throw new OAuthError('invalid_target', 'this client has none of the audiences of the key')
      }
      const audience = chooseAudience(params, shared, shared)
      const longest = lifetimesOf(client, lifetimes).accessTokenSeconds
      // The key is its session: no token outlives it.
      const left = key.expiresAt ? secondsBetween(now(), key.expiresAt) : longest
      const seconds = Math.max(1, Math.min(longest, Math.floor(left)))
      const token = await accessTokens.issue({
        ...{ subject: key.userId, clientId: client.id, audience, scope, seconds },
        person: { sid: key.id, authTime: key.createdAt, amr: [apiKeyMethod], roles: key.roles },
      })
      return { ...tokenResponse(token, scope), issued_token_type: accessTokenType }
    },
  }
}
