import type { Authentication } from '../authentication/authentication.ts'
import type { Client } from '../clients/client.ts'
import { type Lifetimes, lifetimesOf } from '../clients/lifetimes.ts'
import type { LiveKeyring } from '../keyring/live-keyring.ts'
import { OAuthError } from '../oauth/error.ts'
import type { Params } from '../oauth/params.ts'
import { chooseAudience } from '../oauth/resource.ts'
import { narrowScope, offlineAccess } from '../oauth/scope.ts'
import type { RefreshFamilies } from '../sessions/refresh-families.ts'
import type { RefreshRotation, RotationFailure } from '../sessions/refresh-rotation.ts'
import type { RefreshTokenContent } from '../sessions/refresh-token.ts'
import type { Session } from '../sessions/session.ts'
import type { Metrics } from '../telemetry/metrics.ts'
import type { AccessTokens } from '../tokens/access-tokens.ts'
import { type TokenResponse, tokenResponse } from './grant.ts'

interface Dependencies {
  readonly families: RefreshFamilies
  readonly refreshRotation: RefreshRotation
  readonly accessTokens: AccessTokens
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
    const grantable = narrowed ?? grantableOf(session, client, request.narrowing)
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
        person: { sid, authTime, amr, roles },
      })
      .catch((error) => {
        if (!(error instanceof OAuthError)) refreshRotation.noteUnanswered(rotated)
        throw error
      })
    return tokenResponse(accessToken, scope, rotated.token)
  }

  async #narrowed({ content, client, narrowing }: RefreshRequest) {
    if (!content || !narrowing || !narrows(narrowing)) return undefined
    const session = await this.#deps.families.find(content)
    return session?.clientId === client.id ? grantableOf(session, client, narrowing) : undefined
  }
}

const narrows = (params: Params): boolean =>
  ['scope', 'resource', 'audience'].some((name) => params.has(name))

/**
 * The access token may be narrower than the session, whose own scope stays (RFC 6749 §6). Scopes and
 * audiences that the client has lost since the sign-in are left out.
 */
function grantableOf(session: Session, client: Client, narrowing: Params | undefined) {
  const scopes = session.scope.filter((scope) => client.scopes.includes(scope))
  const audiences = session.audience.filter((audience) => client.audiences.includes(audience))
  if (audiences.length === 0) return 'no_audience_left'
  return {
    scope: narrowScope(narrowing?.get('scope'), scopes),
    audience: narrowing ? chooseAudience(narrowing, audiences, audiences) : audiences,
  }
}

function getsRefreshToken(client: Client, scope: readonly string[]): boolean {
  if (!client.grantTypes.includes('refresh_token') || client.refreshTokens === 'never') return false
  return client.refreshTokens === 'always' || scope.includes(offlineAccess)
}
