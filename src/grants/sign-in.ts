import type { Turn } from '../authentication/account-lines.ts'
import type { GuessLimiter } from '../authentication/guess-limiter.ts'
import type {
  PasswordAttempt,
  PasswordFactor,
  PasswordRefusal,
} from '../authentication/password.ts'
import type { Passwords } from '../passwords/passwords.ts'
import type { User } from '../users/user.ts'
import type { TokenResponse } from './grant.ts'
import type { SessionRequest, SessionTokens } from './session-tokens.ts'

interface Dependencies {
  readonly guesses: GuessLimiter
  readonly passwords: Passwords
  readonly passwordFactor: PasswordFactor
  readonly sessionTokens: SessionTokens
}

type SignInRequest = PasswordAttempt & SessionRequest

export interface SignedIn {
  readonly user: User
  readonly tokens: TokenResponse
  /** Makes this device known for its next sign-in. */
  readonly deviceToken: string
}

type SignInResult = SignedIn | { readonly refused: PasswordRefusal }

/**
 * A password becomes a session and its first tokens. The token endpoint and the JSON API both sign
 * people in here, so that both are limited, audited and refused in the same way (ASVS 6.3.4).
 */
export class SignIn {
  readonly #deps: Dependencies

  constructor(deps: Dependencies) {
    this.#deps = deps
  }

  /**
   * @throws ThrottledError after too many guesses
   * @throws OverloadedError before anything is looked up, when too many sign-ins are running
   */
  async withPassword(request: SignInRequest): Promise<SignInResult> {
    const { identifier: account, device, deviceToken } = request
    using turn = await this.#deps.guesses.enterLine({ account, ip: device.ip, deviceToken })
    for (;;) {
      try {
        return await this.#attempt(request, turn)
      } catch (error) {
        await turn.retryAfter(error)
      }
    }
  }

  async #attempt(request: SignInRequest, turn: Turn): Promise<SignInResult> {
    const { passwords, passwordFactor, sessionTokens } = this.#deps
    // Admission comes after the line: an attempt that waits for others of its account does not run, or
    // a flood on one account would make the whole server look late.
    using _admission = passwords.enter(request.device.ip)
    const outcome = await passwordFactor.verify(request, turn)
    if ('refused' in outcome) return outcome
    const { authentication, deviceToken } = outcome
    const tokens = await sessionTokens.begin(authentication, request)
    if (!tokens) return { refused: 'wrong_credentials' }
    return { user: authentication.user, tokens, deviceToken }
  }
}
