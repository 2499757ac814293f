/** A hash that was understood. */
export interface PasswordHash {
  verify(password: string): Promise<boolean>
}

/** A hash that nobody here can, or should, verify; the message says why and never shows the hash. */
export class HashError extends Error {
  override readonly name = 'HashError'
}

export const hashLimits = {
  bcryptCost: 14,
  scryptMemoryKib: 262_144,
  /** N · r · p: 2^22 is 4 times what is recommended. */
  scryptWork: 2 ** 22,
  pbkdf2Iterations: 5_000_000,
  argon2MemoryKib: 262_144,
  /** Memory in KiB times passes: a gibibyte once. */
  argon2Work: 1_048_576,
  argon2Lanes: 16,
} as const

export function bound(what: string, value: number, limit: number): void {
  if (value > limit) throw new HashError(`${what} is ${value}, more than the limit ${limit}`)
}
