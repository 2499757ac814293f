import { ZodError } from 'zod'
import { OperatorError } from '../errors.ts'
import { isUnavailable, whatToDo } from '../stores/unavailable.ts'

/** A right that is missing is a bug to a server; to whoever sets one up it is a step that is missing. */
const insufficientPrivilege = '42501'

/** What went wrong, for the terminal. */
export function explain(error: unknown): string {
  if (error instanceof ZodError) {
    return error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('\n')
  }
  if (!(error instanceof Error)) return String(error)
  if (error instanceof OperatorError) return error.message
  const { code = '', path } = error as NodeJS.ErrnoException
  if (code === insufficientPrivilege) {
    return `The user in DATABASE_URL lacks a right: it must own the database, or be granted it (${error.message})`
  }
  if (isUnavailable(error)) return `${whatToDo(error)} (${reason(error)})`
  // A file that cannot be read or written: the system's own words name it.
  if (path !== undefined) return error.message
  return error.stack ?? error.message
}

/** A connection that was tried at several addresses keeps its reasons inside. */
const reason = (error: Error): string =>
  error.message || (error as AggregateError).errors?.map(String).join('; ') || error.name
