/** SQLSTATE classes and codes that mean "not now", not "wrong": PostgreSQL appendix A. */
const passing = /^(08|53|57P0[1-5]|57014|55P03|25006|40001|40P01)/

const network = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ECONNABORTED',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
])

/** No store, and as passing: the process that checks passwords (users/hashing-process.ts). */
const passwordsAway = 'PASSWORD_PROCESS_AWAY'

/** knex puts the statement before the message, with a dash between. */
const clientSide =
  /(^| - )(Connection terminated|Query read timeout|timeout exceeded when trying to connect|timeout expired|Client has encountered a connection error|Unable to acquire a connection)/i

/**
 * Whether an error says that what the server needs, the database nearly always, is away, full or
 * overloaded: the caller should try again later (503), and nothing is wrong with the request.
 */
export function isUnavailable(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  const { code, name } = error as Error & { code?: unknown }
  if (name === 'KnexTimeoutError' || code === passwordsAway) return true
  if (typeof code === 'string' && (network.has(code) || passing.test(code))) return true
  if (error instanceof AggregateError) return error.errors.some(isUnavailable)
  return clientSide.test(error.message) || (error.cause !== undefined && isUnavailable(error.cause))
}

/** What an operator should do about it, in one sentence, for the log. */
export function whatToDo(error: unknown): string {
  const code = String((error as { code?: unknown } | undefined)?.code ?? '')
  if (code === passwordsAway) return 'no process checks passwords: an earlier line says why'
  if (code === '53100') return 'the disk of PostgreSQL is full: free space on it'
  if (code === '53300') return 'PostgreSQL has no connection left: lower DATABASE_POOL_SIZE'
  if (code === '25006') return 'PostgreSQL is read-only: point DATABASE_URL at the primary'
  return 'PostgreSQL does not answer: check that it runs and that DATABASE_URL reaches it'
}
