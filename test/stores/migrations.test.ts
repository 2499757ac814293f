import test, { type ExecutionContext } from 'ava'
import { inspectSchema, migrate, migrationSource } from '../../src/stores/migrations.ts'
import { openPostgres } from '../../src/stores/postgres.ts'
import { eventually } from '../../tools/eventually.ts'
import { copyTemplate, startServer } from '../support/server/start-server.ts'

function open(t: ExecutionContext, url: string, timeoutSeconds = 10) {
  const postgres = openPostgres({ url, poolSize: 4, timeoutSeconds })
  t.teardown(postgres.close)
  return postgres
}

/** A database from which all is gone again, and how many migrations that took. */
async function emptyDatabase(t: ExecutionContext, timeoutSeconds?: number) {
  const url = await copyTemplate(t)
  const { db } = open(t, url, timeoutSeconds)
  const [, undone] = await db.migrate.rollback({ migrationSource }, true)
  return { url, db, undone: undone as string[] }
}

const schemaOf = async (db: ReturnType<typeof open>['db']) => {
  const { rows } = await db.raw(
    `SELECT table_name, column_name, data_type, is_nullable FROM information_schema.columns
      WHERE table_schema = 'public' ORDER BY 1, 2`,
  )
  const { rows: indexes } = await db.raw(
    `SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1`,
  )
  const { rows: checks } = await db.raw(
    `SELECT pg_get_constraintdef(oid) AS def FROM pg_constraint
      WHERE connamespace = 'public'::regnamespace ORDER BY 1`,
  )
  return { rows, indexes, checks }
}

test('every migration undone and reapplied → the same schema', async (t) => {
  const before = await schemaOf(open(t, await copyTemplate(t)).db)
  const { db, undone } = await emptyDatabase(t)
  t.deepEqual([...undone].sort(), await migrationSource.getMigrations([]))
  const { rows } = await db.raw(
    `SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename NOT LIKE 'knex%'`,
  )
  t.deepEqual(rows, [], 'nothing is left')
  t.deepEqual((await inspectSchema(db)).state, 'behind')
  t.deepEqual(await migrate(db), await migrationSource.getMigrations([]))
  t.like(await inspectSchema(db), { state: 'current', pending: [], unknown: [] })
  t.deepEqual(await schemaOf(db), before)
  t.deepEqual(await migrate(db), [], 'a second time there is nothing to do')
})

test('several concurrent migrations → each one is applied once, and all wait for the last', async (t) => {
  const { url } = await emptyDatabase(t)
  const starts = [1, 2, 3, 4].map(() => migrate(open(t, url).db))
  const applied = await Promise.all(starts)
  t.deepEqual(applied.flat().sort(), await migrationSource.getMigrations([]))
})

test('a migration that waits longer than the statement timeout → it continues', async (t) => {
  const { url, db } = await emptyDatabase(t)
  const held = await db.transaction()
  await held.raw('SELECT pg_advisory_xact_lock(7468385)')
  const migrating = migrate(open(t, url, 1).db)
  await eventually(async () => {
    const { rows } = await db.raw(
      `SELECT 1 FROM pg_locks JOIN pg_stat_activity USING (pid)
        WHERE locktype = 'advisory' AND NOT granted AND now() - query_start > interval '2 s'
          AND datname = current_database()`,
    )
    return rows.length > 0
  }, 'it has waited for two seconds')
  await held.rollback()
  t.is((await migrating).length, (await migrationSource.getMigrations([])).length)
})

test('a migration is killed in the middle → no partial change, no lock, and the next run continues', async (t) => {
  const { url, db } = await emptyDatabase(t)
  // This migration finds its table there, waits for the transaction that made it, and is killed.
  const blocker = await db.transaction()
  await blocker.raw('CREATE TABLE janitor_runs (x int)')
  const migrating = migrate(open(t, url).db)
  const failed = t.throwsAsync(migrating)
  const isWaiting = async () => {
    const { rows } = await db.raw(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND wait_event_type = 'Lock' AND pid <> pg_backend_pid()`,
    )
    return rows.length > 0
  }
  await eventually(isWaiting, 'the migration waits, and is killed')
  await failed
  await blocker.rollback()
  t.false(await db.schema.hasTable('janitor_runs'))
  const { pending } = await inspectSchema(db)
  t.regex(pending[0] ?? '', /janitor_runs/)
  t.deepEqual(await migrate(db), pending)
})

test('an upgrade → no table is locked against reads while an index is built or rows are read', async (t) => {
  const { db } = open(t, await copyTemplate(t))
  const all = await migrationSource.getMigrations([])
  const ours = all.filter((name) => name.startsWith('20261130'))
  for (const _ of ours) await db.migrate.down({ migrationSource })
  const locking: string[] = []
  for (const name of ours) {
    const { locked, built } = await db.transaction(async (trx) => {
      const { rows } = await trx.raw(
        `SELECT oid FROM pg_class WHERE relkind = 'r' AND oid >= 16384`,
      )
      const before = rows.map(({ oid }: { oid: number }) => oid)
      const indexes = async () => {
        const found = await trx.raw(`SELECT indexrelid FROM pg_index WHERE indrelid = ANY (?)`, [
          before,
        ])
        return found.rows.length
      }
      const indexesBefore = await indexes()
      const [, [applied]] = await trx.migrate.up({ migrationSource })
      t.is(applied, name)
      const { rows: locked } = await trx.raw(
        `SELECT relation::regclass::text AS name FROM pg_locks
          WHERE pid = pg_backend_pid() AND mode = 'AccessExclusiveLock' AND relation = ANY (?) ORDER BY 1`,
        [before],
      )
      return {
        locked: locked.map((row: { name: string }) => row.name),
        built: (await indexes()) - indexesBefore,
      }
    })
    if (locked.length > 0) t.is(built, 0, `${name} builds an index`)
    if (locked.length > 0) locking.push(`${name}: ${locked.join()}`)
  }
  t.deepEqual(locking, [
    '20261130030001_revocation_bounds: revocations',
    '20261130060001_identifier_columns: users',
    '20261130070002_verify_by: users',
    '20261130070003_api_key_clients: api_keys',
    '20261130080001_sessions_without_foreign_keys: clients,refresh_families,users',
    '20261130110002_sign_in_settings: clients,users',
    '20261130110003_sessions_of_browsers: refresh_families',
    '20261130120001_chosen_for: browser_sessions',
    '20261130150001_new_devices: users',
    '20261130150002_disowned_sign_ins: one_time_tokens',
  ])
  t.is(ours.at(-1), '20261130160001_refusals')
})

test('an upgrade that treats every table as a large one → the same schema', async (t) => {
  const { db } = open(t, await copyTemplate(t))
  const before = await schemaOf(db)
  const ours = (await migrationSource.getMigrations([])).filter((name) =>
    name.startsWith('20261130'),
  )
  for (const _ of ours) await db.migrate.down({ migrationSource })
  const reports: string[] = []
  const options = { largeBytes: 0, report: (sentence: string) => reports.push(sentence) }
  t.deepEqual(await migrate(db, options), ours)
  t.deepEqual(await schemaOf(db), before)
  const built = reports.filter((line) => line.includes('is being built'))
  t.true(built.length > 15, `${built.length} were built online`)
})

test('a database of a newer release → distinguished from one that lacks migrations', async (t) => {
  const { db } = open(t, await copyTemplate(t))
  const [last] = (await migrationSource.getMigrations([])).slice(-1)
  await db('knex_migrations').insert({ name: '29990101000000_later', batch: 2 })
  t.like(await inspectSchema(db), { state: 'ahead', unknown: ['29990101000000_later'] })
  await db('knex_migrations').where({ name: '29990101000000_later' }).delete()
  await db('knex_migrations').where({ name: last }).delete()
  t.like(await inspectSchema(db), { state: 'behind', pending: [last] })
  await db.raw('DROP TABLE knex_migrations, knex_migrations_lock')
  t.is((await inspectSchema(db)).state, 'behind')
})

test('a schema that falls behind → readiness reports it', async (t) => {
  const server = await startServer(t)
  t.is((await server.get('/health/ready')).body.checks.migrations, 'ok')
  await server.db('knex_migrations').where('name', 'like', '%janitor_runs').delete()
  const { status, body } = await server.get('/health/ready')
  t.is(status, 503)
  t.regex(body.checks.migrations, /signet migrate/)
})
