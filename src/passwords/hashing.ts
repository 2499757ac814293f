import { argon2id, hash } from 'argon2'
import type { Argon2Parameters } from './argon2-hashes.ts'
import { readHash } from './legacy-hashes.ts'
import { whyGuessable } from './password-strength.ts'

/** Work with passwords that takes a core for a while: hashes, ours and those of other systems, and strength. */
export interface Hashing {
  /**
   * @param own the cost that this server hashes with: never beyond the limits, whatever it is
   * @throws HashRefused when nobody should compute that
   */
  verify(passwordHash: string, password: string, own: Argon2Parameters): Promise<boolean>
  hash(password: string, cost: Argon2Parameters): Promise<string>
  /** Why the password can be guessed, in a sentence or two; undefined when it cannot. */
  whyGuessable(password: string, personal: readonly string[]): Promise<string | undefined>
  /** So many jobs more than there are threads: who is on its way when a thread becomes free. */
  readonly ahead: number
  /** How often a process that does it has died: never, where there is none. */
  readonly deaths: number
}

/** In this process, for commands, and inside the process that does it for a server. */
export const hashingHere: Hashing = {
  ahead: 0,
  deaths: 0,
  whyGuessable,
  async verify(passwordHash, password, own) {
    return readHash(passwordHash, own).verify(password)
  },
  async hash(password, { memoryKib, passes, lanes }) {
    const options = { memoryCost: memoryKib, timeCost: passes, parallelism: lanes }
    const made = await hash(password, { type: argon2id, ...options })
    // As the reference implementation writes and reads it, so that an export can go anywhere.
    return made.replace(/\$m=(\d+),p=(\d+),t=(\d+)\$/, '$m=$1,t=$3,p=$2$')
  },
}
