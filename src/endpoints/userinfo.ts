import type { Clients } from '../clients/clients.ts'
import { authorizationHeaders } from '../http/client-authentication.ts'
import type { Context, Middleware } from '../http/context.ts'
import { readFormParams } from '../http/request-body.ts'
import { OAuthError } from '../oauth/error.ts'
import { openId } from '../oauth/scope.ts'
import type { RefreshFamilies } from '../sessions/refresh-families.ts'
import type { AccessTokens } from '../tokens/access-tokens.ts'
import { faultText } from '../tokens/token-fault.ts'
import { permittedClaims, personClaims } from '../users/person-claims.ts'
import type { Users } from '../users/users.ts'

interface Dependencies {
  readonly accessTokens: AccessTokens
  readonly families: RefreshFamilies
  readonly clients: Clients
  readonly users: Users
  readonly issuer: string
}

/** Userinfo, OpenID Connect Core §5.3: the claims about a person that a token opens. Errors: RFC 6750 §3.1. */
export function userinfo(deps: Dependencies): Middleware {
  const { accessTokens, families, clients, users, issuer } = deps
  return async (ctx) => {
    const { verified, fault } = await accessTokens.examine(await tokenOf(ctx))
    if (!verified) throw invalidToken(faultText(fault))
    const { sid, sub, aud, client_id: clientId, scope = '' } = verified.claims
    if (!sid) throw invalidToken('person: the client acts for itself')
    // A token for another resource opens nothing here: who received it could otherwise replay it.
    if (![aud].flat().includes(issuer))
      throw invalidToken('audience: it is for another service', sid)
    if (await accessTokens.isRevoked(verified)) throw invalidToken('revocation', sid)
    const scopes = scope.split(' ')
    if (!scopes.includes(openId)) throw insufficientScope(sid)
    const user = await users.find(sub)
    const client = (await clients.find(clientId))?.client
    if (!user || user.disabledAt) throw invalidToken('person: disabled or deleted', sid)
    if (!client) throw invalidToken('client: disabled or deleted', sid)
    ctx.state.facts.userId = user.id
    ctx.state.facts.clientId = client.id
    const named = await families.requestedClaims(sid)
    const names = permittedClaims(scopes, client.scopes, named)
    ctx.body = { ...personClaims(user, names), sub: user.id }
  }
}

/** RFC 6750 §2.1 and §2.2; in a query a token would end up in logs. */
async function tokenOf(ctx: Context): Promise<string> {
  const [authorization, ...more] = authorizationHeaders(ctx.req)
  const isForm = ctx.method === 'POST' && ctx.get('content-type').includes('form-urlencoded')
  const body = isForm ? (await readFormParams(ctx)).get('access_token') : undefined
  if (more.length > 0 || (authorization !== undefined && body !== undefined)) {
    throw new OAuthError('invalid_request', 'send one access token, in one way', {
      headers: { 'www-authenticate': 'Bearer realm="signet", error="invalid_request"' },
    })
  }
  if (body !== undefined) return body
  if (authorization === undefined) {
    throw new OAuthError('invalid_token', 'an access token is required', {
      headers: { 'www-authenticate': 'Bearer realm="signet"' },
    })
  }
  const [, token] = /^bearer +([\w.~+/-]+=*) *$/i.exec(authorization) ?? []
  if (token === undefined) throw invalidToken('form: no Bearer token')
  return token
}

/** One answer for every cause: who presents a token that is not theirs learns nothing from it. */
const invalidToken = (cause: string, sid?: string) =>
  new OAuthError('invalid_token', 'the access token is not valid here', {
    cause,
    sid,
    headers: { 'www-authenticate': 'Bearer realm="signet", error="invalid_token"' },
  })

const insufficientScope = (sid: string) =>
  new OAuthError('insufficient_scope', 'the access token lacks the scope openid', {
    sid,
    headers: {
      'www-authenticate': 'Bearer realm="signet", error="insufficient_scope", scope="openid"',
    },
  })
