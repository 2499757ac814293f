import type { Turn } from '../authentication/account-lines.ts'
import type { Authentication } from '../authentication/authentication.ts'
import type { GuessLimiter } from '../authentication/guess-limiter.ts'
import type {
  PasswordAttempt,
  PasswordFactor,
  PasswordOutcome,
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

/** The result of `start`, and the token that makes the device known. */
interface Begun<Result> {
  readonly authentication: Authentication
  readonly result: Result
  readonly deviceToken: string
}

type Refused = Exclude<PasswordOutcome, { readonly authentication: Authentication }>

/**
 * A password becomes a session of a client or of a browser. The token endpoint, the JSON API and the pages all
 * sign people in here, so that they are limited, audited and refused in the same way (ASVS 6.3.4).
 */
export class SignIn {
  readonly #deps: Dependencies

  constructor(deps: Dependencies) {
    this.#deps = deps
  }

  /**
   * Begins a session of a client, with its first tokens.
   * @throws ThrottledError after too many guesses
   * @throws OverloadedError before anything is looked up, when too many sign-ins are running
   */
  async withPassword(request: SignInRequest): Promise<SignInResult> {
    const { sessionTokens } = this.#deps
    const begun = await this.begin(request, (authentication) =>
      sessionTokens.begin(authentication, request),
    )
    if ('refused' in begun) return { refused: begun.refused }
    const { authentication, result, deviceToken } = begun
    return { user: authentication.user, tokens: result, deviceToken }
  }

  /**
   * Verifies a password, and begins with the authentication whatever the caller wants to begin.
   * @param start returns undefined when the person was disabled, or the password changed, meanwhile
   * @throws ThrottledError after too many guesses
   * @throws OverloadedError before anything is looked up, when too many sign-ins are running
   */
  async begin<Result extends object>(
    attempt: PasswordAttempt,
    start: (authentication: Authentication) => Promise<Result | undefined>,
  ): Promise<Begun<Result> | Refused> {
    const { identifier: account, device, deviceToken } = attempt
    using turn = await this.#deps.guesses.enterLine({ account, ip: device.ip, deviceToken })
    for (;;) {
      try {
        return await this.#attempt(attempt, turn, start)
      } catch (error) {
        await turn.retryAfter(error)
      }
    }
  }

  async #attempt<Result extends object>(
    attempt: PasswordAttempt,
    turn: Turn,
    start: (authentication: Authentication) => Promise<Result | undefined>,
  ): Promise<Begun<Result> | Refused> {
    const { passwords, passwordFactor } = this.#deps
    // Admission comes after the line: an attempt that waits for others of its account does not run, or
    // a flood on one account would make the whole server look late.
    using _admission = passwords.enter(attempt.device.ip)
    const outcome = await passwordFactor.verify(attempt, turn)
    if ('refused' in outcome) return outcome
    const { authentication, deviceToken } = outcome
    const result = await start(authentication)
    return result ? { authentication, result, deviceToken } : { refused: 'wrong_credentials' }
  }
}
