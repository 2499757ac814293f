import { randomBytes, randomUUID } from 'node:crypto'
import test from 'ava'
import { v7 as uuidv7 } from 'uuid'
import { type CleanupTask, Janitor, type JanitorRun } from '../../src/janitor/janitor.ts'
import { app } from '../../tools/fixtures.ts'
import { startServer, type TestServer } from '../support/server/start-server.ts'

const hours = 3600

/** A time this many seconds from now, on the clock of the server. */
const at = (server: TestServer, seconds: number) =>
  new Date(server.clock.now().getTime() + seconds * 1000)

/** A janitor that only the test lets run. */

async function insertSessions(server: TestServer, columns: readonly Record<string, unknown>[]) {
  const { id } = await server.db('users').first()
  const rows = columns.map((special) => ({
    ...{ sid: uuidv7(), user_id: id, client_id: app.id, scope: [], audience: [], amr: [] },
    ...{ seed_digest: randomBytes(32), auth_time: at(server, 0) },
    ...{ idle_expires_at: at(server, hours), expires_at: at(server, hours), ...special },
  }))
  await server.db.batchInsert('refresh_families', rows, 1000)
  return rows.map(({ sid }) => sid)
}

const sids = async (server: TestServer) => (await server.db('refresh_families').pluck('sid')).sort()

test('ended sessions → deleted only after their last access token has expired', async (t) => {
  const server = await startServer(t)
  // ACCESS_TOKEN_MAX_SECONDS is 3600, and the clocks of verifiers may differ by 60.
  const long = -3600 - 60 - 5
  const short = -3600 - 60 + 15
  const gone = [
    { expires_at: at(server, long), idle_expires_at: at(server, long) },
    { idle_expires_at: at(server, long) },
    { revoked_at: at(server, long), revoked_reason: 'reuse' },
  ]
  const kept = [
    {},
    { expires_at: at(server, short), idle_expires_at: at(server, short) },
    { idle_expires_at: at(server, short) },
    { revoked_at: at(server, short), revoked_reason: 'reuse' },
  ]
  await insertSessions(server, gone)
  const staying = await insertSessions(server, kept)
  t.like(await server.services.janitor.run(), { sessions: 2, idle_sessions: 1 })
  t.deepEqual(await sids(server), staying.sort())
})

test('revocations, assertions and audit events → deleted exactly at their limits', async (t) => {
  const server = await startServer(t)
  const revocation = (seconds: number) => ({
    ...{
      kind: 'jti',
      value: `${seconds}`,
      revoked_at: at(server, -9),
      expires_at: at(server, seconds),
    },
  })
  await server.db('revocations').insert([revocation(-5), revocation(60)])
  const assertion = (seconds: number) => ({
    ...{ client_id: app.id, jti_digest: randomBytes(32), expires_at: at(server, seconds) },
  })
  await server.db('client_assertions').insert([assertion(-5), assertion(60)])
  const day = 86_400
  const event = (seconds: number) => ({ at: at(server, seconds), event: `${seconds}` })
  await server.db('audit_events').delete()
  await server.db('audit_events').insert([event(-400 * day - 60), event(-400 * day + 60)])
  const swept = await server.services.janitor.run()
  t.like(swept, { revocations: 1, client_assertions: 1, audit_events: 1 })
  t.deepEqual(await server.db('revocations').pluck('value'), ['60'])
  t.is((await server.db('client_assertions')).length, 1)
  t.deepEqual(await server.db('audit_events').pluck('event'), [`${-400 * day + 60}`])
})

test('a table larger than a batch → walked to its end, then from its beginning', async (t) => {
  const server = await startServer(t)
  const dead = { idle_expires_at: at(server, -2 * hours) }
  const mixed = Array.from({ length: 3500 }, (_, index) => (index % 2 === 0 ? dead : {}))
  await insertSessions(server, mixed)
  t.like(await server.services.janitor.run(), { idle_sessions: 1750 })
  t.is((await sids(server)).length, 1750)
  const cursor = () => server.db('janitor_runs').where({ task: 'idle_sessions' }).first('cursor')
  t.deepEqual(await cursor(), { cursor: null })
  server.clock.advance({ hours: 3 })
  t.like(await server.services.janitor.run(), { sessions: 1750 })
  t.deepEqual(await sids(server), [])
})

test('rows beyond the limit of a run → deleted by the next run', async (t) => {
  const server = await startServer(t)
  const most = 20_000
  const task: CleanupTask = {
    name: 'large',
    async sweep(_db, limit, cursor) {
      const at = Number(cursor) + limit
      const done = at > most + limit
      return { rows: done ? 0 : limit, cursor: done ? null : String(at), done }
    },
  }
  const janitor = new Janitor({
    ...{ db: server.db, now: server.clock.now, tasks: [task] },
    mostBatches: 20,
  })
  t.deepEqual(await janitor.run(), { large: most })
  server.clock.advance({ minutes: 1 })
  t.deepEqual(await janitor.run(), { large: 1000 })
  const [{ rows, caughtUpAt, ranAt }] = janitor.lastSeen as [JanitorRun]
  t.is(rows, most + 1000)
  t.deepEqual(caughtUpAt, ranAt)
})

test('a janitor with a backlog is stopped → it ends after its current batch', async (t) => {
  const server = await startServer(t)
  let batches = 0
  const endless = (name: string): CleanupTask => ({
    name,
    async sweep(db, limit) {
      batches += 1
      if (batches === 2) janitor.stop()
      await db.raw('SELECT pg_sleep(0.1)')
      return { rows: limit, done: false }
    },
  })
  const tasks = [endless('endless'), endless('next')]
  const janitor = new Janitor({ db: server.db, now: server.clock.now, tasks })
  t.deepEqual(await janitor.run(), { endless: 2000 })
  t.is(batches, 2)
})

const isIdleSessions = ({ task }: { task: string }) => task === 'idle_sessions'

test('two concurrent janitors → no conflict, and each row is deleted once', async (t) => {
  const server = await startServer(t)
  const beside = await startServer(t, { beside: server })
  const dead = { idle_expires_at: at(server, -2 * hours) }
  for (let round = 0; round < 3; round += 1) {
    await insertSessions(
      server,
      Array.from({ length: 2500 }, () => dead),
    )
    const runs = await Promise.all(
      [server, beside, server, beside].map(({ services }) => services.janitor.run()),
    )
    const swept = runs.reduce((sum, { idle_sessions: rows = 0 }) => sum + rows, 0)
    const left = (await sids(server)).length
    t.is(swept + left, 2500, 'each row is counted once')
    await server.services.janitor.run()
    t.deepEqual(await sids(server), [])
  }
  const runs = await server.services.janitor.runs()
  t.is(runs.find(isIdleSessions)?.rows, 7500)
})

test('a task that another instance runs → skipped', async (t) => {
  const server = await startServer(t)
  const other = await server.db.transaction()
  await other.raw('SELECT pg_advisory_xact_lock(7468386)')
  t.deepEqual(await server.services.janitor.run(), {})
  await other.rollback()
  t.deepEqual(Object.keys(await server.services.janitor.run()).length >= 4, true)
})

test('a task that fails → the other tasks still run', async (t) => {
  const server = await startServer(t)
  const done: string[] = []
  const task = (name: string, fails: boolean): CleanupTask => ({
    name,
    async sweep() {
      if (fails) throw new Error('the disk is full')
      done.push(name)
      return { rows: 1, done: true }
    },
  })
  const tasks = [task('first', false), task('broken', true), task('last', false)]
  const janitor = new Janitor({ db: server.db, now: server.clock.now, tasks })
  const error = await t.throwsAsync<AggregateError>(janitor.run())
  t.deepEqual(
    error?.errors.map(({ message, cause }) => [message, cause.message]),
    [['deleting broken failed', 'the disk is full']],
  )
  t.deepEqual(done, ['first', 'last'])
  t.deepEqual(
    janitor.lastSeen.map(({ task, rows }) => [task, rows]),
    [
      ['first', 1],
      ['last', 1],
    ],
  )
})

test('the lag of a task → how long its oldest row has been due', async (t) => {
  const server = await startServer(t)
  const metric = async (name: string, task: string) => {
    const text = await server.services.metrics.registry.metrics()
    const line = text.split('\n').find((one) => one.startsWith(`signet_${name}{task="${task}"}`))
    return line === undefined ? undefined : Number(line.split(' ').at(-1))
  }
  const nearly = (seconds: number | undefined, wanted: number) =>
    t.true(seconds !== undefined && seconds >= wanted && seconds < wanted + 60, `${seconds}`)
  const value = randomUUID()
  const times = { revoked_at: at(server, -9), expires_at: at(server, -5) }
  await server.db('revocations').insert({ kind: 'jti', value, ...times })
  await server.services.janitor.run()
  server.clock.advance({ minutes: 5 })
  for (const task of ['sessions', 'revocations', 'client_assertions', 'audit_events']) {
    nearly(await metric('janitor_last_run_age_seconds', task), 300)
    t.is(await metric('janitor_lag_seconds', task), 0)
    t.is(await metric('janitor_deleted_rows', task), task === 'revocations' ? 1 : 0)
  }
  nearly(await metric('janitor_lag_seconds', 'idle_sessions'), 300)
  // ACCESS_TOKEN_MAX_SECONDS and 60 after its end a session should be gone, but none may delete it.
  const ended = [{ expires_at: at(server, -5 * hours) }, { expires_at: at(server, hours) }]
  await insertSessions(server, ended)
  const other = await server.db.transaction()
  await other.raw('SELECT pg_advisory_xact_lock(7468386)')
  await server.services.janitor.run()
  nearly(await metric('janitor_lag_seconds', 'sessions'), 4 * hours - 60)
  server.clock.advance({ minutes: 5 })
  nearly(await metric('janitor_lag_seconds', 'sessions'), 4 * hours + 240)
  await other.rollback()
  await server.services.janitor.run()
  t.is(await metric('janitor_lag_seconds', 'sessions'), 0)
})
