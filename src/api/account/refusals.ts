import { PasswordError } from '../../passwords/password-policy.ts'
import type { FactsFor, Kind } from '../../throttle/limits.ts'
import type { Throttle } from '../../throttle/throttle.ts'
import { UserError } from '../../users/user.ts'
import { invalidField, Problem } from '../problem.ts'

/** Turns errors of passwords/ and users/ into problems that point at the field with the error. */
export async function asFieldProblems<T>(
  work: () => Promise<T>,
  fields: { readonly password?: string; readonly current?: string } = {},
): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof PasswordError) {
      throw invalidField(fields.password ?? '/password', error.message, error)
    }
    if (error instanceof UserError) throw problemOf(error, fields.current ?? '/password')
    throw error
  }
}

function problemOf(error: UserError, passwordField: string): Problem {
  if (error.reason === 'unknown') return new Problem('not-found')
  if (error.reason === 'wrong_password') return invalidField(passwordField, error.message, error)
  if (error.reason === 'malformed') {
    return new Problem('invalid-fields', { detail: error.message })
  }
  return new Problem('conflict', { detail: error.message })
}

/**
 * Work that a person who has signed in confirms with their password. A wrong password counts as a guess
 * by the holder of the session, and all operations that ask for it share one limit.
 * @throws ThrottledError before `work` is tried
 */
export const confirmed = <T>(
  throttle: Throttle,
  person: string,
  work: () => Promise<T>,
): Promise<T> => countingWrongPasswords(throttle, 'passwordConfirmation', { person }, work)

/**
 * Counts the wrong passwords of `work` against a limit.
 * @throws ThrottledError before `work` is tried
 */
export async function countingWrongPasswords<K extends Kind, T>(
  throttle: Throttle,
  limit: K,
  facts: FactsFor<K>,
  work: () => Promise<T>,
): Promise<T> {
  await using reservation = await throttle.reserve(limit, facts)
  try {
    return await work()
  } catch (error) {
    if (error instanceof UserError && error.reason === 'wrong_password') reservation.failed()
    throw error
  }
}
