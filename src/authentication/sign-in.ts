import type { Client } from '../clients/client.ts'
import { type Lifetimes, lifetimesOf, type TokenResponse, tokenResponse } from '../grants/grant.ts'
import { offlineAccess } from '../oauth/scope.ts'
import type { RefreshFamilies } from '../sessions/refresh-families.ts'
import type { Throttle } from '../throttle/throttle.ts'
import type { AccessTokens } from '../tokens/access-tokens.ts'
import type { EmailAddresses } from '../users/email-addresses.ts'
import type { User } from '../users/user.ts'
import type { Users } from '../users/users.ts'

interface Dependencies {
  readonly users: Users
  readonly families: RefreshFamilies
  readonly accessTokens: AccessTokens
  readonly throttle: Throttle
  readonly emailAddresses: EmailAddresses
  readonly lifetimes: Lifetimes
}

export interface SignInRequest {
  /** Username or e-mail address. */
  readonly identifier: string
  readonly password: string
  readonly client: Client
  readonly scope: readonly string[]
  readonly audience: readonly string[]
  readonly ip: string
  readonly userAgent?: string | undefined
  /** From an earlier sign-in on this device. */
  readonly deviceToken?: string | undefined
}

export type SignInRefusal = 'wrong_credentials' | 'password_change_required'

export type SignedIn =
  | { readonly tokens: TokenResponse; readonly deviceToken: string; readonly user: User }
  | { readonly refused: SignInRefusal }

/**
 * A password becomes a session and its first tokens. The token endpoint and the JSON API both come
 * through here, so that both are throttled, audited and refused alike (ASVS 6.3.4).
 */
export class SignIn {
  readonly #deps: Dependencies

  constructor(deps: Dependencies) {
    this.#deps = deps
  }

  /**
   * @throws Throttled when too many guesses were made before
   * @throws Overloaded before anything was looked up, when more are under way than can be answered in time
   */
  async withPassword(request: SignInRequest): Promise<SignedIn> {
    const { users, throttle } = this.#deps
    const { identifier: account, ip, deviceToken } = request
    // First the line, then admission: an attempt that waits for others of its account is not under
    // way, or a flood of one account would look as if the whole server was late.
    const signedIn = await throttle.inLine({ account, ip, deviceToken }, () =>
      users.admit(() => this.#check(request), ip),
    )
    return signedIn ?? { refused: 'wrong_credentials' }
  }

  /** @returns undefined when the credentials are wrong */
  async #check(request: SignInRequest): Promise<SignedIn | undefined> {
    const { users, throttle, emailAddresses } = this.#deps
    const { identifier, password, client, ip, deviceToken } = request
    const candidate = await users.candidate(identifier)
    const facts = { account: identifier, userId: candidate?.user.id, ip, deviceToken }
    // An unverified address is as good as none, to the throttle too: otherwise whoever registers an
    // address and then signs in with it learns whether it was somebody's (ASVS 6.3.8).
    let unverified: User | undefined
    const checked = await throttle.signIn(facts, async () => {
      const user = await users.authenticate(candidate, password, ip)
      if (!user?.email || user.emailVerifiedAt || client.letsUnverifiedIn) return user
      unverified = user
      return undefined
    })
    if (!checked) {
      await emailAddresses.noteFailedSignIn(unverified, client.id, ip)
      return undefined
    }
    const { person: user, deviceToken: device } = checked
    if (user.mustChangePassword) return { refused: 'password_change_required' }
    const tokens = await this.begin(user, request)
    return tokens && { tokens, deviceToken: device, user }
  }

  /**
   * Begins a session for somebody who has proved themselves.
   * @returns undefined when they or the client were disabled, or got a new password, meanwhile
   */
  async begin(
    user: User,
    { client, scope, audience, ip, userAgent }: Omit<SignInRequest, 'identifier' | 'password'>,
  ): Promise<TokenResponse | undefined> {
    const { families, accessTokens, lifetimes } = this.#deps
    const own = lifetimesOf(client, lifetimes)
    const staysSignedIn = getsRefreshToken(client, scope)
    const begun = await families.begin({
      ...{ user, clientId: client.id, scope, audience, amr: ['pwd'], ip, userAgent },
      idleSeconds: staysSignedIn ? own.sessionIdleSeconds : own.accessTokenSeconds,
      absoluteSeconds: staysSignedIn ? own.sessionAbsoluteSeconds : own.accessTokenSeconds,
    })
    if (!begun) return undefined
    const { sid, authTime, amr } = begun.session
    const seconds = own.accessTokenSeconds
    const token = await accessTokens.issue({
      ...{ subject: user.id, clientId: client.id, audience, scope, seconds },
      person: { sid, authTime, amr, roles: user.roles },
    })
    return tokenResponse(token, scope, staysSignedIn ? begun.token : undefined)
  }
}

function getsRefreshToken(client: Client, scope: readonly string[]): boolean {
  if (!client.grantTypes.includes('refresh_token') || client.refreshTokens === 'never') return false
  return client.refreshTokens === 'always' || scope.includes(offlineAccess)
}
