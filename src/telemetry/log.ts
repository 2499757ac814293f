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

/** Of lines that nobody has read yet; what comes beyond is dropped and counted. */
const mostUnreadBytes = 8 * 1024 * 1024

let dropped = 0

/** Lines that this process has dropped, because nobody read those before. */
export const droppedLines = (): number => dropped

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
  if (format === 'pretty') return pino(options, pretty(fd))
  const destination = pino.destination({ fd, sync: false, maxLength: mostUnreadBytes })
  const log = pino(options, destination)
  reportDrops(destination, log)
  return log
}

/** Says how many lines are missing as soon as there is room for a line again. */
function reportDrops(destination: ReturnType<typeof pino.destination>, log: Log): void {
  let missing = 0
  destination.on('drop', () => {
    dropped += 1
    missing += 1
    if (missing > 1) return
    destination.once('drain', () => {
      const lines = missing
      missing = 0
      log.warn({ lines }, 'lines were dropped: nobody read the log fast enough')
    })
  })
}

/**
 * PostgreSQL quotes the row that breaks a constraint, password hash and all, or its key. The statement
 * and the constraint say enough.
 */
function describeError(error: Error): object {
  const described = pino.stdSerializers.err(error) as object & { detail?: unknown }
  return described.detail === undefined ? described : { ...described, detail: '[redacted]' }
}
