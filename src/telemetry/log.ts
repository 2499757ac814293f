import { type Logger, pino } from 'pino'
import { pretty } from './pretty.ts'

export type Log = Logger

/** Names whose values never reach the log, wherever somebody puts them by mistake. */
const secrets = [
  'authorization',
  'password',
  'client_secret',
  'client_assertion',
  'refresh_token',
  'access_token',
  'token',
  'secret',
]

export interface LogOptions {
  readonly level: string
  readonly format: 'json' | 'pretty'
  /** 1, the standard output, when absent; 2 for a command whose output is its answer. */
  readonly fd?: 1 | 2
  /** Which of several processes of one server this is; on every line. */
  readonly worker?: number | undefined
  /** Where the lines go instead; for tests. */
  readonly to?: ((line: string) => void) | undefined
}

/** One JSON object a line, UTC; or readable lines for people. */
export function openLog({ level, format, fd = 1, worker, to }: LogOptions): Log {
  const options = {
    level,
    base: worker === undefined ? null : { worker },
    timestamp: pino.stdTimeFunctions.isoTime,
    redact: { paths: secrets.flatMap((name) => [name, `*.${name}`]), censor: '[redacted]' },
    serializers: { err: describeError },
  }
  if (to) return pino(options, { write: to })
  return pino(options, format === 'pretty' ? pretty(fd) : pino.destination({ fd, sync: false }))
}

/**
 * PostgreSQL quotes the whole row that breaks a constraint, password hash and all, where a violated
 * key names only the key. The statement and the constraint say enough.
 */
function describeError(error: Error): object {
  const described = pino.stdSerializers.err(error) as object & { detail?: unknown }
  return /^Failing row/.test(String(described.detail ?? ''))
    ? { ...described, detail: '[redacted]' }
    : described
}
