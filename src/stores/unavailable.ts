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

/** Why the database did not answer, for the log: what operators search and count by. */
interface Outage {
  readonly cause: string
  /** For the operator, in one sentence. */
  readonly advice: string
}

/** The same outage under each of these codes. */
const sameOutage = (codes: readonly string[], outage: Outage): Readonly<Record<string, Outage>> =>
  Object.fromEntries(codes.map((code) => [code, outage]))

/** Codes of Node.js and OpenSSL for certificates that TLS refuses (verify(1) of OpenSSL lists them). */
const certificates: Readonly<Record<string, Outage>> = {
  ...sameOutage(
    [
      'DEPTH_ZERO_SELF_SIGNED_CERT',
      'SELF_SIGNED_CERT_IN_CHAIN',
      'UNABLE_TO_GET_ISSUER_CERT',
      'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
      'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
      'CERT_SIGNATURE_FAILURE',
      'CERT_UNTRUSTED',
      'INVALID_CA',
    ],
    {
      cause: 'untrusted_certificate',
      advice:
        'the certificate of PostgreSQL is not from an authority that is trusted: name the certificate of its ' +
        'authority with sslrootcert in DATABASE_URL',
    },
  ),
  ...sameOutage(['ERR_TLS_CERT_ALTNAME_INVALID'], {
    cause: 'wrong_certificate_name',
    advice:
      'the certificate of PostgreSQL is for another name than the host in DATABASE_URL: use a name that it has',
  }),
  ...sameOutage(['CERT_HAS_EXPIRED', 'CERT_NOT_YET_VALID'], {
    cause: 'expired_certificate',
    advice:
      'the certificate of PostgreSQL has expired, or is not valid yet: renew it, and check the clocks',
  }),
}

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
  if (certificates[String(code)]) return true
  if (code === protocolViolation && severity === 'FATAL') return true
  if (error instanceof AggregateError) return error.errors.some(isUnavailable)
  return clientSide.test(error.message) || (error.cause !== undefined && isUnavailable(error.cause))
}

/** True if PostgreSQL refused a statement for its own sake: it did nothing, and one row of many may be the reason. */
export const wasRefused = (error: unknown): boolean =>
  error instanceof pg.DatabaseError && !isUnavailable(error)

const bySqlState: Readonly<Record<string, Outage>> = {
  [protocolViolation]: {
    cause: 'pooler_refused',
    advice: 'the pooler in front of PostgreSQL refuses: its message says why',
  },
  '28000': {
    cause: 'not_admitted',
    advice: 'no rule of PostgreSQL admits this user from here: check pg_hba.conf and DATABASE_URL',
  },
  '28P01': {
    cause: 'wrong_password',
    advice: 'PostgreSQL refuses the password in DATABASE_URL',
  },
  '3D000': {
    cause: 'no_such_database',
    advice: 'the database in DATABASE_URL does not exist: create it, then run signet migrate',
  },
  '53100': { cause: 'disk_full', advice: 'the disk of PostgreSQL is full: free space on it' },
  '53200': {
    cause: 'out_of_memory',
    advice: 'PostgreSQL is out of memory: lower its settings or add memory',
  },
  '53300': {
    cause: 'too_many_connections',
    advice: 'PostgreSQL has no connection left: lower DATABASE_POOL_SIZE',
  },
  '25006': {
    cause: 'read_only',
    advice: 'PostgreSQL is read-only: point DATABASE_URL at the primary',
  },
  '55000': {
    cause: 'wrong_state',
    advice:
      'PostgreSQL is in the wrong state, such as a standby in recovery: point DATABASE_URL at the primary',
  },
  '55P03': {
    cause: 'lock_timeout',
    advice: 'a lock in PostgreSQL was not free in time: pg_blocking_pids() shows its holder',
  },
  '57014': {
    cause: 'statement_cancelled',
    advice:
      'PostgreSQL cancelled the statement: check statement_timeout, and pg_stat_activity for locks',
  },
  '57P01': {
    cause: 'connection_ended',
    advice: 'PostgreSQL ended the connection: it is shutting down, or an administrator ended it',
  },
  '57P03': { cause: 'starting', advice: 'PostgreSQL is starting or shutting down: wait' },
  '40001': {
    cause: 'conflict',
    advice: 'transactions were in conflict: nothing to do, unless it continues',
  },
  '40P01': {
    cause: 'conflict',
    advice: 'transactions were in conflict: nothing to do, unless it continues',
  },
}

const reachIt = 'PostgreSQL does not answer: check that it runs and that DATABASE_URL reaches it'

const byNetwork: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection_refused',
  ENOTFOUND: 'unknown_host',
  EAI_AGAIN: 'unknown_host',
  EHOSTUNREACH: 'unreachable',
  ENETUNREACH: 'unreachable',
  ETIMEDOUT: 'no_answer',
}

/** Errors of pg, which have no SQLSTATE. */
const byMessage: readonly (readonly [RegExp, Outage])[] = [
  [
    /Query read timeout|last statement took too long/,
    {
      cause: 'statement_timeout',
      advice:
        'PostgreSQL did not finish a statement within DATABASE_TIMEOUT_SECONDS: check that it runs, and in ' +
        'pg_stat_activity what it waits for',
    },
  ],
  [
    /timeout exceeded when trying to connect/,
    {
      cause: 'pool_full',
      advice:
        'no connection was free within DATABASE_TIMEOUT_SECONDS: check that PostgreSQL is not slow, then raise ' +
        'DATABASE_POOL_SIZE',
    },
  ],
  [
    /server does not support SSL/,
    {
      cause: 'no_tls',
      advice:
        'PostgreSQL has TLS switched off (ssl = off), but sslmode in DATABASE_URL requires it',
    },
  ],
]

/** The cause of an error for which `isUnavailable` is true, and advice for the operator. */
export function outageOf(error: unknown): Outage {
  if (error instanceof UnavailableError) return { cause: error.message, advice: error.advice }
  const { code, message, errors, cause } = (error ?? {}) as {
    code?: unknown
    message?: unknown
    errors?: unknown
    cause?: unknown
  }
  const known = bySqlState[String(code)] ?? certificates[String(code)]
  if (known) return known
  const [, outage] = byMessage.find(([pattern]) => pattern.test(String(message))) ?? []
  if (outage) return outage
  // A host with several addresses has a refusal of each, and the janitor a failure of each task.
  if (code === undefined && Array.isArray(errors)) return outageOf(errors[0])
  if (code === undefined && cause !== undefined) return outageOf(cause)
  return { cause: byNetwork[String(code)] ?? 'connection_lost', advice: reachIt }
}

/**
 * Members of the log line of a background job that failed. In an outage every job fails every few seconds,
 * and the cause says more than a stack.
 */
export const failureMembers = (error: unknown): object =>
  [error instanceof AggregateError ? error.errors : error].flat().every(isUnavailable)
    ? { ...outageOf(error) }
    : { err: error }

/** Advice for the operator about an error, in one sentence, for the log. */
export const whatToDo = (error: unknown): string => outageOf(error).advice
