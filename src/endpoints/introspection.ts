import type { Client } from '../clients/client.ts'
import { epochSeconds } from '../clock.ts'
import type { Middleware } from '../http/context.ts'
import type { RefreshFamilies } from '../sessions/refresh-families.ts'
import { looksLikeRefreshToken } from '../sessions/refresh-token.ts'
import type { Session } from '../sessions/session.ts'
import type { Metrics } from '../telemetry/metrics.ts'
import type { AccessTokens, VerifiedAccessToken } from '../tokens/access-tokens.ts'
import { type ApiKeys, looksLikeApiKey } from '../tokens/api-keys.ts'
import { faultText } from '../tokens/token-fault.ts'

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
    if (!description.active) {
      inactive.inc()
      const { cause, sid } = description
      // The caller must not learn it: RFC 7662 §2.2.
      ctx.state.facts.cause = cause
      if (sid !== undefined) ctx.state.facts.sid = sid
      ctx.body = { active: false }
      return
    }
    active.inc()
    ctx.body = description
  }
}

/** Why a token is not active for this client; for the log. */
interface Inactive {
  readonly active: false
  readonly cause: string
  readonly sid?: string | undefined
}

interface Description {
  readonly active: true
  readonly [member: string]: unknown
}

function describeToken(
  deps: Dependencies,
  client: Client,
  token: string,
): Promise<Description | Inactive> {
  if (looksLikeRefreshToken(token)) return describeRefreshToken(deps, client, token)
  if (looksLikeApiKey(token)) return describeApiKey(deps, client, token)
  return describeAccessToken(deps, client, token)
}

const notIntrospected = 'audience: this client may not introspect it'

/** For a service that received an API key. */
async function describeApiKey(
  { apiKeys, issuer }: Dependencies,
  client: Client,
  token: string,
): Promise<Description | Inactive> {
  const key = await apiKeys.verify(token)
  if (!key)
    return { active: false, cause: 'key: unknown, expired, or of a disabled person or client' }
  if (!mayIntrospectAudience(client, key.audience)) {
    return { active: false, cause: notIntrospected, sid: key.id }
  }
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

async function describeAccessToken(
  { accessTokens }: Dependencies,
  client: Client,
  token: string,
): Promise<Description | Inactive> {
  const { verified, fault } = await accessTokens.examine(token)
  if (!verified) return { active: false, cause: faultText(fault) }
  const { sid } = verified.claims
  if (!mayIntrospect(client, verified)) return { active: false, cause: notIntrospected, sid }
  if (await accessTokens.isRevoked(verified)) return { active: false, cause: 'revocation', sid }
  return { active: true, token_type: 'Bearer', ...verified.claims }
}

async function describeRefreshToken(
  { families, issuer }: Dependencies,
  client: Client,
  token: string,
): Promise<Description | Inactive> {
  const session = await families.find(token)
  if (!session)
    return { active: false, cause: 'session: the refresh token is unknown, spent or ended' }
  if (session.clientId !== client.id) {
    return { active: false, cause: 'owner: issued to another client', sid: session.sid }
  }
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
