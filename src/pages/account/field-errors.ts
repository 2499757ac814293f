import { PasswordError } from '../../passwords/password-policy.ts'
import { UserError } from '../../users/user.ts'
import type { AccountMessages } from '../languages/account-en.ts'

/** The sentence for each field that is wrong, by its name; `form` is for none of them. */
export type FieldErrors = Record<string, string>

/**
 * Runs the use case of a form.
 * @returns what is wrong with the fields; undefined when it is done
 */
export async function errorsOf(
  texts: AccountMessages,
  work: () => Promise<unknown>,
): Promise<FieldErrors | undefined> {
  try {
    await work()
    return undefined
  } catch (error) {
    const errors = fieldErrors(error, texts)
    if (!errors) throw error
    return errors
  }
}

function fieldErrors(error: unknown, texts: AccountMessages): FieldErrors | undefined {
  if (error instanceof PasswordError) {
    const [reason] = error.reasons
    return { new_password: texts.passwordFaults[reason?.code ?? 'guessable'] }
  }
  if (!(error instanceof UserError)) return undefined
  switch (error.reason) {
    case 'wrong_password':
      return { password: texts.wrongPassword }
    case 'taken':
      return { username: texts.usernameTaken }
    case 'malformed':
      return { username: texts.usernameRule }
    case 'last_admin':
      return { form: texts.lastAdmin }
    case 'unknown':
      return { form: texts.deleted }
  }
}
