import { randomBytes } from 'node:crypto'
import { type Argon2Parameters, readArgon2 } from './argon2-hashes.ts'
import type { Bulkhead } from './bulkhead.ts'
import { HashError } from './hash-limits.ts'
import { type Hashing, hashingHere } from './hashing.ts'
import { readHash } from './legacy-hashes.ts'
import {
  assessPassword,
  longestPassword,
  PasswordError,
  type PasswordPolicy,
  type PasswordReason,
} from './password-policy.ts'

export { longestPassword, PasswordError, shortestPassword } from './password-policy.ts'

export interface Argon2Cost {
  readonly memoryKib: number
  readonly timeCost: number
}

/** A password of 144 random bits that is shown once. */
export const generatePassword = (): string => randomBytes(18).toString('base64url')

/** Stands where a hash would, for a person who was imported without one: no password matches it. */
export const noPassword = '!'

/** Hashes and checks passwords: argon2id (RFC 9106), NFKC, behind the bulkhead. */
export class Passwords {
  readonly #bulkhead: Bulkhead
  readonly #own: Argon2Parameters
  readonly #policy: PasswordPolicy
  readonly #hashing: Hashing
  readonly #decoy: string

  constructor(
    bulkhead: Bulkhead,
    { memoryKib, timeCost }: Argon2Cost,
    policy: PasswordPolicy = {},
    hashing: Hashing = hashingHere,
  ) {
    this.#bulkhead = bulkhead
    this.#own = { memoryKib, passes: timeCost, lanes: 1 }
    this.#policy = policy
    this.#hashing = hashing
    this.#decoy = decoyOf(this.#own)
  }

  /**
   * Every reason against a password, for an answer that names all that is wrong at once.
   * @param personal names and addresses of the person, that it must not be made of
   * @param ip who asks, so that all addresses have their turn
   * @throws Overloaded
   */
  assess(
    password: string,
    personal: readonly string[] = [],
    ip?: string,
  ): Promise<PasswordReason[]> {
    return assessPassword(password, personal, this.#policy, (text, words) =>
      this.#bulkhead.run(() => this.#hashing.whyGuessable(text, words), ip),
    )
  }

  /**
   * @param ip who asks, so that all addresses have their turn
   * @throws PasswordRefused when there is a reason against it
   * @throws Overloaded before anything was done, when there is no room for it
   */
  hash(password: string, personal: readonly string[] = [], ip?: string): Promise<string> {
    return this.admit(async () => {
      const reasons = await this.assess(password, personal, ip)
      if (reasons.length > 0) throw new PasswordError(reasons)
      return this.renew(password, ip)
    }, ip)
  }

  /** Hashes anew a password that was taken before, whatever the rules are by now. */
  renew(password: string, ip?: string): Promise<string> {
    const text = password.normalize('NFKC')
    return this.#bulkhead.run(() => this.#hashing.hash(text, this.#own), ip)
  }

  /**
   * What will check or set a password soon, if there is room for it.
   * @throws Overloaded before anything was done
   */
  admit<T>(work: () => Promise<T>, ip?: string): Promise<T> {
    return this.#bulkhead.admit(work, ip)
  }

  /**
   * Costs the same whether there is a hash to compare with or not, so that nobody learns from the
   * time whether a person exists (ASVS 6.3.8). Another system's hash costs what it cost there, once.
   */
  async matches(password: string, passwordHash: string | undefined, ip?: string): Promise<boolean> {
    const isKnown = passwordHash !== undefined && this.#isUnderstood(passwordHash)
    const against = isKnown ? passwordHash : this.#decoy
    // Longer than any that was ever set: cannot match, and is not worth hashing a megabyte.
    const tooLong = password.length > 4 * longestPassword
    // Other systems hashed what was typed, this one its NFKC: for nearly everybody that is one string.
    const presented = new Set(tooLong ? [''] : [password, password.normalize('NFKC')])
    for (const text of presented) {
      const check = () => this.#hashing.verify(against, text, this.#own)
      const same = await this.#bulkhead.run(check, ip)
      if (same) return isKnown && !tooLong
    }
    return false
  }

  /** Whether the hash is another system's, or the parameters have moved since it was made. */
  isOutdated(passwordHash: string): boolean {
    const made = passwordHash.startsWith('$argon2id$v=19$') ? readArgon2(passwordHash) : undefined
    const { memoryKib, passes, lanes } = this.#own
    if (made?.memoryKib !== memoryKib) return true
    return made.passes !== passes || made.lanes !== lanes
  }

  /** What cannot be verified matches nothing, and costs what a wrong password costs. */
  #isUnderstood(passwordHash: string): boolean {
    try {
      readHash(passwordHash, this.#own)
      return true
    } catch (error) {
      if (error instanceof HashError) return false
      throw error
    }
  }
}

/** A hash of no password at all, which nobody finds: comparing with it costs what any other costs. */
function decoyOf({ memoryKib, passes, lanes }: Argon2Parameters): string {
  const [salt, tag] = [randomBytes(16), randomBytes(32)].map((bytes) =>
    bytes.toString('base64').replaceAll('=', ''),
  )
  return `$argon2id$v=19$m=${memoryKib},t=${passes},p=${lanes}$${salt}$${tag}`
}
