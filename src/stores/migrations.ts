import { readdir } from 'node:fs/promises'
import { extname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Knex } from 'knex'
import { inShortLock, type OnlineOptions, type OnlineStep, runOnline } from './online-steps.ts'
import { withoutTimeLimit } from './postgres.ts'

/** `.ts` in the source tree, `.js` in the build. Recorded names have no extension. */
const extension = extname(import.meta.url)
const folder = new URL('../../migrations/', import.meta.url)

/** The migrations of this release, by name. Shared by the server, the CLI and knexfile.ts. */
export const migrationSource: Knex.MigrationSource<string> = {
  async getMigrations() {
    const files = await readdir(folder)
    return files
      .filter((file) => file.endsWith(extension) && !file.endsWith('.d.ts'))
      .map((file) => file.slice(0, -extension.length))
      .sort()
  },
  getMigrationName: (name) => name,
  getMigration: (name) => import(new URL(name + extension, folder).href),
}

/** Any number that no other program on this database is likely to lock. */
const onlineLock = 7_468_390

type SchemaState = 'current' | 'behind' | 'ahead'

export interface Schema {
  readonly state: SchemaState
  /** Migrations of this release that are not applied. */
  readonly pending: readonly string[]
  /** Applied migrations that this release does not know. */
  readonly unknown: readonly string[]
}

/** Compares the schema of the database with this release. */
export async function inspectSchema(db: Knex): Promise<Schema> {
  const known = await migrationSource.getMigrations([])
  const applied = await appliedMigrations(db)
  const pending = known.filter((name) => !applied.includes(name))
  const unknown = applied.filter((name) => !known.includes(name))
  const state = unknown.length > 0 ? 'ahead' : pending.length > 0 ? 'behind' : 'current'
  return { state, pending, unknown }
}

async function appliedMigrations(db: Knex): Promise<string[]> {
  const { rows } = await db.raw<{ rows: { present: boolean }[] }>(
    `SELECT to_regclass('knex_migrations') IS NOT NULL AS present`,
  )
  if (!rows[0]?.present) return []
  return db('knex_migrations').orderBy('id').pluck('name')
}

export interface MigrateOptions {
  /** Other migrations than those of this release. */
  readonly source?: Knex.MigrationSource<string>
  /** Steps run online in tables of at least this size, in bytes. */
  readonly largeBytes?: number
  /** Receives a sentence now and then while a migration takes long. */
  readonly report?: (sentence: string) => void
}

const megabyte = 1024 * 1024

/**
 * Applies pending migrations, each in its own transaction under an advisory lock: one instance migrates at
 * a time, and an interrupted upgrade continues with the next migration. A migration that has online steps
 * runs them before. `lock_timeout` keeps a migration from blocking live traffic while it waits for a lock;
 * it tries again for a few minutes.
 * @returns the migrations that this call applied, without those of other instances
 * @throws OperatorError if a table stays locked
 */
export async function migrate(db: Knex, options: MigrateOptions = {}): Promise<string[]> {
  const { source = migrationSource, largeBytes = 32 * megabyte, report = () => undefined } = options
  const unlimited = withoutTimeLimit(db)
  try {
    const applied: string[] = []
    for (;;) {
      await prepareNext(source, { db: unlimited.db, largeBytes, report })
      const next = await applyNext(unlimited.db, source, report)
      if (next === undefined) return applied
      applied.push(next)
    }
  } finally {
    await unlimited.close()
  }
}

/**
 * Runs the online steps of the next migration. The lock is held by a transaction that does nothing else. One
 * that waited for it would keep a snapshot, for whose end a concurrent build of an index waits.
 */
async function prepareNext(
  source: Knex.MigrationSource<string>,
  options: OnlineOptions,
): Promise<void> {
  const { db, report } = options
  for (;;) {
    const [name] = await pendingMigrations(db, source)
    if (name === undefined) return
    const steps = await onlineSteps(source, name)
    if (steps.length === 0) return
    const isDone = await db.transaction(async (trx) => {
      await trx.raw('SET LOCAL idle_in_transaction_session_timeout = 0')
      // Without a parameter: the portal of a prepared statement would keep its snapshot, too.
      const { rows } = await trx.raw(`SELECT pg_try_advisory_xact_lock(${onlineLock}) AS locked`)
      if (!rows[0].locked) return false
      // Another instance may have applied it meanwhile.
      const [next] = await pendingMigrations(db, source)
      if (next === name) await runOnline(steps, options)
      return next === name
    })
    if (isDone) return
    report(`${name}: another instance prepares it`)
    await sleep(5000)
  }
}

async function onlineSteps(
  source: Knex.MigrationSource<string>,
  name: string,
): Promise<readonly OnlineStep[]> {
  const migration = (await source.getMigration(name)) as { online?: readonly OnlineStep[] }
  return migration.online ?? []
}

async function pendingMigrations(
  db: Knex,
  source: Knex.MigrationSource<string>,
): Promise<string[]> {
  const applied = await appliedMigrations(db)
  return (await source.getMigrations([])).filter((name) => !applied.includes(name))
}

async function applyNext(
  db: Knex,
  migrationSource: Knex.MigrationSource<string>,
  report: (sentence: string) => void,
): Promise<string | undefined> {
  return inShortLock({ db, report }, async (trx) => {
    const [, applied] = await trx.migrate.up({ migrationSource })
    return (applied as string[])[0]
  })
}
