import type { Authentication } from '../authentication/authentication.ts'
import type { RequestedClaims } from '../authentication/authorization-request.ts'
import type { Client } from '../clients/client.ts'
import { type Lifetimes, lifetimesOf } from '../clients/lifetimes.ts'
import type { LiveKeyring } from '../keyring/live-keyring.ts'
import { OAuthError } from '../oauth/error.ts'
import type { Params } from '../oauth/params.ts'
import { chooseAudience } from '../oauth/resource.ts'
import { narrowScope, offlineAccess, openId } from '../oauth/scope.ts'
import type { RedeemedCode } from '../sessions/authorization-codes.ts'
import type { RefreshFamilies } from '../sessions/refresh-families.ts'
import type { RefreshRotation, RotationFailure } from '../sessions/refresh-rotation.ts'
import type { RefreshTokenContent } from '../sessions/refresh-token.ts'
import type { Session } from '../sessions/session.ts'
import type { Metrics } from '../telemetry/metrics.ts'
import type { AccessTokens } from '../tokens/access-tokens.ts'
import type { IdTokens } from '../tokens/id-tokens.ts'
import { permittedClaims, personClaims } from '../users/person-claims.ts'
import type { Users } from '../users/users.ts'
import { type TokenResponse, tokenResponse } from './grant.ts'

interface Dependencies {
  readonly families: RefreshFamilies
  readonly refreshRotation: RefreshRotation
  readonly accessTokens: AccessTokens
  readonly idTokens: IdTokens
  readonly users: Pick<Users, 'find'>
  readonly issuer: string
  readonly keyring: LiveKeyring
  readonly metrics: Metrics
  readonly lifetimes: Lifetimes
}

/** The client, scope and audience of a new session. */
export interface SessionRequest {
  readonly client: Client
  readonly scope: readonly string[]
  readonly audience: readonly string[]
}

interface RefreshRequest {
  /** The presented token; undefined when this server did not issue it. */
  readonly content: RefreshTokenContent | undefined
  readonly client: Client
  /** `scope`, `resource` and `audience` narrow the new access token: RFC 6749 §6, RFC 8707 §2.2. */
  readonly narrowing?: Params
  readonly ip: string
  /** True if the caller has closed the connection. */
  readonly hasLeft?: (() => Promise<boolean>) | undefined
}

export type Refreshed = TokenResponse | { readonly refused: RotationFailure | 'no_audience_left' }

/** The tokens of sessions: the first ones when a session begins, and new ones for a refresh token. */
export class SessionTokens {
  readonly #deps: Dependencies

  constructor(deps: Dependencies) {
    this.#deps = deps
  }

  /**
   * Begins a session. Every sign-in has one, with or without a refresh token, so that every token of a
   * person carries a `sid` that can be revoked.
   * @returns undefined when the person or the client was disabled, or the password changed, meanwhile
   */
  async begin(
    authentication: Authentication,
    { client, scope, audience }: SessionRequest,
  ): Promise<TokenResponse | undefined> {
    const { families, accessTokens, lifetimes } = this.#deps
    const { user, at, methods, device } = authentication
    const own = lifetimesOf(client, lifetimes)
    const staysSignedIn = getsRefreshToken(client, scope)
    const begun = await families.begin({
      user,
      clientId: client.id,
      scope,
      audience,
      authTime: at,
      amr: methods,
      ip: device.ip,
      userAgent: device.userAgent,
      deviceKnownSince: device.knownSince,
      app: client.name || client.id,
      idleSeconds: staysSignedIn ? own.sessionIdleSeconds : own.accessTokenSeconds,
      absoluteSeconds: staysSignedIn ? own.sessionAbsoluteSeconds : own.accessTokenSeconds,
    })
    if (!begun) return undefined
    const { sid, authTime, amr } = begun.session
    const accessToken = await accessTokens.issue({
      subject: user.id,
      clientId: client.id,
      audience,
      scope,
      seconds: own.accessTokenSeconds,
      person: { sid, authTime, amr, roles: user.roles },
    })
    return tokenResponse(accessToken, scope, staysSignedIn ? begun.token : undefined)
  }

  /** Makes sure that tokens can be signed, before anything is spent that only they make up for. */
  freshen(): Promise<void> {
    return this.#deps.keyring.freshen()
  }

  /** The first tokens of a session that an authorization code has begun. */
  async ofCode(redeemed: RedeemedCode, client: Client): Promise<TokenResponse> {
    const { sid, authTime, amr, acr, roles, scope, audience, nonce } = redeemed
    const accessToken = await this.#deps.accessTokens.issue({
      subject: redeemed.userId,
      clientId: client.id,
      audience,
      scope,
      seconds: lifetimesOf(client, this.#deps.lifetimes).accessTokenSeconds,
      person: { sid, authTime, acr, amr, roles },
    })
    const response = tokenResponse(accessToken, scope, redeemed.refreshToken)
    if (!scope.includes(openId)) return response
    const id_token = await this.#deps.idTokens.issue({
      subject: redeemed.userId,
      clientId: client.id,
      sid,
      authTime,
      amr,
      acr,
      nonce,
      accessToken: accessToken.token,
      claims: await this.#claimsOf(redeemed, client),
    })
    return { ...response, id_token }
  }

  /** The claims that a request named for its ID token; usually none, and then nothing is looked up. */
  async #claimsOf(
    { userId, claims }: Pick<RedeemedCode, 'userId' | 'claims'>,
    client: Client,
  ): Promise<Record<string, unknown>> {
    const named = (claims as RequestedClaims | null)?.id_token ?? []
    if (named.length === 0) return {}
    const user = await this.#deps.users.find(userId)
    const permitted = permittedClaims([], client.scopes, named)
    return user ? personClaims(user, permitted) : {}
  }

  /**
   * Refreshes the session of a token for a client, with the rotation of RFC 9700 §4.14.2.
   * @throws OAuthError when the narrowing asks for more than the session may have
   */
  async refresh(request: RefreshRequest): Promise<Refreshed> {
    const { refreshRotation, accessTokens, keyring, metrics, lifetimes } = this.#deps
    const { content, client, ip, hasLeft } = request
    // A narrowing that cannot be granted is refused before the token is spent on it.
    const narrowed = await this.#narrowed(request)
    if (narrowed === 'no_audience_left') return { refused: narrowed }
    const own = lifetimesOf(client, lifetimes)
    // Without a signing key the token would be spent on an answer that cannot be given.
    await keyring.freshen()
    const rotated = await refreshRotation.rotate(content, {
      clientId: client.id,
      idleSeconds: own.sessionIdleSeconds,
      ip,
      hasLeft,
    })
    metrics.refreshes.inc({ outcome: rotated.outcome })
    if (!('session' in rotated)) return { refused: rotated.outcome }

    const { session, roles } = rotated
    const grantable = narrowed ?? this.#grantable(session, client, request.narrowing)
    if (grantable === 'no_audience_left') return { refused: grantable }
    const { scope, audience } = grantable
    const { sid, authTime, amr } = session
    const accessToken = await accessTokens
      .issue({
        subject: session.userId,
        clientId: client.id,
        audience,
        scope,
        seconds: own.accessTokenSeconds,
        person: { sid, authTime, acr: session.acr, amr, roles },
      })
      .catch((error) => {
        if (!(error instanceof OAuthError)) refreshRotation.noteUnanswered(rotated)
        throw error
      })
    const response = tokenResponse(accessToken, scope, rotated.token)
    // §12.2: no nonce, and the same authentication. The scope of the session decides, not a narrowed one.
    if (session.acr === null || !session.scope.includes(openId)) return response
    const id_token = await this.#deps.idTokens.issue({
      subject: session.userId,
      clientId: client.id,
      sid,
      authTime,
      amr,
      acr: session.acr,
      accessToken: accessToken.token,
    })
    return { ...response, id_token }
  }

  async #narrowed({ content, client, narrowing }: RefreshRequest) {
    if (!content || !narrowing || !narrows(narrowing)) return undefined
    const session = await this.#deps.families.find(content)
    return session?.clientId === client.id ? this.#grantable(session, client, narrowing) : undefined
  }

  #grantable(session: Session, client: Client, narrowing: Params | undefined) {
    return grantableOf(session, client, narrowing, this.#deps.issuer)
  }
}

const narrows = (params: Params): boolean =>
  ['scope', 'resource', 'audience'].some((name) => params.has(name))

/**
 * The access token may be narrower than the session, whose own scope stays (RFC 6749 §6). Scopes and
 * audiences that the client has lost since the sign-in are left out.
 */
function grantableOf(
  session: Session,
  client: Client,
  narrowing: Params | undefined,
  issuer: string,
) {
  const scopes = session.scope.filter((scope) => client.scopes.includes(scope))
  const isOpenId = session.scope.includes(openId)
  const audiences = session.audience.filter(
    (audience) => client.audiences.includes(audience) || (isOpenId && audience === issuer),
  )
  if (audiences.length === 0) return 'no_audience_left'
  return {
    scope: narrowScope(narrowing?.get('scope'), scopes),
    audience: narrowing ? chooseAudience(narrowing, audiences, audiences) : audiences,
  }
}

export function getsRefreshToken(client: Client, scope: readonly string[]): boolean {
  if (!client.grantTypes.includes('refresh_token') || client.refreshTokens === 'never') return false
  return client.refreshTokens === 'always' || scope.includes(offlineAccess)
}
