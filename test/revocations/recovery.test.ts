import test, { type ExecutionContext } from 'ava'
import { RevocationLog } from '../../src/revocations/revocation-log.ts'
import { isUnavailable } from '../../src/stores/unavailable.ts'
import { eventually } from '../../tools/eventually.ts'
import { startRedisServer } from '../../tools/redis-server.ts'
import { administer } from '../../tools/template.ts'
import { copyTemplate, startServer, type TestServer } from '../support/server/start-server.ts'

/** A database whose history a test can change. */
async function databaseWithHistory(t: ExecutionContext) {
  const database = await copyTemplate(t)
  const name = database.split('/').at(-1)
  await administer(database, `ALTER DATABASE ${name} SET search_path = public, pg_catalog`)
  await administer(database, 'CREATE TABLE history AS SELECT 1::bigint AS number')
  await administer(
    database,
    `CREATE FUNCTION public.pg_control_system(OUT system_identifier bigint) LANGUAGE sql AS
     'SELECT number FROM public.history'`,
  )
  return database
}

const becomesTrusted = (server: TestServer) =>
  eventually(() => server.services.index?.trusted ?? false, 'Redis is trusted')

/** Simulates a failover to a lagging standby: the last seconds are lost, and the history is another. */
async function forget(server: TestServer) {
  await server.db('revocations').delete()
  await server.db('refresh_families').update({ revoked_at: null, revoked_reason: null })
  await server.db.raw('UPDATE history SET number = number + 1')
}

const isActive = async (server: TestServer, token: string) =>
  (await server.introspect(token)).body.active

async function ended(server: TestServer) {
  const session = (await server.signIn()).body
  await server.revoke(session.refresh_token)
  return session
}

async function staysEnded(t: ExecutionContext, server: TestServer, session: Ended) {
  const isBack = async () => (await server.db('audit_events').where({ event })).length > 0
  await eventually(isBack, 'the revocations are back')
  t.false(await isActive(server, session.access_token))
  t.is((await server.refresh(session.refresh_token)).status, 400)
  t.is((await server.db('audit_events').where({ event })).length, 1, 'one instance did it')
  const [row] = await server.db('revocations')
  t.true(row.expires_at > server.clock.now(), 'with its expiry')
}

interface Ended {
  readonly access_token: string
  readonly refresh_token: string
}

const event = 'revocations.recovered'

test('a failover that loses a revocation → the session stays ended, at every moment', async (t) => {
  const server = await startServer(t, { database: await databaseWithHistory(t) })
  const beside = await startServer(t, { beside: server })
  await becomesTrusted(server)
  await becomesTrusted(beside)
  const session = await ended(server)
  const live = (await server.signIn()).body
  const [before] = await server.db('revocations')
  await forget(server)
  for (const end = Date.now() + 4000; Date.now() < end; ) {
    for (const instance of [server, beside]) {
      t.false(await isActive(instance, session.access_token))
      t.true(await isActive(instance, live.access_token))
    }
  }
  await staysEnded(t, beside, session)
  const [after] = await server.db('revocations')
  t.true(Math.abs(after.expires_at - before.expires_at) < 5000)
  await becomesTrusted(server)
})

test('a failover while no instance runs → the next start brings the revocation back', async (t) => {
  const database = await databaseWithHistory(t)
  const server = await startServer(t, { database })
  await becomesTrusted(server)
  const session = await ended(server)
  await server.app.stop()
  await forget(server)
  const next = await startServer(t, { beside: server })
  t.false(await isActive(next, session.access_token))
  await staysEnded(t, next, session)
})

const walPosition = (body: string) =>
  `CREATE OR REPLACE FUNCTION public.pg_current_wal_lsn() RETURNS pg_lsn LANGUAGE plpgsql AS
   $$ BEGIN ${body} END $$`

const failure = (code: string) => `RAISE 'refused' USING ERRCODE = '${code}';`

test('a standby is read before its promotion → its history is that of the cluster after it', async (t) => {
  const server = await startServer(t, { database: await databaseWithHistory(t), redis: false })
  const log = new RevocationLog(server.db, server.clock.now)
  await server.db.raw(walPosition(failure('55000')))
  const error = await t.throwsAsync(log.bookmark())
  t.true(isUnavailable(error), 'it passes: the caller tries again')
  await server.db.raw(walPosition('RETURN pg_catalog.pg_current_wal_lsn();'))
  const promoted = await log.bookmark()
  await server.db.raw('UPDATE history SET number = number + 1')
  t.not((await log.bookmark()).history, promoted.history, 'a restore still shows')
})

test('a database that does not offer the functions of the cluster → its own id is the history', async (t) => {
  const server = await startServer(t, { database: await databaseWithHistory(t), redis: false })
  for (const code of ['42501', '42883', '0A000']) {
    const log = new RevocationLog(server.db, server.clock.now)
    await server.db.raw(walPosition(failure(code)))
    const { history } = await log.bookmark()
    await server.db.raw('UPDATE history SET number = number + 1')
    t.is((await log.bookmark()).history, history, code)
  }
})

test('an entry with a minute left is recovered → it keeps its expiry, and one about to expire is not recovered', async (t) => {
  const server = await startServer(t, { database: await databaseWithHistory(t) })
  await becomesTrusted(server)
  const { redis } = server
  if (!redis) throw new Error('this test needs Redis')
  await redis.set('revoked:client:app', '1', 'PX', 60_000)
  await redis.set('revoked:sid:about-to-expire', '1', 'PX', 9000)
  await forget(server)
  const isBack = async () => (await server.db('audit_events').where({ event })).length > 0
  await eventually(isBack, 'the revocations are back')
  const rows = await server.db('revocations')
  t.deepEqual(
    rows.map(({ kind, value }) => [kind, value]),
    [['client', 'app']],
  )
  t.true(rows[0].expires_at - server.clock.now().getTime() <= 60_000, 'not the life of a token')
})

test('a signing key that a failover brings back → it is revoked again', async (t) => {
  const server = await startServer(t, { database: await databaseWithHistory(t) })
  await becomesTrusted(server)
  const rows = await server.db('signing_keys').orderBy('generation')
  await server.services.rotation.revoke(rows[0].kid)
  await server
    .db('signing_keys')
    .where({ kid: rows[0].kid })
    .update({ revoked_at: null, private_jwe: rows[0].private_jwe })
  await forget(server)
  const isRevoked = async () =>
    (await server.db('signing_keys').where({ kid: rows[0].kid }).first()).revoked_at !== null
  await eventually(isRevoked, 'it is revoked again')
  t.true((await server.services.keyring.reread()).isRevoked(rows[0].kid))
})

test('after a failover, entries that a dead instance never copied are in Redis', async (t) => {
  const server = await startServer(t, { database: await databaseWithHistory(t) })
  await becomesTrusted(server)
  const expires_at = new Date(server.clock.now().getTime() + 600_000)
  // Its number is below what this instance has read, because it came from the previous history.
  const row = { kind: 'jti', value: 'of a dead instance', revoked_at: new Date(), expires_at }
  await server.db('revocations').insert({ ...row, xid: '3' })
  await server.db.raw('UPDATE history SET number = number + 1')
  const index = server.services.index
  const holds = async () =>
    (await index?.isRevokedAny([{ kind: 'jti', value: row.value }])) === true
  await eventually(holds, 'Redis has it')
  t.true(index?.trusted)
})

test('a burst of 20,000 revocations → one instance copies it to Redis for all', async (t) => {
  const redis = await startRedisServer()
  t.teardown(redis.close)
  const server = await startServer(t, { redis: redis.url })
  const beside = { redis: redis.url, beside: server }
  const instances = [server, await startServer(t, beside), await startServer(t, beside)]
  for (const instance of instances) await becomesTrusted(instance)
  const written = async () => {
    const [, calls] =
      /cmdstat_set:calls=(\d+)/.exec((await server.redis?.info('commandstats')) ?? '') ?? []
    return Number(calls ?? 0)
  }
  const before = await written()
  await server.db.raw(
    `INSERT INTO revocations (kind, value, revoked_at, expires_at)
     SELECT 'jti', 'many ' || n, now(), ?::timestamptz FROM generate_series(1, 20000) AS n`,
    [new Date(server.clock.now().getTime() + 600_000)],
  )
  const last = [{ kind: 'jti' as const, value: 'many 20000' }]
  for (const instance of instances) {
    const holds = async () => (await instance.services.index?.isRevokedAny(last)) === true
    await eventually(holds, 'Redis has the last one')
  }
  const sets = (await written()) - before
  // Three copies would be 60,000; one that is interrupted on a busy machine starts again.
  t.true(sets < 50_000, `${sets} entries were written`)
})
