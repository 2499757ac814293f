import { UserError } from '../../users/user.ts'
import { fieldErrorsOf } from '../field-errors.ts'
import type { Language } from '../languages/languages.ts'

/** The sentence for each field that is wrong, by its name; `form` is for none of them. */
export type FieldErrors = Record<string, string>

/**
 * Runs the use case of a form.
 * @returns what is wrong with the fields; undefined when it is done
 */
export async function errorsOf(
  language: Language,
  work: () => Promise<unknown>,
): Promise<FieldErrors | undefined> {
  try {
    await work()
    return undefined
  } catch (error) {
    const errors = fieldErrors(error, language)
    if (!errors) throw error
    return errors
  }
}

function fieldErrors(
  error: unknown,
  { messages, accountMessages: texts }: Language,
): FieldErrors | undefined {
  if (!(error instanceof UserError)) return fieldErrorsOf(error, messages)
  switch (error.reason) {
    case 'wrong_password':
      return fieldErrorsOf(error, messages)
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
