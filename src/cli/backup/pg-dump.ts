import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { once } from 'node:events'
import type { FileHandle } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { OperatorError } from '../../errors.ts'

/** Seconds to wait for a table that is locked, as by a migration. */
const lockSeconds = 60
/** Lines of its errors that are kept. */
const mostLines = 20

/** PostgreSQL's own program for backups, and the connection for it. */
export interface PgDump {
  /** A name on the PATH, or a path. */
  readonly program: string
  readonly environment: NodeJS.ProcessEnv
  /** The major version of the server, for advice. */
  readonly server: number
  /** True if the server is the embedded PostgreSQL, whose folder can be copied instead. */
  readonly isEmbedded: boolean
}

interface Dump {
  /** As pg_export_snapshot() returned it, in a transaction that is still open. */
  readonly snapshot: string
  readonly output: FileHandle
  readonly signal: AbortSignal
  readonly onProgress: (bytes: number, table: string) => void
}

/** @throws OperatorError if there is no such program */
export async function assertRuns(dump: PgDump): Promise<void> {
  const { program, environment: env } = dump
  const child = spawn(program, ['--version'], { env, stdio: 'ignore' })
  const [code] = await once(child, 'close').catch((cause) => {
    const why = cause.code === 'ENOENT' ? 'is not there' : `cannot be run (${cause.code})`
    throw new OperatorError(`${program} ${why}. ${install(dump)}`, { cause })
  })
  if (code === 0) return
  throw new OperatorError(`${program} --version failed. ${install(dump)}`)
}

/**
 * Writes the database, as the snapshot sees it, in the custom format of pg_dump.
 * @throws OperatorError with the message of pg_dump, and what to do
 */
export async function dumpDatabase(pgDump: PgDump, dump: Dump): Promise<void> {
  const { snapshot, output, signal, onProgress } = dump
  const args = [
    '--format=custom',
    '--no-password',
    `--snapshot=${snapshot}`,
    `--lock-wait-timeout=${lockSeconds * 1000}`,
    // Counters of attempts and the record of refusals: a crash empties them, too.
    '--no-unlogged-table-data',
    // Names the table that it is at. If this process is killed, it also ends pg_dump: nobody reads the pipe.
    '--verbose',
  ]
  const child = spawn(pgDump.program, args, {
    env: pgDump.environment,
    // A file, not a pipe: pg_dump then notes where each table is, which parallel pg_restore needs.
    stdio: ['ignore', output.fd, 'pipe'],
    signal,
  }) as ChildProcessByStdio<null, null, Readable>
  const closed = once(child, 'close')
  // Handled below; an abort rejects it before anybody awaits it.
  closed.catch(() => undefined)
  let table = ''
  const errors: string[] = []
  const lines = createInterface({ input: child.stderr })
  lines.on('line', (line) => {
    table = /dumping contents of table "?([^"]+)/.exec(line)?.[1] ?? table
    if (/^pg_dump: (?!error|warning|detail|hint)/.test(line)) return
    errors.push(line.slice(0, 1000))
    if (errors.length > mostLines) errors.shift()
  })
  const watch = setInterval(() => {
    output.stat().then(
      ({ size }) => onProgress(size, table),
      () => undefined,
    )
  }, 1000)
  try {
    const [code, killedBy] = await closed
    if (code === 0) return
    throw new OperatorError(explainDump(pgDump, errors, killedBy))
  } catch (error) {
    // After an abort it may still be writing.
    if (child.pid !== undefined && child.exitCode === null && child.signalCode === null) {
      await once(child, 'exit')
    }
    throw error
  } finally {
    clearInterval(watch)
    lines.close()
  }
}

export const noSpace = 'There is no space for the backup: free some, or choose another folder.'

const advices: readonly (readonly [RegExp, (dump: PgDump) => string])[] = [
  [/No space left on device|Disk quota exceeded|File too large/, () => noSpace],
  [/server version mismatch/, (dump) => install(dump)],
  [
    /permission denied for/,
    () =>
      'Use a DATABASE_URL whose user owns the tables, or has the role pg_read_all_data ' +
      '(docs/operations.md#backups).',
  ],
  [
    /root certificate file/,
    () =>
      'Name the certificates that pg_dump shall trust with sslrootcert in DATABASE_URL, such as ' +
      '/etc/ssl/certs/ca-certificates.crt.',
  ],
  [
    /snapshot/,
    () =>
      'It must reach the same server as Signet: use the URL of PostgreSQL itself, not of a proxy.',
  ],
  [
    /LOCK TABLE/,
    () => `A table was locked for ${lockSeconds} s, as by signet migrate: try again after it.`,
  ],
]

function explainDump(
  dump: PgDump,
  errors: readonly string[],
  killedBy: NodeJS.Signals | null,
): string {
  const said = errors.join('\n')
  const [, advise] = advices.find(([pattern]) => pattern.test(said)) ?? []
  const reason = said || `it ended ${killedBy ? `by ${killedBy}` : 'without a message'}`
  return [`pg_dump failed, so there is no backup:\n${reason}`, ...(advise ? [advise(dump)] : [])]
    .join('\n')
    .trim()
}

function install({ server, isEmbedded }: PgDump): string {
  const advice =
    `Install the client programs of PostgreSQL ${server} or newer (Debian: apt-get install ` +
    `postgresql-client-${server}), or name theirs with --pg-dump.`
  if (!isEmbedded) return advice
  return `${advice} Or stop the server, and copy DATA_DIR and KEYS_DIR: the embedded PostgreSQL has no pg_dump.`
}
