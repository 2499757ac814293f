import { type Logger, pino } from 'pino'
import prettyStream from 'pino-pretty'
import { traceMembers } from './spans.ts'

export type Log = Logger

/** Names whose values are redacted wherever they are logged by mistake. */
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

interface LogOptions {
  readonly level: string
  readonly format: 'json' | 'pretty'
  /** File descriptor: 1 by default, 2 for a command whose result goes to standard output. */
  readonly fd?: 1 | 2
  /** The number of this worker process, added to every line. */
  readonly worker?: number | undefined
  /** Adds the ids of the current trace to its lines. */
  readonly isTraced?: boolean
  /** Receives the lines instead, for tests. */
  readonly to?: ((line: string) => void) | undefined
}

/** Size of the buffer for lines that are not read yet; further lines are dropped and counted. */
const mostUnreadBytes = 8 * 1024 * 1024

let dropped = 0

/** Number of lines that this process dropped because their reader was too slow. */
export const droppedLines = (): number => dropped

/** Opens a log of JSON lines with UTC times, or of readable lines. */
export function openLog({ level, format, fd = 1, worker, isTraced, to }: LogOptions): Log {
  const options = {
    level,
    base: worker === undefined ? null : { worker },
    timestamp: pino.stdTimeFunctions.isoTime,
    redact: { paths: secrets.flatMap((name) => [name, `*.${name}`]), censor: '[redacted]' },
    serializers: { err: describeError },
    ...(isTraced && { mixin: () => traceMembers() }),
  }
  if (to) return pino(options, { write: to })
  if (format === 'pretty') return pino(options, pretty(fd))
  const destination = pino.destination({ fd, sync: false, maxLength: mostUnreadBytes })
  const log = pino(options, destination)
  reportDrops(destination, log)
  return log
}

/** Logs how many lines are missing as soon as there is room again. */
function reportDrops(destination: ReturnType<typeof pino.destination>, log: Log): void {
  let missing = 0
  destination.on('drop', () => {
    dropped += 1
    missing += 1
    if (missing > 1) return
    destination.once('drain', () => {
      const lines = missing
      missing = 0
      log.warn({ lines }, 'lines were dropped because the log was read too slowly')
    })
  })
}

/**
 * Redacts the detail of a PostgreSQL error, which quotes the row that violates a constraint, including
 * password hashes. The statement and the constraint are enough.
 */
function describeError(error: Error): object {
  const described = pino.stdSerializers.err(error) as object & { detail?: unknown }
  return described.detail === undefined ? described : { ...described, detail: '[redacted]' }
}

/** Lines for a terminal: time, level, message, and the other fields on the same line. */
const pretty = (fd: 1 | 2) =>
  prettyStream({
    translateTime: 'SYS:HH:MM:ss',
    ignore: 'pid,hostname',
    singleLine: true,
    sync: true,
    destination: fd,
  })
