import { setTimeout as sleep } from 'node:timers/promises'
import test, { type ExecutionContext } from 'ava'
import { eventually } from '../../tools/eventually.ts'
import type { Answer } from '../../tools/http-client.ts'
import type { TcpProxy } from '../../tools/tcp-proxy.ts'
import { startServer, type TestServer } from '../support/server/start-server.ts'
import { wiredDatabase } from '../support/stores/wired-stores.ts'

const refused = { status: 400, body: { error: 'invalid_grant' } }
const tokenOf = (answer: Answer): string => answer.body.refresh_token
const family = (server: TestServer) => server.db('refresh_families').first()
const environment = { DATABASE_TIMEOUT_SECONDS: '3' }

/** An instance whose answers from PostgreSQL can be lost, and one beside it that is never cut off. */
async function wired(t: ExecutionContext) {
  const { proxy, url, directUrl } = await wiredDatabase(t)
  const server = await startServer(t, { database: url, environment })
  const beside = await startServer(t, { beside: server, database: directUrl, environment })
  return { proxy, url, server, beside }
}

/** PostgreSQL makes the rotation, but its answer comes after the caller has given up. */
async function refreshUnanswered(
  t: ExecutionContext,
  proxy: TcpProxy,
  server: TestServer,
  token: string,
  afterwards: TcpProxy['weather'] = 'fine',
) {
  // On a busy machine the client may have to be looked up again, and that query would be the one without an answer.
  for (let tries = 0; tries < 5 && (await family(server)).generation === 0; tries += 1) {
    await server.clientCredentials()
    proxy.answersLateMilliseconds = 60_000
    const answer = await server.refresh(token)
    t.like(answer, { status: 503, body: { error: 'temporarily_unavailable' } })
    proxy.answersLateMilliseconds = 0
    proxy.weather = afterwards
    proxy.cut()
    if (afterwards !== 'fine') return
    await eventually(async () => (await server.get('/health/ready')).status === 200, 'ready')
  }
}

const isWritten = (server: TestServer) =>
  eventually(
    async () => (await server.db('unanswered_rotations')).length > 0,
    'the rotation is written down',
  )

for (const minutes of [0.1, 1, 30]) {
  test.serial(
    `a refresh answered 503 after PostgreSQL did it, repeated ${minutes} min later → its successor, on any instance`,
    async (t) => {
      const { proxy, server, beside } = await wired(t)
      const token = tokenOf(await server.signIn())
      await beside.clientCredentials()
      await refreshUnanswered(t, proxy, server, token)
      await isWritten(beside)
      t.like(await family(beside), { generation: 1 }, 'it is spent in PostgreSQL')
      server.clock.advance({ minutes })
      const repeated = await beside.refresh(token)
      t.is(repeated.status, 200, repeated.text)
      t.is((await server.refresh(tokenOf(repeated))).status, 200)
      t.like(await family(beside), { generation: 2, revoked_at: null })
    },
  )
}

test.serial(
  'RFC 9700 §4.14.2: an unanswered refresh that was repeated → the grace period counts from the repetition',
  async (t) => {
    const { proxy, server, beside } = await wired(t)
    const token = tokenOf(await server.signIn())
    await refreshUnanswered(t, proxy, server, token)
    await isWritten(beside)
    server.clock.advance({ minutes: 10 })
    const repeated = await beside.refresh(token)
    t.is(repeated.status, 200)
    server.clock.advance({ seconds: 29 })
    t.is(tokenOf(await beside.refresh(token)), tokenOf(repeated))
    server.clock.advance({ seconds: 2 })
    t.like(await beside.refresh(token), refused)
    t.like(await family(beside), { revoked_reason: 'reuse' })
  },
)

test.serial(
  'RFC 9700 §4.14.2: an unanswered refresh repeated within the grace period → it counts from the repetition too',
  async (t) => {
    const { proxy, server, beside } = await wired(t)
    const token = tokenOf(await server.signIn())
    await refreshUnanswered(t, proxy, server, token)
    await isWritten(beside)
    t.is((await beside.refresh(token)).status, 200)
    server.clock.advance({ seconds: 31 })
    t.like(await beside.refresh(token), refused)
  },
)

test.serial(
  'RFC 9700 §4.14.2: an unanswered refresh whose successor was used → reuse',
  async (t) => {
    const { proxy, server, beside } = await wired(t)
    const token = tokenOf(await server.signIn())
    await refreshUnanswered(t, proxy, server, token)
    await isWritten(beside)
    t.is((await beside.refresh(tokenOf(await beside.refresh(token)))).status, 200)
    t.like(await beside.refresh(token), refused)
  },
)

test.serial('two tabs repeat an unanswered refresh at once → one successor for both', async (t) => {
  const { proxy, server, beside } = await wired(t)
  const token = tokenOf(await server.signIn())
  await refreshUnanswered(t, proxy, server, token)
  await isWritten(beside)
  server.clock.advance({ minutes: 30 })
  const answers = await Promise.all(Array.from({ length: 8 }, () => beside.refresh(token)))
  t.deepEqual(
    answers.map(({ status }) => status),
    Array(8).fill(200),
  )
  t.is(new Set(answers.map(tokenOf)).size, 1)
})

test.serial(
  'an instance reaches PostgreSQL again before another has recorded its rotations → it waits for the other',
  async (t) => {
    const { proxy, url, server } = await wired(t)
    const beside = await startServer(t, { beside: server, database: url, environment })
    const token = tokenOf(await server.signIn())
    await beside.clientCredentials()
    await refreshUnanswered(t, proxy, server, token)
    proxy.weather = 'refuse'
    proxy.cut()
    for (const each of [server, beside]) t.is((await each.refresh(token)).status, 503)
    server.clock.advance({ minutes: 30 })
    proxy.weather = 'fine'
    const answers = await Promise.all([beside.refresh(token), server.refresh(token)])
    t.deepEqual(
      answers.map(({ status }) => status),
      [200, 200],
    )
  },
)

test.serial(
  'a refresh answered 503 because its row was locked, repeated 30 min later → it succeeds',
  async (t) => {
    const { server, beside } = await wired(t)
    const token = tokenOf(await server.signIn())
    await beside.db.transaction(async (trx) => {
      await trx('refresh_families').forUpdate()
      for (const each of [server, server]) t.is((await each.refresh(token)).status, 503)
      await isWritten(beside)
    })
    server.clock.advance({ minutes: 30 })
    t.is((await beside.refresh(token)).status, 200)
  },
)

test.serial('unanswered rotations → deleted after a day', async (t) => {
  const { proxy, server, beside } = await wired(t)
  const token = tokenOf(await server.signIn())
  await refreshUnanswered(t, proxy, server, token)
  await isWritten(beside)
  server.clock.advance({ hours: 25 })
  await beside.services.janitor.run()
  t.deepEqual(await beside.db('unanswered_rotations'), [])
  t.like(await beside.refresh(token), refused)
})

/** Locks the signing keys while the work runs; statements that wait for them are cancelled. */
async function withoutSigningKeys(server: TestServer, work: () => Promise<void>) {
  let over = false
  await server.services.keyring.reread()
  const holder = await server.db.transaction()
  await holder.raw('LOCK TABLE signing_keys IN ACCESS EXCLUSIVE MODE')
  const cancelling = (async () => {
    while (!over) {
      await server.db.raw(
        `SELECT pg_cancel_backend(pid) FROM pg_stat_activity
          WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%signing_keys%'`,
      )
      await sleep(200)
    }
  })()
  try {
    await work()
  } finally {
    over = true
    await cancelling
    await holder.rollback()
  }
}

/** Longer than an instance signs with a keyring that it has read. */
const keyringAges = () => sleep(4500)
const patient = { environment: { DATABASE_TIMEOUT_SECONDS: '20' } }

test.serial('a refresh while no key may sign → 503, and the token is not spent', async (t) => {
  const server = await startServer(t, patient)
  const token = tokenOf(await server.signIn())
  await withoutSigningKeys(server, async () => {
    await keyringAges()
    t.is((await server.refresh(token)).status, 503)
    t.like(await family(server), { generation: 0 })
  })
  t.is((await server.refresh(token)).status, 200)
})

test.serial(
  'a refresh answered 503 because no key could sign after the rotation, repeated 31 s later → its successor',
  async (t) => {
    const server = await startServer(t, patient)
    const token = tokenOf(await server.signIn())
    const row = await server.db.transaction()
    await row('refresh_families').forUpdate()
    await withoutSigningKeys(server, async () => {
      const answer = server.refresh(token)
      await keyringAges()
      await row.rollback()
      t.is((await answer).status, 503)
      t.like(await family(server), { generation: 1 }, 'it is spent in PostgreSQL')
      await isWritten(server)
    })
    server.clock.advance({ seconds: 31 })
    const repeated = await server.refresh(token)
    t.is(repeated.status, 200, repeated.text)
    t.is((await server.refresh(tokenOf(repeated))).status, 200)
    t.like(await family(server), { generation: 2, revoked_at: null })
  },
)

/** A session whose token was spent before the grace period, and a rotation that waits to be recorded. */
async function spentAndWaiting(t: ExecutionContext, server: TestServer, why: string) {
  const spent = tokenOf(await server.signIn())
  const { sid } = await family(server)
  t.is((await server.refresh(spent)).status, 200)
  const token = tokenOf(await server.signIn())
  server.clock.advance({ seconds: 31 })
  await server.db.raw(why)
  await server.db.transaction(async (trx) => {
    await trx('refresh_families').whereNot({ sid }).forUpdate()
    t.is((await server.refresh(token)).status, 503)
  })
  return { spent, session: () => server.db('refresh_families').where({ sid }).first() }
}

const metric = async (server: TestServer, name: string) => {
  const text = await server.services.metrics.registry.metrics()
  return Number(text.match(new RegExp(`^signet_${name} (.*)$`, 'm'))?.[1])
}

test.serial(
  'RFC 9700 §4.14.2: a spent token while the disk is full → 503 after one wait, and reuse once there is space',
  async (t) => {
    const lines: string[] = []
    const server = await startServer(t, { environment, logTo: (line) => lines.push(line) })
    const { spent, session } = await spentAndWaiting(
      t,
      server,
      `CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN RAISE 'could not extend file' USING ERRCODE = '53100'; END $$;
       CREATE TRIGGER full_disk BEFORE INSERT ON unanswered_rotations EXECUTE FUNCTION full_disk()`,
    )
    t.is((await server.refresh(spent)).status, 503)
    t.like(await session(), { generation: 1, revoked_at: null })
    t.is(await metric(server, 'unanswered_rotations_waiting'), 1)
    t.true((await metric(server, 'unanswered_rotations_failed_total')) > 1)
    t.is(lines.filter((line) => line.includes('could not be recorded')).length, 1)
    await server.db.raw('DROP TRIGGER full_disk ON unanswered_rotations')
    await isWritten(server)
    t.like(await server.refresh(spent), refused)
    t.like(await session(), { revoked_reason: 'reuse' })
  },
)

test.serial(
  'RFC 9700 §4.14.2: a spent token while unanswered rotations cannot be read or recorded → reuse, and the log says why',
  async (t) => {
    const lines: string[] = []
    const server = await startServer(t, { environment, logTo: (line) => lines.push(line) })
    const { spent, session } = await spentAndWaiting(
      t,
      server,
      'ALTER TABLE unanswered_rotations RENAME TO out_of_reach',
    )
    t.like(await server.refresh(spent), refused)
    t.like(await session(), { revoked_reason: 'reuse' })
    const logged = lines.filter((line) => line.includes('could not be recorded'))
    t.is(logged.length, 1)
    t.like(JSON.parse(logged[0] ?? ''), { level: 50, err: { code: '42P01' } })
    t.true((await metric(server, 'unanswered_rotations_failed_total')) > 0)
  },
)
