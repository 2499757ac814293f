import { PasswordError } from '../../passwords/password-policy.ts'
import { UserError } from '../../users/user.ts'
import { invalidField, Problem } from '../problem.ts'

/** What the rooms below refuse, as problems with the field that is wrong. */
export async function asFieldProblems<T>(
  work: () => Promise<T>,
  fields: { readonly password?: string; readonly current?: string } = {},
): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof PasswordError) {
      throw invalidField(fields.password ?? '/password', error.message)
    }
    if (error instanceof UserError) throw refusedUser(error, fields.current ?? '/password')
    throw error
  }
}

function refusedUser(error: UserError, passwordField: string): Problem {
  if (error.reason === 'unknown') return new Problem('not-found')
  if (error.reason === 'wrong_password') return invalidField(passwordField, error.message)
  if (error.reason === 'malformed') {
    return new Problem('invalid-fields', { detail: error.message })
  }
  return new Problem('conflict', { detail: error.message })
}
