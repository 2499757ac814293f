import type { Client } from '../clients/client.ts'
import type { Now } from '../clock.ts'
import type { EmailAddresses } from '../users/email-addresses.ts'
import type { User } from '../users/user.ts'
import type { Users } from '../users/users.ts'
import type { Turn } from './account-lines.ts'
import { type Authentication, type Device, passwordAuthentication } from './authentication.ts'
import type { GuessLimiter } from './guess-limiter.ts'

interface Dependencies {
  readonly users: Users
  readonly guesses: GuessLimiter
  readonly emailAddresses: EmailAddresses
  readonly now: Now
}

/** A name and a password from a device, for one client. */
export interface PasswordAttempt {
  /** Username or email address. */
  readonly identifier: string
  readonly password: string
  readonly client: Client
  readonly device: Device
  /** From an earlier sign-in on this device. */
  readonly deviceToken?: string | undefined
}

export type PasswordRefusal = 'wrong_credentials' | 'password_change_required'

export type PasswordOutcome =
  | { readonly authentication: Authentication; readonly deviceToken: string }
  | { readonly refused: 'wrong_credentials' }
  /** The password was right. */
  | { readonly refused: 'password_change_required'; readonly user: User }

/** The password as a factor of authentication. Admission and the line of the account come before it. */
export class PasswordFactor {
  readonly #deps: Dependencies

  constructor(deps: Dependencies) {
    this.#deps = deps
  }

  /**
   * Unknown, disabled, unverified and wrong are one answer that takes one time (ASVS 6.3.8).
   * @param turn the caller's place in the line of the account
   * @throws ThrottledError before the password is checked, after too many guesses
   */
  async verify(attempt: PasswordAttempt, turn: Turn): Promise<PasswordOutcome> {
    const { users, guesses, emailAddresses, now } = this.#deps
    const { identifier, password, client, device, deviceToken } = attempt
    const candidate = await users.candidate(identifier)
    await using guess = await guesses.reserve({
      account: identifier,
      userId: candidate?.user.id,
      ip: device.ip,
      deviceToken,
    })
    const user = await users.authenticate(candidate, password, device.ip)
    if (!user || mustVerifyAddress(user, client)) {
      guess.failed()
      await emailAddresses.noteFailedSignIn(user, client.id, device.ip)
      return { refused: 'wrong_credentials' }
    }
    const nextDeviceToken = await guess.succeeded(user.id)
    turn.succeeded()
    if (user.mustChangePassword) return { refused: 'password_change_required', user }
    const knownSince = guesses.knownSince(deviceToken, user.id)
    const authentication = passwordAuthentication(user, now(), { ...device, knownSince })
    return { authentication, deviceToken: nextDeviceToken }
  }
}

/**
 * An unverified address counts as no account, also for the guess limit. Otherwise anybody who registers
 * an address and signs in with it would learn whether it belonged to somebody (ASVS 6.3.8).
 */
const mustVerifyAddress = (user: User, client: Client): boolean =>
  user.email !== null && !user.emailVerifiedAt && !client.letsUnverifiedIn
