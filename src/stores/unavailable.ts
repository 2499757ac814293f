import pg from 'pg'
import { UnavailableError } from '../errors.ts'

/**
 * SQLSTATE classes and codes of temporary failures (PostgreSQL appendix A). Errors of the setup are among them
 * (28, 3D000), because callers can only try again later.
 */
const passing = /^(08(?!P01)|28|3D000|53|57P0[1-5]|57014|55000|55P03|25006|40001|40P01)/

/** From PostgreSQL it is a bug; PgBouncer uses it for every failure, and then ends the connection. */
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

/** Errors of pg and knex; knex puts the statement and a dash before the message. */
const clientSide =
  /(^| - )(Connection terminated|Query read timeout|timeout exceeded when trying to connect|timeout expired|Client has encountered a connection error|The server does not support SSL|Unable to acquire a connection)/i

/**
 * True if an error means that a dependency, mostly the database, is unreachable, full or overloaded: the
 * request is valid, and the caller should try again later (503).
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

/** True if PostgreSQL refused a statement for its own sake: it did nothing, and one row of many may be the reason. */
export const wasRefused = (error: unknown): boolean =>
  error instanceof pg.DatabaseError && !isUnavailable(error)

const advice: Readonly<Record<string, string>> = {
  [protocolViolation]: 'the pooler in front of PostgreSQL refuses: its message says why',
  '28000': 'no rule of PostgreSQL admits this user from here: check pg_hba.conf and DATABASE_URL',
  '28P01': 'PostgreSQL refuses the password in DATABASE_URL',
  '3D000': 'the database in DATABASE_URL does not exist: create it, then run signet migrate',
  '53100': 'the disk of PostgreSQL is full: free space on it',
  '53200': 'PostgreSQL is out of memory: lower its settings or add memory',
  '53300': 'PostgreSQL has no connection left: lower DATABASE_POOL_SIZE',
  '25006': 'PostgreSQL is read-only: point DATABASE_URL at the primary',
  '55000':
    'PostgreSQL is in the wrong state, such as a standby in recovery: point DATABASE_URL at the primary',
  '55P03': 'a lock in PostgreSQL was not free in time: pg_blocking_pids() shows its holder',
  '57014':
    'PostgreSQL cancelled the statement: check statement_timeout, and pg_stat_activity for locks',
  '57P01': 'PostgreSQL ended the connection: it is shutting down, or an administrator ended it',
  '57P03': 'PostgreSQL is starting or shutting down: wait',
  '40001': 'transactions were in conflict: nothing to do, unless it continues',
  '40P01': 'transactions were in conflict: nothing to do, unless it continues',
}

/** Advice for errors of pg, which have no SQLSTATE. */
const adviceByMessage: readonly [RegExp, string][] = [
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
    'PostgreSQL has TLS switched off (ssl = off), but sslmode in DATABASE_URL requires it',
  ],
]

/** Advice for the operator about an error, in one sentence, for the log. */
export function whatToDo(error: unknown): string {
  if (error instanceof UnavailableError) return error.advice
  const { code, message } = (error ?? {}) as { code?: unknown; message?: unknown }
  const known = advice[String(code)]
  if (known) return known
  const [, text] = adviceByMessage.find(([pattern]) => pattern.test(String(message))) ?? []
  return text ?? 'PostgreSQL does not answer: check that it runs and that DATABASE_URL reaches it'
}
