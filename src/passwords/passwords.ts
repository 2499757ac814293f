import { randomBytes } from 'node:crypto'
import { startSpan, traced } from '../telemetry/spans.ts'
import type { Bulkhead } from './bulkhead.ts'
import { type Argon2Parameters, HashError, readArgon2, readHash } from './hash-formats.ts'
import { type Hashing, hashingHere } from './hashing.ts'
import {
  assessPassword,
  longestPassword,
  PasswordError,
  type PasswordPolicy,
  type PasswordReason,
} from './password-policy.ts'

interface Argon2Cost {
  readonly memoryKib: number
  readonly timeCost: number
}

/** A password of 144 random bits, to be shown once. */
export const generatePassword = (): string => randomBytes(18).toString('base64url')

/** Stored instead of a hash for a person without a password: no password matches it. */
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
   * Every reason against a new password, for an answer that lists all errors at once.
   * @param personal names and addresses of the person, which the password must not consist of
   * @param ip the caller, so that all addresses are served in turn
   * @throws OverloadedError
   */
  assess(
    password: string,
    personal: readonly string[] = [],
    ip?: string,
  ): Promise<PasswordReason[]> {
    return assessPassword(password, personal, this.#policy, (text, words) =>
      this.#run('assess', () => this.#hashing.whyGuessable(text, words), ip),
    )
  }

  /**
   * Hashes a new password.
   * @param personal names and addresses of the person, which the password must not consist of
   * @param ip the caller, so that all addresses are served in turn
   * @throws PasswordError when the policy refuses it
   * @throws OverloadedError before any work, when too many checks are waiting
   */
  async hash(password: string, personal: readonly string[] = [], ip?: string): Promise<string> {
    using _admission = this.enter(ip)
    const reasons = await this.assess(password, personal, ip)
    if (reasons.length > 0) throw new PasswordError(reasons)
    return await this.renew(password, ip)
  }

  /** Hashes an accepted password again; the policy may have changed since. */
  renew(password: string, ip?: string): Promise<string> {
    const text = password.normalize('NFKC')
    return this.#run('hash', () => this.#hashing.hash(text, this.#own), ip)
  }

  /**
   * Admits work that will check or set a password. Disposing of the admission ends it.
   * @throws OverloadedError before any work, when too many checks are waiting
   */
  enter(ip?: string): Disposable {
    return this.#bulkhead.enter(ip)
  }

  /**
   * Takes the same time with and without a hash to compare with, so that the time does not reveal
   * whether a person exists (ASVS 6.3.8). Another system's hash costs what it cost there, once.
   */
  async matches(password: string, passwordHash: string | undefined, ip?: string): Promise<boolean> {
    const isKnown = passwordHash !== undefined && this.#isReadable(passwordHash)
    const against = isKnown ? passwordHash : this.#decoy
    // Longer than any password that was ever set: it cannot match, so do not hash a megabyte.
    const tooLong = password.length > 4 * longestPassword
    // Other systems hashed the typed string, this one hashes its NFKC form; the two are usually equal.
    const presented = new Set(tooLong ? [''] : [password, password.normalize('NFKC')])
    for (const text of presented) {
      const check = () => this.#hashing.verify(against, text, this.#own)
      const same = await this.#run('verify', check, ip)
      if (same) return isKnown && !tooLong
    }
    return false
  }

  /** True if the hash is another system's, or the configured cost has changed since. */
  isOutdated(passwordHash: string): boolean {
    const cost = passwordHash.startsWith('$argon2id$v=19$') ? readArgon2(passwordHash) : undefined
    const { memoryKib, passes, lanes } = this.#own
    if (cost?.memoryKib !== memoryKib) return true
    return cost.passes !== passes || cost.lanes !== lanes
  }

  /** Runs a job behind the bulkhead; a trace shows how long it waited. */
  #run<T>(name: string, job: () => Promise<T>, ip?: string): Promise<T> {
    const queue = startSpan('password queue')
    const work = () => {
      queue?.end()
      return traced(`password ${name}`, job)
    }
    return this.#bulkhead.run(work, ip).finally(() => queue?.end())
  }

  /** A hash that cannot be verified matches no password, and costs the same as a wrong password. */
  #isReadable(passwordHash: string): boolean {
    try {
      readHash(passwordHash, this.#own)
      return true
    } catch (error) {
      if (error instanceof HashError) return false
      throw error
    }
  }
}

/** A random hash of no password: comparing with it costs the same as comparing with a real one. */
function decoyOf({ memoryKib, passes, lanes }: Argon2Parameters): string {
  const [salt, tag] = [randomBytes(16), randomBytes(32)].map((bytes) =>
    bytes.toString('base64').replaceAll('=', ''),
  )
  return `$argon2id$v=19$m=${memoryKib},t=${passes},p=${lanes}$${salt}$${tag}`
}
