import { UnavailableError } from '../errors.ts'

/**
 * SQLSTATE classes and codes that mean "not now", not "wrong": PostgreSQL appendix A. The database's setup is
 * among them (28, 3D000): whoever calls can do nothing about it but try again later.
 */
const passing = /^(08(?!P01)|28|3D000|53|57P0[1-5]|57014|55000|55P03|25006|40001|40P01)/

/** PostgreSQL means a bug by it; PgBouncer says everything with it, and then ends the connection. */
const protocolViolation = '08P01'

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

/** knex puts the statement before the message, with a dash between. */
const clientSide =
  /(^| - )(Connection terminated|Query read timeout|timeout exceeded when trying to connect|timeout expired|Client has encountered a connection error|The server does not support SSL|Unable to acquire a connection)/i

/**
 * Whether an error says that what the server needs, the database nearly always, is away, full or
 * overloaded: the caller should try again later (503), and nothing is wrong with the request.
 */
export function isUnavailable(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  if (error instanceof UnavailableError) return true
  const { code, name, severity } = error as Error & { code?: unknown; severity?: unknown }
  if (name === 'KnexTimeoutError') return true
  if (typeof code === 'string' && (network.has(code) || passing.test(code))) return true
  if (code === protocolViolation && severity === 'FATAL') return true
  if (error instanceof AggregateError) return error.errors.some(isUnavailable)
  return clientSide.test(error.message) || (error.cause !== undefined && isUnavailable(error.cause))
}

const advice: Readonly<Record<string, string>> = {
  [protocolViolation]: 'the pooler in front of PostgreSQL refuses: its words say why',
  '28000': 'PostgreSQL lets this user in from here by no rule: see pg_hba.conf and DATABASE_URL',
  '28P01': 'PostgreSQL refuses the password in DATABASE_URL',
  '3D000':
    'the database that DATABASE_URL names does not exist: create it, signet migrate does the rest',
  '53100': 'the disk of PostgreSQL is full: free space on it',
  '53200': 'PostgreSQL has no memory left: lower its settings or give it more',
  '53300': 'PostgreSQL has no connection left: lower DATABASE_POOL_SIZE',
  '25006': 'PostgreSQL is read-only: point DATABASE_URL at the primary',
  '55000':
    'PostgreSQL is not in the state for this, as a standby in recovery: point DATABASE_URL at the primary',
  '55P03': 'a lock in PostgreSQL was not free in time: pg_blocking_pids() names who holds it',
  '57014':
    'PostgreSQL cancelled the statement: see statement_timeout, and pg_stat_activity for locks',
  '57P01': 'PostgreSQL ended the connection: it is shutting down, or an administrator did it',
  '57P03': 'PostgreSQL is starting or shutting down: wait',
  '40001': "transactions were in each other's way: nothing to do, unless it goes on",
  '40P01': "transactions were in each other's way: nothing to do, unless it goes on",
}

/** What pg says on our side, where there is no SQLSTATE. */
const adviceByWords: readonly [RegExp, string][] = [
  [
    /Query read timeout|last statement took too long/,
    'PostgreSQL did not finish a statement within DATABASE_TIMEOUT_SECONDS: check that it runs, and in ' +
      'pg_stat_activity what it waits for',
  ],
  [
    /timeout exceeded when trying to connect/,
    'no connection was free within DATABASE_TIMEOUT_SECONDS: check that PostgreSQL is not slow, then raise ' +
      'DATABASE_POOL_SIZE',
  ],
  [
    /server does not support SSL/,
    'PostgreSQL has TLS switched off (ssl = off), and DATABASE_URL asks for it with sslmode',
  ],
]

/** What an operator should do about it, in one sentence, for the log. */
export function whatToDo(error: unknown): string {
  if (error instanceof UnavailableError) return error.advice
  const { code, message } = (error ?? {}) as { code?: unknown; message?: unknown }
  const known = advice[String(code)]
  if (known) return known
  const [, words] = adviceByWords.find(([pattern]) => pattern.test(String(message))) ?? []
  return words ?? 'PostgreSQL does not answer: check that it runs and that DATABASE_URL reaches it'
}
