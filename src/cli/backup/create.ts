import type { Command } from 'commander'
import type { Knex } from 'knex'
import type pg from 'pg'
import type { Config } from '../../config/config.ts'
import { OperatorError } from '../../errors.ts'
import { openDatabase } from '../../server/open-database.ts'
import { openingForCommand } from '../../server/open-runtime.ts'
import { stopSignals } from '../../server/stop-signals.ts'
import { inspectSchema } from '../../stores/migrations.ts'
import { withoutTimeLimit } from '../../stores/postgres.ts'
import { answers, example, moment } from '../output.ts'
import { openProgress } from '../progress.ts'
import { libpqEnvironment } from './libpq-environment.ts'
import {
  type Description,
  describe,
  type Manifest,
  manifestOf,
  sha256Of,
  sizeText,
} from './manifest.ts'
import { assertFree, createFile, fileAt } from './new-file.ts'
import { assertRuns, dumpDatabase, noSpace, type PgDump } from './pg-dump.ts'

export function createCommand(backup: Command): void {
  const command = backup
    .command('create')
    .description(
      'back up the database with pg_dump, while it is in use; beside the file is a manifest, without secrets, ' +
        'for signet backup inspect and verify',
    )
    .argument(
      '<path>',
      'a new file, for pg_restore; or a folder for files with the time in their names',
    )
    .option('--pg-dump <program>', 'no older than the server', 'pg_dump')
  example(
    command,
    'signet backup create signet-2026-12-01.dump',
    'signet backup create /var/backups',
  )
  const release = backup.parent?.version() ?? ''
  answers<{ pgDump: string }>(command, async ({ pgDump }, path = '') => {
    const file = await fileAt(path, new Date())
    await assertFree(file)
    await assertFree(manifestOf(file))
    const opening = openingForCommand()
    const database = await openDatabase(opening)
    const patient = withoutTimeLimit(database.db)
    try {
      await assertSchema(database.db, opening.config)
      const { embedded } = database
      const url = opening.config.DATABASE_URL ?? embedded?.url ?? ''
      const program: PgDump = {
        program: pgDump,
        environment: libpqEnvironment(url, opening.config.DATABASE_TIMEOUT_SECONDS),
        server: await assertDirect(database.pool),
        isEmbedded: embedded !== undefined,
      }
      await assertRuns(program)
      const manifest = await withSnapshot(patient.db, (trx, snapshot) =>
        write({ file, release, pgDump: program }, trx, snapshot),
      )
      const json = { file, manifest_file: manifestOf(file), ...manifest }
      return { json, text: textOf(file, manifest) }
    } finally {
      await patient.close()
      await database.close()
    }
  })
}

async function assertSchema(db: Knex, { DATABASE_ALLOW_NEWER }: Config): Promise<void> {
  const { rows } = await db.raw(`SELECT to_regclass('signing_keys') IS NOT NULL AS present`)
  if (!rows[0].present) {
    throw new OperatorError(
      'The database has no tables of Signet, so there is nothing to back up: check DATABASE_URL.',
    )
  }
  const { state, unknown } = await inspectSchema(db)
  if (state !== 'ahead' || DATABASE_ALLOW_NEWER) return
  throw new OperatorError(
    `The database is of a newer release (unknown to this one: ${unknown.join(', ')}). Back it up with that ` +
      'release, or set DATABASE_ALLOW_NEWER=true if you have gone back by one release.',
  )
}

/**
 * A pooler gives clients process ids of its own. Through one, pg_dump could reach another server than the one
 * that has the snapshot, and in transaction mode its settings, among them an empty search_path, would stay on
 * connections of the server.
 * @returns the major version of the server
 */
async function assertDirect(pool: pg.Pool): Promise<number> {
  const client = await pool.connect()
  try {
    const { rows } = await client.query(
      `SELECT pg_backend_pid() AS pid, current_setting('server_version_num')::int / 10000 AS major`,
    )
    const { processID } = client as unknown as { processID: number }
    if (rows[0].pid === processID) return rows[0].major
    throw new OperatorError(
      'DATABASE_URL leads to a pooler, such as PgBouncer, through which pg_dump must not run. Use the direct ' +
        'URL of PostgreSQL for this command.',
    )
  } finally {
    client.release()
  }
}

/** Others can read what this transaction sees, as long as it is open. */
async function withSnapshot<T>(
  db: Knex,
  work: (trx: Knex.Transaction, snapshot: string) => Promise<T>,
): Promise<T> {
  const options = { isolationLevel: 'repeatable read', readOnly: true } as const
  const trx = await db.transaction(options)
  try {
    // It waits for pg_dump, whatever the role allows.
    await trx.raw('SET LOCAL idle_in_transaction_session_timeout = 0')
    await trx.raw('SET LOCAL statement_timeout = 0')
    const { rows } = await trx.raw('SELECT pg_export_snapshot() AS snapshot')
    return await work(trx, rows[0].snapshot)
  } finally {
    // It has changed nothing, and its connection may have been lost since pg_dump took the snapshot over.
    await trx.rollback().catch(() => undefined)
  }
}

interface Backup {
  readonly file: string
  /** The release of this command. */
  readonly release: string
  readonly pgDump: PgDump
}

/** Reacts to signals from now on, because there are files to remove. */
async function write(backup: Backup, trx: Knex.Transaction, snapshot: string): Promise<Manifest> {
  const description = await describe(trx)
  const { requested: signal } = stopSignals()
  try {
    return await writeFiles(backup, description, snapshot, signal)
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException
    if (['ENOSPC', 'EDQUOT'].includes(code)) throw new OperatorError(noSpace, { cause: error })
    if (!signal.aborted) throw error
    throw new OperatorError('Interrupted: there is no backup.', { cause: error })
  }
}

async function writeFiles(
  { file, release, pgDump }: Backup,
  description: Description,
  snapshot: string,
  signal: AbortSignal,
): Promise<Manifest> {
  const progress = openProgress(undefined)
  await using archive = await createFile(file)
  await using beside = await createFile(manifestOf(file))
  const { output, temporary } = archive
  await dumpDatabase(pgDump, {
    snapshot,
    output,
    signal,
    onProgress: (bytes, table) =>
      progress.update(bytes, `${sizeText(bytes)} written${table && `, at ${table}`}`),
  })
  const onRead = (bytes: number) => progress.update(bytes, `${sizeText(bytes)} read again`)
  const sum = await sha256Of(temporary, onRead, signal)
  progress.end()
  const manifest: Manifest = { format: 1, release, ...description, ...sum }
  await beside.output.writeFile(`${JSON.stringify(manifest, null, 2)}\n`)
  signal.throwIfAborted()
  await archive.publish()
  await beside.publish()
  return manifest
}

function textOf(file: string, manifest: Manifest): string {
  const { bytes, people, clients, sessions, master_keys, newest_event } = manifest
  const newest = newest_event ? moment(new Date(newest_event.at)) : 'none'
  return [
    `Wrote ${file} (${sizeText(bytes)}) and ${manifestOf(file)}.`,
    `It has ${people} people, ${clients} clients and ${sessions} sessions; the newest audit event: ${newest}.`,
    'Copy both to another machine.',
    ...(master_keys.length > 0
      ? [
          `Keep master key ${master_keys.join(', ')} in another place: nothing else opens the secrets in it.`,
        ]
      : []),
  ].join('\n')
}
