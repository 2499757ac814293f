import { randomBytes } from 'node:crypto'
import { argon2id, hash } from 'argon2'
import type { Bulkhead } from '../throttle/bulkhead.ts'
import { readArgon2 } from './argon2-hashes.ts'
import { HashRefused, type PasswordHash } from './hash-limits.ts'
import { readHash } from './legacy-hashes.ts'
import {
  assessPassword,
  longestPassword,
  type PasswordPolicy,
  type PasswordReason,
  PasswordRefused,
} from './password-policy.ts'

export { longestPassword, PasswordRefused, shortestPassword } from './password-policy.ts'

export interface Argon2Cost {
  readonly memoryKib: number
  readonly timeCost: number
}

/** Stands where a hash would, for a person who was imported without one: no password matches it. */
export const noPassword = '!'

/** Hashes and checks passwords: argon2id (RFC 9106), NFKC, behind the bulkhead. */
export class Passwords {
  readonly #bulkhead: Bulkhead
  readonly #options: { type: 2; memoryCost: number; timeCost: number; parallelism: number }
  readonly #policy: PasswordPolicy
  #decoy: Promise<string> | undefined

  constructor(
    bulkhead: Bulkhead,
    { memoryKib, timeCost }: Argon2Cost,
    policy: PasswordPolicy = {},
  ) {
    this.#bulkhead = bulkhead
    this.#options = { type: argon2id, memoryCost: memoryKib, timeCost, parallelism: 1 }
    this.#policy = policy
  }

  /**
   * Every reason against a password, for an answer that names all that is wrong at once.
   * @param personal names and addresses of the person, that it must not be made of
   */
  assess(password: string, personal: readonly string[] = []): Promise<PasswordReason[]> {
    return assessPassword(password, personal, this.#policy)
  }

  /**
   * @param ip who asks, so that all addresses have their turn
   * @throws PasswordRefused when there is a reason against it
   */
  async hash(password: string, personal: readonly string[] = [], ip?: string): Promise<string> {
    const reasons = await this.assess(password, personal)
    if (reasons.length > 0) throw new PasswordRefused(reasons)
    return this.renew(password, ip)
  }

  /** Hashes anew a password that was taken before, whatever the rules are by now. */
  renew(password: string, ip?: string): Promise<string> {
    return this.#bulkhead.run(async () => {
      const made = await hash(password.normalize('NFKC'), this.#options)
      // As the reference implementation writes and reads it, so that an export can go anywhere.
      return made.replace(/\$m=(\d+),p=(\d+),t=(\d+)\$/, '$m=$1,t=$3,p=$2$')
    }, ip)
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
    const known = passwordHash === undefined ? undefined : this.#understood(passwordHash)
    const decoy = readHash(await this.#decoyHash(), this.#own)
    const against = known ?? decoy
    // Longer than any that was ever set: cannot match, and is not worth hashing a megabyte.
    const tooLong = password.length > 4 * longestPassword
    // Other systems hashed what was typed, this one its NFKC: for nearly everybody that is one string.
    const presented = new Set(tooLong ? [''] : [password, password.normalize('NFKC')])
    for (const text of presented) {
      const same = await this.#bulkhead.run(() => against.verify(text), ip)
      if (same) return known !== undefined && !tooLong
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

  get #own() {
    const { memoryCost, timeCost, parallelism } = this.#options
    return { memoryKib: memoryCost, passes: timeCost, lanes: parallelism }
  }

  /** What cannot be verified matches nothing, and costs what a wrong password costs. */
  #understood(passwordHash: string): PasswordHash | undefined {
    try {
      return readHash(passwordHash, this.#own)
    } catch (error) {
      if (error instanceof HashRefused) return undefined
      throw error
    }
  }

  #decoyHash(): Promise<string> {
    this.#decoy ??= hash(randomBytes(32), this.#options)
    return this.#decoy
  }
}
