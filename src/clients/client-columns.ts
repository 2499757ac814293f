import type { z } from 'zod'
import { ClientError } from './client-error.ts'
import type { newClient } from './new-client.ts'

/**
 * What of a client is written into the table.
 * @throws ClientRefused when its tokens would outlive what is remembered of revocations
 */
export function columnsOf(given: z.output<typeof newClient>, accessTokenMaxSeconds: number) {
  if ((given.accessTokenSeconds ?? 0) > accessTokenMaxSeconds) {
    throw new ClientError(
      `Access tokens of ${given.accessTokenSeconds} s are longer than ACCESS_TOKEN_MAX_SECONDS (${accessTokenMaxSeconds}).`,
      'too_long',
    )
  }
  return {
    name: given.name,
    token_endpoint_auth_method: given.authenticationMethod,
    jwks: given.jwks && JSON.stringify(given.jwks),
    first_party: given.firstParty,
    grant_types: given.grantTypes,
    scopes: given.scopes,
    default_scopes: given.defaultScopes,
    audiences: given.audiences,
    introspects: given.introspects,
    refresh_tokens: given.refreshTokens,
    access_token_seconds: given.accessTokenSeconds,
    session_idle_seconds: given.sessionIdleSeconds,
    session_absolute_seconds: given.sessionAbsoluteSeconds,
    lets_unverified_in: given.letsUnverifiedIn,
  }
}
