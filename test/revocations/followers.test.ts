import test, { type ExecutionContext } from 'ava'
import { RevocationLog } from '../../src/revocations/revocation-log.ts'
import { RevocationLookup, Revocations } from '../../src/revocations/revocations.ts'
import { RevokedIndex } from '../../src/revocations/revoked-index.ts'
import { openRedis } from '../../src/stores/redis.ts'
import { eventually } from '../../tools/eventually.ts'
import { startRedisServer } from '../../tools/redis-server.ts'
import { startServer, type TestServer } from '../support/server/start-server.ts'

const becomesTrusted = (server: TestServer) =>
  eventually(() => server.services.index?.trusted ?? false, 'Redis is trusted')

const sessionOf = async (server: TestServer) => (await server.signIn()).body

const isActive = async (server: TestServer, token: string): Promise<boolean> =>
  (await server.introspect(token)).body.active

/** An instance on the same database without Redis. */
const cutOff = (t: ExecutionContext, server: TestServer) =>
  startServer(t, { beside: server, redis: 'redis://127.0.0.1:1' })

test('other instances learn from the log what an instance without Redis revoked', async (t) => {
  const server = await startServer(t)
  await becomesTrusted(server)
  const alone = await cutOff(t, server)
  const { access_token, refresh_token } = await sessionOf(server)
  t.true(await isActive(server, access_token))
  t.is((await alone.revoke(refresh_token)).status, 200)
  t.false(await isActive(alone, access_token))
  await eventually(async () => !(await isActive(server, access_token)), 'it is followed')
  t.true(server.services.index?.trusted, 'the answer came from Redis')
})

test('a revocation of a process that died before its copy to Redis is copied by the follower', async (t) => {
  const server = await startServer(t)
  await becomesTrusted(server)
  const { access_token } = await sessionOf(server)
  const { jti } = (await server.introspect(access_token)).body
  const expiresAt = new Date(server.clock.now().getTime() + 600_000)
  const log = new RevocationLog(server.db, server.clock.now)
  await log.append(server.db, [{ kind: 'jti', value: jti, expiresAt }])
  await eventually(async () => !(await isActive(server, access_token)), 'it is followed')
  t.true(server.services.index?.trusted)
})

/** Separate services, so that nothing runs by itself and the test makes each step. */
/** @param timeoutMilliseconds longer for a test in which Redis is well: a busy machine may stall for a second */
async function byHand(t: ExecutionContext, timeoutMilliseconds = 1000) {
  const server = await startServer(t, { redis: false })
  const redisServer = await startRedisServer()
  t.teardown(redisServer.close)
  const redis = openRedis({ urls: [redisServer.url], timeoutMilliseconds, keyPrefix: '' })
  t.teardown(() => redis.disconnect())
  const now = server.clock.now
  const log = new RevocationLog(server.db, now)
  const index = new RevokedIndex({ redis, log, now })
  const lookup = new RevocationLookup(server.services.statements, now)
  const revocations = new Revocations({ db: server.db, log, lookup, index })
  await revocations.start()
  await eventually(() => index.trusted, 'Redis is filled')
  const expiresAt = new Date(now().getTime() + 600_000)
  const entry = (value: string) => ({ kind: 'jti' as const, value, expiresAt })
  return { server, redisServer, redis, log, index, revocations, entry }
}

test('an entry that a fill passed over and Redis then refused is not lost', async (t) => {
  const { server, redis, redisServer, log, index, entry } = await byHand(t)
  for (const silent of ['one', 'two', 'three']) {
    index.distrust('the test says so')
    // Without the mark, everything is copied.
    await redis.del('revoked:whole')
    // The fill reads the log now, and goes on after the copy below has failed.
    const live = log.live.bind(log)
    let hasRead = false
    let passed = () => {}
    const copied = new Promise<void>((resolve) => (passed = resolve))
    Object.assign(log, {
      async *live() {
        yield* live()
        hasRead = true
        await copied
      },
    })
    const filling = index.fill()
    await eventually(() => hasRead, 'the refill has read the log')
    await log.append(server.db, [entry(silent)])
    redisServer.pause()
    await index.copy([entry(silent)])
    redisServer.resume()
    await redis.del(`revoked:jti:${silent}`)
    Object.assign(log, { live })
    passed()
    await filling
    t.false(index.trusted, 'the refill that missed it is not believed')
    await index.fill()
    t.true(await index.isRevokedAny([entry(silent)]))
  }
})

test('a Redis that fell back to an earlier state is not trusted', async (t) => {
  const { redis, index, revocations, entry } = await byHand(t)
  await revocations.decide(({ revoke }) => revoke(entry('before')))
  // Like a failover to a lagging replica: the last writes are lost, the rest is there.
  const [count = ''] = await redis.keys('revoked:count:*')
  const older = await redis.get(count)
  await revocations.decide(({ revoke }) => revoke(entry('lost')))
  await redis.del('revoked:jti:lost')
  await redis.set(count, older ?? '')
  t.true(await revocations.isRevokedAny([entry('lost')]))
  t.false(await revocations.isRevokedAny([entry('never')]))
  await eventually(() => index.trusted, 'it is refilled')
  t.true(await index.isRevokedAny([entry('lost')]))
})

test('a fallback that only a write meets is detected by the write', async (t) => {
  const { redis, index, revocations, entry } = await byHand(t)
  await revocations.decide(({ revoke }) => revoke(entry('lost')))
  const [count = ''] = await redis.keys('revoked:count:*')
  await redis.set(count, '1')
  await redis.del('revoked:jti:lost')
  await revocations.decide(({ revoke }) => revoke(entry('next')))
  t.false(index.trusted)
  t.true(await revocations.isRevokedAny([entry('lost')]))
})

test('Redis is not asked while the log cannot be followed', async (t) => {
  const { server, log, index, revocations, entry } = await byHand(t)
  const newer = log.newer.bind(log)
  await log.append(server.db, [entry('silent')])
  t.false(await revocations.isRevokedAny([entry('silent')]), 'nobody has copied it yet')
  Object.assign(log, {
    newer: () => {
      throw new Error('away')
    },
  })
  await t.throwsAsync(revocations.follow(), { message: 'away' })
  t.true(await revocations.isRevokedAny([entry('silent')]), 'the log is asked')
  Object.assign(log, { newer })
  await revocations.follow()
  t.true(await index.isRevokedAny([entry('silent')]))
})

test('a log restored from a backup makes Redis be filled again', async (t) => {
  const { log, index, revocations, server, entry } = await byHand(t)
  const bookmark = log.bookmark.bind(log)
  const later = async () => {
    const here = await bookmark()
    return { ...here, watermark: 2n ** 60n, ceiling: 2n ** 60n }
  }
  Object.assign(log, { bookmark: later })
  await revocations.mark()
  Object.assign(log, { bookmark })
  await log.append(server.db, [entry('since the restore')])
  await revocations.follow()
  await eventually(() => index.trusted, 'it is refilled')
  t.true(await index.isRevokedAny([entry('since the restore')]))
})

test('concurrent questions and writes never make Redis untrusted', async (t) => {
  const { index, revocations, entry } = await byHand(t, 30_000)
  const answers: unknown[] = []
  // In waves: one of 300 transactions at once waits too long for a connection on a busy machine.
  for (let wave = 0; wave < 6; wave += 1) {
    const values = Array.from({ length: 50 }, (_, at) => `value ${wave} ${at}`)
    const some = await Promise.all(
      values.map(async (value) => {
        const before = index.isRevokedAny([entry(`not ${value}`)])
        await revocations.decide(({ revoke }) => revoke(entry(value)))
        return [await before, await index.isRevokedAny([entry(value)])]
      }),
    )
    answers.push(...some)
  }
  t.deepEqual(answers, Array(300).fill([false, true]))
})

test('more entries at once than fit one page reach Redis and the list', async (t) => {
  const { server, index, revocations, entry } = await byHand(t, 30_000)
  await server.services.feed.follow()
  const many = 10_001
  await server.db.raw(
    `INSERT INTO revocations (kind, value, revoked_at, expires_at)
     SELECT 'jti', 'many ' || n, now(), ?::timestamptz FROM generate_series(1, ?::int) AS n`,
    [entry('any').expiresAt, many],
  )
  await revocations.follow()
  await eventually(() => index.trusted, 'it is refilled')
  for (const n of [1, many]) t.true(await index.isRevokedAny([entry(`many ${n}`)]))
  await server.services.feed.follow()
  t.is(server.services.feed.size, many)
})
