import test, { type ExecutionContext } from 'ava'
import { inspectSchema, migrate, migrationSource } from '../../src/stores/migrations.ts'
import { openPostgres } from '../../src/stores/postgres.ts'
import { eventually } from '../support/eventually.ts'
import { copyTemplate, startServer } from '../support/start-server.ts'

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

test('every migration can be undone and done again to the same schema', async (t) => {
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

test('of several that migrate at once one does it and the others find it done', async (t) => {
  const { url } = await emptyDatabase(t)
  const starts = [1, 2, 3, 4].map(() => migrate(open(t, url).db))
  const applied = await Promise.all(starts)
  t.deepEqual(applied.map(({ length }) => length).sort(), [
    ...[0, 0, 0],
    (await migrationSource.getMigrations([])).length,
  ])
})

test('a migration that waits longer than a statement may take is not given up', async (t) => {
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

test('a migration that is killed in the middle leaves nothing half done and no lock', async (t) => {
  const { url, db } = await emptyDatabase(t)
  // The last migration finds its table there, waits for nobody, and is killed while the first wait.
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
  await eventually(isWaiting, 'the last migration waits, and is killed')
  await failed
  await blocker.rollback()
  const { rows } = await db.raw(
    `SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename NOT LIKE 'knex%'`,
  )
  t.deepEqual(rows, [])
  t.is((await migrate(db)).length, (await migrationSource.getMigrations([])).length)
})

test('a database from a newer release is told apart from one that lacks migrations', async (t) => {
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

test('a server whose schema falls behind says so in its readiness', async (t) => {
  const server = await startServer(t)
  t.is((await server.get('/health/ready')).body.checks.migrations, 'ok')
  await server.db('knex_migrations').where('name', 'like', '%janitor_runs').delete()
  const { status, body } = await server.get('/health/ready')
  t.is(status, 503)
  t.regex(body.checks.migrations, /signet migrate/)
})
