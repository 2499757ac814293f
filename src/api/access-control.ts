import { authorizationHeaders } from '../http/client-authentication.ts'
import type { Context } from '../http/context.ts'
import { accessCookie, readCookie } from '../http/cookies.ts'
import type { AccessTokens, VerifiedAccessToken } from '../tokens/access-tokens.ts'
import { apiKeyMethod } from '../tokens/api-keys.ts'
import { faultText } from '../tokens/token-fault.ts'
import { adminRole, type User } from '../users/user.ts'
import type { Users } from '../users/users.ts'
import { Problem } from './problem.ts'

/** The permitted callers: anyone, anyone (signed in or not), a signed-in person, or an administrator. */
export type Access = 'public' | 'optional' | 'person' | 'administrator'

/** Scopes of tokens for the JSON API. */
export const accountScope = 'account'
export const adminScope = 'admin'

/** The caller of an operation. */
export interface Person {
  readonly user: User
  /** The session, or the API key, that the token comes from. */
  readonly sid: string
  readonly clientId: string
  readonly token: VerifiedAccessToken
}

interface Dependencies {
  readonly accessTokens: AccessTokens
  readonly users: Users
  readonly sameOrigin: SameOrigin
  /** The audience of tokens for this API: the issuer itself. */
  readonly issuer: string
}

/**
 * Authorizes people: RFC 6750 with a token for this server's own API, from the header or, in cookie mode,
 * from the cookie. The token says who it is; whether they are enabled and an administrator is read from the
 * database, so that a change of roles takes effect at once (ASVS 8.3.2).
 */
export class AccessControl {
  readonly #deps: Dependencies

  constructor(deps: Dependencies) {
    this.#deps = deps
  }

  /** @throws Problem 401 or 403 with the challenge of RFC 6750 §3 */
  async authorize(ctx: Context, access: Access): Promise<Person | undefined> {
    if (access === 'public') return undefined
    if (access === 'optional') return this.#authorizeIfSignedIn(ctx)
    const token = await this.#tokenOf(ctx)
    const { verified, fault } = await this.#deps.accessTokens.examine(token)
    if (!verified) throw invalidToken(faultText(fault))
    const { sid, sub, aud, client_id: clientId, scope } = verified.claims
    if (!sid) throw invalidToken('person: the client acts for itself')
    if (![aud].flat().includes(this.#deps.issuer)) {
      throw invalidToken('audience: it is for another service', sid)
    }
    if (await this.#deps.accessTokens.isRevoked(verified)) throw invalidToken('revocation', sid)
    const user = await this.#deps.users.find(sub)
    if (!user || user.disabledAt) throw invalidToken('person: disabled or deleted', sid)
    ctx.state.facts.userId = user.id
    const wanted = access === 'administrator' ? adminScope : accountScope
    if (!scope.split(' ').includes(wanted)) throw insufficientScope(wanted)
    if (access === 'administrator' && !user.roles.includes(adminRole)) {
      throw new Problem('forbidden')
    }
    // A leaked key must not create another one, nor end what a person would need to notice it.
    const isReading = ctx.method === 'GET' && access === 'person'
    if (verified.claims.amr?.includes(apiKeyMethod) && !isReading) {
      throw new Problem('forbidden', { detail: 'API keys cannot do this: sign in instead' })
    }
    return { user, sid, clientId, token: verified }
  }

  /** A token in the header must be valid. An expired cookie is ignored: browsers send cookies unasked. */
  async #authorizeIfSignedIn(ctx: Context): Promise<Person | undefined> {
    if (ctx.get('authorization') !== '') return this.authorize(ctx, 'person')
    if (readCookie(ctx, accessCookie) === undefined) return undefined
    return this.authorize(ctx, 'person').catch((error) => {
      if (error instanceof Problem) return undefined
      throw error
    })
  }

  async #tokenOf(ctx: Context): Promise<string> {
    const [authorization, ...more] = authorizationHeaders(ctx.req)
    if (more.length > 0) throw severalTokens()
    if (authorization !== undefined) {
      const [, token] = /^bearer +([\w.~+/-]+=*) *$/i.exec(authorization) ?? []
      if (token === undefined) throw invalidToken('form: no Bearer token')
      return token
    }
    const cookie = readCookie(ctx, accessCookie)
    if (cookie === undefined) throw noToken()
    this.#deps.sameOrigin.check(ctx)
    return cookie
  }
}

/** RFC 6750 §3.1: without credentials the challenge names no error. */
const noToken = () =>
  new Problem('unauthenticated', { headers: { 'www-authenticate': 'Bearer realm="signet"' } })

/** RFC 6750 §2 and §3.1: a token is sent in one way, once. */
const severalTokens = () =>
  new Problem('malformed-request', {
    detail: 'send one Authorization header, not several',
    headers: { 'www-authenticate': 'Bearer realm="signet", error="invalid_request"' },
  })

/** One answer for every cause: who presents a token that is not theirs learns nothing from it. */
const invalidToken = (cause: string, sid?: string) =>
  new Problem('unauthenticated', {
    cause,
    sid,
    detail: 'the access token is not valid for this API',
    headers: { 'www-authenticate': 'Bearer realm="signet", error="invalid_token"' },
  })

const insufficientScope = (scope: string) =>
  new Problem('forbidden', {
    detail: `the access token lacks the scope ${scope}`,
    headers: {
      'www-authenticate': `Bearer realm="signet", error="insufficient_scope", scope="${scope}"`,
    },
  })

/**
 * Refuses calls that would use somebody's cookies from a foreign page (ASVS 3.5.1): a call that changes
 * something comes from an origin on the list. New browsers enforce SameSite=Strict; this protects all.
 */
export class SameOrigin {
  readonly #allowed: ReadonlySet<string>

  /** @param origins of this server and of the apps that may use its cookies */
  constructor(origins: readonly string[]) {
    this.#allowed = new Set(origins)
  }

  /** @throws Problem `foreign-origin` */
  check(ctx: Context): void {
    if (ctx.method === 'GET' || ctx.method === 'HEAD') return
    const origin = ctx.get('origin')
    const site = ctx.get('sec-fetch-site')
    if (origin !== '' ? this.#allowed.has(origin) : site === 'same-origin') return
    throw new Problem('foreign-origin')
  }
}
