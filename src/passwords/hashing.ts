import { argon2id, hash } from 'argon2'
import { type Argon2Parameters, readHash } from './hash-formats.ts'
import { whyGuessable } from './password-strength.ts'

/** Work that keeps a core busy for a while: hashing, verifying and estimating the strength of a password. */
export interface Hashing {
  /**
   * @param own the cost that this server hashes with, which is always within the limits
   * @throws HashError when the hash is unknown or beyond the limits
   */
  verify(passwordHash: string, password: string, own: Argon2Parameters): Promise<boolean>
  hash(password: string, cost: Argon2Parameters): Promise<string>
  /** Why the password is easy to guess, in a sentence or two; undefined when it is not. */
  whyGuessable(password: string, personal: readonly string[]): Promise<string | undefined>
  /** Extra jobs kept in flight beyond the thread count, so that no thread idles between jobs. */
  readonly ahead: number
  /** How often the process for this work has died. */
  readonly deaths: number
}

/** In this process: for commands, and inside the hashing process of a server. */
export const hashingHere: Hashing = {
  ahead: 0,
  deaths: 0,
  whyGuessable,
  async verify(passwordHash, password, own) {
    return readHash(passwordHash, own).verify(password)
  },
  async hash(password, { memoryKib, passes, lanes }) {
    const options = { memoryCost: memoryKib, timeCost: passes, parallelism: lanes }
    const phc = await hash(password, { type: argon2id, ...options })
    // In the order of the reference implementation, so that every system can read an export.
    return phc.replace(/\$m=(\d+),p=(\d+),t=(\d+)\$/, '$m=$1,t=$3,p=$2$')
  },
}
