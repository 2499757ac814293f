import { readdir } from 'node:fs/promises'
import { extname } from 'node:path'
import type { Knex } from 'knex'
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

/** An arbitrary number that no other program on this database is likely to lock. */
const migrationLock = 7_468_385

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

/**
 * Applies pending migrations, each in its own transaction under an advisory lock: one instance migrates at
 * a time, and an interrupted upgrade continues with the next migration. `lock_timeout` keeps a
 * migration from blocking live traffic while it waits for a lock.
 * @returns the migrations that this call applied, without those of other instances
 */
export async function migrate(db: Knex): Promise<string[]> {
  const unlimited = withoutTimeLimit(db)
  try {
    const applied: string[] = []
    for (;;) {
      const next = await unlimited.db.transaction(applyNext)
      if (next === undefined) return applied
      applied.push(next)
    }
  } finally {
    await unlimited.close()
  }
}

async function applyNext(trx: Knex.Transaction): Promise<string | undefined> {
  await trx.raw('SELECT pg_advisory_xact_lock(?)', [migrationLock])
  await trx.raw(`SET LOCAL lock_timeout = '5s'`)
  const [, applied] = await trx.migrate.up({ migrationSource })
  return (applied as string[])[0]
}
