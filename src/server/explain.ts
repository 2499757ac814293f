import { ZodError } from 'zod'
import { OperatorError } from '../errors.ts'
import { isUnavailable, whatToDo } from '../stores/unavailable.ts'

/** At setup a missing privilege is an operator's error, not a bug. */
const insufficientPrivilege = '42501'

/** Describes an error for the terminal: the message of an expected error, the stack of a bug. */
export function explain(error: unknown): string {
  if (error instanceof ZodError) {
    return error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('\n')
  }
  if (!(error instanceof Error)) return String(error)
  if (error instanceof OperatorError) return error.message
  const { code = '', path } = error as NodeJS.ErrnoException
  if (code === insufficientPrivilege) {
    return `The user in DATABASE_URL lacks a privilege. It must own the database, or be granted the privilege (${error.message})`
  }
  if (isUnavailable(error)) return `${whatToDo(error)} (${reason(error)})`
  // The message of a file system error names the file.
  if (path !== undefined) return error.message
  return error.stack ?? error.message
}

/** A connection attempt at several addresses has its reasons in an AggregateError. */
const reason = (error: Error): string =>
  error.message || (error as AggregateError).errors?.map(String).join('; ') || error.name
