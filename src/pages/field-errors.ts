import { Problem } from '../api/problem.ts'
import { PasswordError } from '../passwords/password-policy.ts'
import { UserError } from '../users/user.ts'
import type { Messages } from './languages/en.ts'

/** The sentence for each field that is wrong, by its name. */
export type FieldErrors = Readonly<Record<string, string>>

/**
 * The errors of a form that can be sent again, in the language of the page.
 * @param password the field that holds a new password
 * @returns undefined for an error that no change of a field would mend
 */
export function fieldErrorsOf(
  error: unknown,
  messages: Messages,
  password = 'new_password',
): FieldErrors | undefined {
  if (error instanceof PasswordError) return { [password]: passwordSentence(error, messages) }
  if (error instanceof UserError && error.reason === 'wrong_password') {
    return { password: messages.passwordWrong }
  }
  if (!(error instanceof Problem) || error.type !== 'invalid-fields') return undefined
  if (error.cause !== undefined) return fieldErrorsOf(error.cause, messages, password)
  return Object.fromEntries(
    error.errors.map(({ pointer }) => {
      const name = pointer.slice(1)
      return [name, sentenceOf(name, messages)]
    }),
  )
}

function passwordSentence({ reasons }: PasswordError, { passwordFaults }: Messages): string {
  return reasons.map(({ code }) => passwordFaults[code]).join(' ')
}

function sentenceOf(name: string, messages: Messages): string {
  if (name === 'email') return messages.emailInvalid
  return name === 'full_name' ? messages.fullNameInvalid : messages.passwordMissing
}
