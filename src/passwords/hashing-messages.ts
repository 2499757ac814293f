import type { Argon2Parameters } from './argon2-hashes.ts'

export type Job =
  | {
      readonly kind: 'verify'
      readonly passwordHash: string
      readonly password: string
      readonly own: Argon2Parameters
    }
  | { readonly kind: 'hash'; readonly password: string; readonly cost: Argon2Parameters }
  | {
      readonly kind: 'strength'
      readonly password: string
      readonly personal: readonly string[]
    }

/** What a server asks of the process that checks passwords. */
export interface Asked {
  readonly id: number
  readonly job: Job
}

/** JSON has no undefined: `null` is a password that nobody can guess. */
export type Result = boolean | string | null

/** What that process says: reasons are for the log, and hold nothing of a password or a hash. */
export type Said =
  | { readonly said: 'ready'; readonly priorityRefused?: string }
  | { readonly said: 'not ready'; readonly reason: string }
  | { readonly said: 'done'; readonly id: number; readonly result: Result }
  | { readonly said: 'failed'; readonly id: number; readonly reason: string }
