import { spawn } from 'node:child_process'
import { once } from 'node:events'
import test, { type ExecutionContext } from 'ava'
import type { Knex } from 'knex'
import { inspectSchema, migrate, migrationSource } from '../../src/stores/migrations.ts'
import type { OnlineStep } from '../../src/stores/online-steps.ts'
import { openPostgres } from '../../src/stores/postgres.ts'
import { eventually } from '../../tools/eventually.ts'
import { emptyFolder, program, signet } from '../support/server/signet.ts'
import { copyTemplate } from '../support/server/start-server.ts'

async function openCopy(t: ExecutionContext) {
  const url = await copyTemplate(t)
  const postgres = openPostgres({ url, poolSize: 6, timeoutSeconds: 60 })
  t.teardown(postgres.close)
  return { url, db: postgres.db }
}

interface Later {
  readonly online?: readonly OnlineStep[]
  up(knex: Knex): Promise<void>
}

/** The migrations of this release, and a later one. */
const withLater = (later: Later): Knex.MigrationSource<string> => ({
  ...migrationSource,
  getMigrations: async (extensions) => [
    ...(await migrationSource.getMigrations(extensions)),
    '29990101000000_later',
  ],
  getMigration: async (name) =>
    name.endsWith('_later')
      ? { ...later, down: async () => undefined }
      : migrationSource.getMigration(name),
})

const rows = 3000

async function fillTable(db: Knex): Promise<void> {
  await db.raw(`
    CREATE TABLE things (id uuid PRIMARY KEY, name text NOT NULL, key text);
    INSERT INTO things SELECT gen_random_uuid(), 'Name ' || n FROM generate_series(1, ${rows}) AS n`)
}

const fill: OnlineStep = {
  table: 'things',
  key: 'id',
  set: 'key = lower(name)',
  where: 'key IS NULL',
}

const statementsOf = (db: Knex) => {
  const seen: string[] = []
  db.on('query', ({ sql }: { sql: string }) => seen.push(sql))
  return seen
}

const unfilled = async (db: Knex) =>
  Number((await db('things').where({ key: null }).count())[0]?.count)

const isValid = async (db: Knex, index: string) => {
  const { rows } = await db.raw(
    'SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(?)',
    [index],
  )
  return rows[0]?.indisvalid
}

test('a large table → its column is filled and its index built before `up`, outside of a transaction', async (t) => {
  const { db } = await openCopy(t)
  await fillTable(db)
  const reports: string[] = []
  const before: unknown[] = []
  const source = withLater({
    online: [fill, { index: 'things_key', unique: true, table: 'things', on: '(key)' }],
    async up(knex) {
      before.push(await unfilled(knex), await isValid(knex, 'things_key'))
    },
  })
  const applied = await migrate(db, { source, largeBytes: 1, report: (line) => reports.push(line) })
  t.deepEqual(applied, ['29990101000000_later'])
  t.deepEqual(before, [0, true])
  t.true(reports.includes('things_key: is being built on things'))
})

test('a small table → left to `up`', async (t) => {
  const { db } = await openCopy(t)
  await fillTable(db)
  const before: unknown[] = []
  const source = withLater({
    online: [fill, { index: 'things_key', table: 'things', on: '(key)' }],
    async up(knex) {
      before.push(await unfilled(knex), await isValid(knex, 'things_key'))
    },
  })
  await migrate(db, { source })
  t.deepEqual(before, [rows, undefined])
})

test('a row that somebody else holds → the others are filled meanwhile, and nothing waits', async (t) => {
  const { db } = await openCopy(t)
  await fillTable(db)
  const held = await db.transaction()
  const [{ id }] = await held('things').orderBy('id').limit(1).forUpdate()
  const before: unknown[] = []
  const source = withLater({
    online: [fill],
    async up(knex) {
      before.push(await knex('things').where({ key: null }).pluck('id'))
    },
  })
  await migrate(db, { source, largeBytes: 1 })
  await held.rollback()
  t.deepEqual(before, [[id]])
})

test('filling is interrupted → the next run continues', async (t) => {
  const { url, db } = await openCopy(t)
  await fillTable(db)
  // The row in the middle fails once.
  const [{ id }] = await db('things')
    .orderBy('id')
    .offset(rows / 2)
    .limit(1)
  await db.raw(`
    CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN IF NEW.id = '${id}' THEN PERFORM pg_terminate_backend(pg_backend_pid()); END IF; RETURN NEW; END $$;
    CREATE TRIGGER refuse BEFORE UPDATE ON things FOR EACH ROW EXECUTE FUNCTION refuse()`)
  const source = withLater({ online: [fill], up: async () => undefined })
  await t.throwsAsync(migrate(db, { source, largeBytes: 1 }))
  const left = await unfilled(db)
  t.true(left > 0 && left < rows, `${left} are left`)
  await db.raw('DROP TRIGGER refuse ON things')
  const again = openPostgres({ url, poolSize: 6, timeoutSeconds: 60 })
  t.teardown(again.close)
  t.deepEqual(await migrate(again.db, { source, largeBytes: 1 }), ['29990101000000_later'])
  t.is(await unfilled(db), 0)
})

test('rows that a unique index forbids → the migration names them, and leaves no index', async (t) => {
  const { db } = await openCopy(t)
  await fillTable(db)
  await db.raw(`INSERT INTO things SELECT gen_random_uuid(), 'Name 1'`)
  const index = { index: 'things_key', unique: true, table: 'things', on: '(lower(name))' }
  const source = withLater({ online: [index], up: async () => undefined })
  const error = await t.throwsAsync(migrate(db, { source, largeBytes: 1 }), {
    name: 'OperatorError',
  })
  t.regex(error.message, /things has rows that things_key forbids .*name 1/)
  t.is(await isValid(db, 'things_key'), undefined)
  t.deepEqual((await db('knex_migrations').where('name', 'like', '%later')).length, 0)
})

test('four instances migrate a large table → it is prepared once', async (t) => {
  const { db } = await openCopy(t)
  await fillTable(db)
  const statements = statementsOf(db)
  const source = withLater({
    online: [{ index: 'things_key', table: 'things', on: '(key)' }],
    up: async () => undefined,
  })
  const reports: string[] = []
  const options = { source, largeBytes: 1, report: (line: string) => reports.push(line) }
  const applied = await Promise.all([1, 2, 3, 4].map(() => migrate(db, options)))
  t.deepEqual(applied.flat(), ['29990101000000_later'])
  t.is(reports.filter((line) => /is being built/.test(line)).length, 1)
  t.is(statements.filter((sql) => /CONCURRENTLY/.test(sql)).length, 0, 'on connections of its own')
})

test('a table that is locked → tried again until it is free, and nobody queues behind for long', async (t) => {
  const { db } = await openCopy(t)
  await fillTable(db)
  const held = await db.transaction()
  await held.raw('LOCK TABLE things IN ACCESS SHARE MODE')
  const source = withLater({
    up: (knex) => knex.raw('ALTER TABLE things ADD COLUMN more text'),
  })
  const reports: string[] = []
  const migrating = migrate(db, { source, report: (line) => reports.push(line) })
  await eventually(() => reports.length >= 2, 'it has tried twice')
  t.regex(reports[0] ?? '', /locked by somebody else/)
  t.is(await unfilled(db), rows, 'readers get through in between')
  await held.rollback()
  t.deepEqual(await migrating, ['29990101000000_later'])
})

/** Sessions as they were before the last migration that builds an index on them; more than 32 MB. */
async function largeSessions(t: ExecutionContext) {
  const { url, db } = await openCopy(t)
  const index = '20261130110004_sessions_of_browsers_index'
  const all = await migrationSource.getMigrations([])
  const pending = all.slice(all.indexOf(index))
  for (const _ of pending) await db.migrate.down({ migrationSource })
  await db.raw(`
    INSERT INTO refresh_families (sid, user_id, client_id, scope, audience, seed_digest, auth_time, amr,
                                  idle_expires_at, expires_at)
    SELECT gen_random_uuid(), gen_random_uuid(), 'app', ARRAY[repeat('x', 400)], '{}',
           decode(repeat('00', 32), 'hex'), now(), '{pwd}', now(), now()
      FROM generate_series(1, 80000)`)
  const folder = await emptyFolder(t)
  return { db, pending, options: { cwd: folder, env: { DATABASE_URL: url } } }
}

const building = async (db: Knex) => {
  const { rows } = await db.raw<{ rows: { pid: number }[] }>(
    `SELECT pid FROM pg_stat_progress_create_index WHERE datname = current_database()
        AND index_relid = to_regclass('refresh_families_browser_session_id')`,
  )
  return rows[0]?.pid
}

for (const how of ['the build goes on', 'the build ends too'] as const) {
  test(`\`signet migrate\` is killed while it builds an index, and ${how} → the next run completes it`, async (t) => {
    const { db, pending, options } = await largeSessions(t)
    // A build waits for the end of every older snapshot.
    const snapshot = await db.transaction({ isolationLevel: 'repeatable read' })
    await snapshot.raw('SELECT count(*) FROM clients')
    const env = { ...process.env, ...options.env }
    const child = spawn(process.execPath, [program, 'migrate'], {
      ...options,
      env,
      stdio: 'ignore',
    })
    const exit = once(child, 'exit')
    await eventually(async () => (await building(db)) !== undefined, 'it builds')
    child.kill('SIGKILL')
    await exit
    if (how === 'the build ends too') {
      await db.raw('SELECT pg_terminate_backend(?)', [(await building(db)) ?? 0])
      await eventually(async () => (await building(db)) === undefined, 'the build has ended')
      await snapshot.rollback()
    }
    t.false(await isValid(db, 'refresh_families_browser_session_id'))
    const next = signet(['migrate', '--json'], options)
    if (how === 'the build goes on') await snapshot.rollback()
    const { code, json, stderr } = await next
    t.is(code, 0, stderr)
    t.deepEqual(json().applied, pending)
    t.true(await isValid(db, 'refresh_families_browser_session_id'))
    t.is((await inspectSchema(db)).state, 'current')
  })
}
