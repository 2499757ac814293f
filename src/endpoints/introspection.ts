import type { Client } from '../clients/client.ts'
import { epochSeconds } from '../clock.ts'
import type { Middleware } from '../http/context.ts'
import type { RefreshFamilies } from '../sessions/refresh-families.ts'
import { looksLikeRefreshToken } from '../sessions/refresh-token.ts'
import type { Session } from '../sessions/session.ts'
import type { Metrics } from '../telemetry/metrics.ts'
import type { AccessTokens, VerifiedAccessToken } from '../tokens/access-tokens.ts'
import { type ApiKeys, looksLikeApiKey } from '../tokens/api-keys.ts'

interface Dependencies {
  readonly accessTokens: AccessTokens
  readonly families: RefreshFamilies
  readonly apiKeys: ApiKeys
  readonly issuer: string
  readonly metrics: Metrics
}

/**
 * RFC 7662. `token_type_hint` is not needed, because the kinds of token cannot be mistaken for each other. A
 * token that is not active, or that this client may not introspect, is `{"active": false}` and nothing else.
 */
export function introspection(deps: Dependencies): Middleware {
  const { introspections } = deps.metrics
  const active = introspections.labels({ active: 'true' })
  const inactive = introspections.labels({ active: 'false' })
  return async (ctx) => {
    const token = ctx.state.params.require('token')
    const description = await describeToken(deps, ctx.state.client, token)
    const counter = description ? active : inactive
    counter.inc()
    ctx.body = description ?? { active: false }
  }
}

function describeToken(deps: Dependencies, client: Client, token: string) {
  if (looksLikeRefreshToken(token)) return describeRefreshToken(deps, client, token)
  if (looksLikeApiKey(token)) return describeApiKey(deps, client, token)
  return describeAccessToken(deps, client, token)
}

/** For a service that received an API key. */
async function describeApiKey({ apiKeys, issuer }: Dependencies, client: Client, token: string) {
  const key = await apiKeys.verify(token)
  if (!key || !mayIntrospectAudience(client, key.audience)) return undefined
  return {
    active: true,
    token_type: 'api_key',
    iss: issuer,
    sub: key.userId,
    sid: key.id,
    aud: key.audience,
    scope: key.scope.join(' '),
    roles: key.roles,
    iat: epochSeconds(key.createdAt),
    ...(key.expiresAt && { exp: epochSeconds(key.expiresAt) }),
  }
}

async function describeAccessToken({ accessTokens }: Dependencies, client: Client, token: string) {
  const verified = await accessTokens.verify(token)
  if (!verified || !mayIntrospect(client, verified)) return undefined
  if (await accessTokens.isRevoked(verified)) return undefined
  return { active: true, token_type: 'Bearer', ...verified.claims }
}

async function describeRefreshToken(
  { families, issuer }: Dependencies,
  client: Client,
  token: string,
) {
  const session = await families.find(token)
  if (!session || session.clientId !== client.id) return undefined
  return { active: true, token_type: 'refresh_token', iss: issuer, ...describe(session) }
}

const describe = (session: Session) => ({
  sub: session.userId,
  client_id: session.clientId,
  scope: session.scope.join(' '),
  sid: session.sid,
  auth_time: epochSeconds(session.authTime),
  exp: epochSeconds(
    session.idleExpiresAt < session.expiresAt ? session.idleExpiresAt : session.expiresAt,
  ),
})

/** RFC 7662 §4: a client's own tokens, and those for the audiences that it was allowed to introspect. */
const mayIntrospect = (client: Client, { claims }: VerifiedAccessToken): boolean =>
  claims.client_id === client.id || mayIntrospectAudience(client, [claims.aud].flat())

const mayIntrospectAudience = (client: Client, audience: readonly string[]): boolean =>
  client.introspects.includes('*') || audience.some((one) => client.introspects.includes(one))
