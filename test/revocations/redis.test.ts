// Alone: it measures how long answers take.
import { randomUUID } from 'node:crypto'
import test, { type ExecutionContext } from 'ava'
import { eventually } from '../../tools/eventually.ts'
import { startRedisServer } from '../../tools/redis-server.ts'
import { startServer, type TestServer } from '../support/server/start-server.ts'

async function ownRedis(t: ExecutionContext, settings: Record<string, string> = {}) {
  const redis = await startRedisServer({ settings })
  t.teardown(redis.close)
  return redis
}

const trusted = (server: TestServer) => server.services.index?.trusted ?? false

const becomesTrusted = (server: TestServer) =>
  eventually(() => trusted(server), 'Redis is trusted again')

const isActive = async (server: TestServer, token: string): Promise<boolean> => {
  const { status, body, text } = await server.introspect(token)
  if (status !== 200) throw new Error(text)
  return body.active
}

/** A session that was ended and one that is live. */
async function twoSessions(server: TestServer) {
  const dead = (await server.signIn()).body
  const live = (await server.signIn()).body
  await server.revoke(dead.refresh_token)
  return { dead: dead.access_token as string, live: live.access_token as string }
}

/** Checks both answers many times, whatever happens to Redis meanwhile. */
async function alwaysRight(t: ExecutionContext, server: TestServer, times: number) {
  const { dead, live } = await twoSessions(server)
  for (let turn = 0; turn < times; turn += 1) {
    t.false(await isActive(server, dead))
    t.true(await isActive(server, live))
  }
}

test('Redis flushed between revocation and introspection: still inactive', async (t) => {
  const redis = await ownRedis(t)
  const server = await startServer(t, { redis: redis.url })
  for (let round = 0; round < 5; round += 1) {
    await becomesTrusted(server)
    const { dead, live } = await twoSessions(server)
    await redis.flush()
    t.false(await isActive(server, dead))
    t.true(await isActive(server, live))
  }
  await becomesTrusted(server)
  const keys = (await server.redis?.keys('*')) ?? []
  const entries = keys.filter((key) => key.includes('revoked:sid:'))
  t.is(entries.length, 5, 'what was flushed is back')
})

test('a flush that another instance repaired is still detected', async (t) => {
  const redis = await ownRedis(t)
  const server = await startServer(t, { redis: redis.url })
  const beside = await startServer(t, { redis: redis.url, beside: server })
  for (let round = 0; round < 3; round += 1) {
    const { dead } = await twoSessions(server)
    await redis.flush()
    t.false(await isActive(beside, dead))
    await becomesTrusted(beside)
    t.false(await isActive(server, dead))
    await becomesTrusted(server)
  }
})

test('Redis restarted empty is refilled before it is trusted', async (t) => {
  const redis = await ownRedis(t)
  const server = await startServer(t, { redis: redis.url })
  const { dead, live } = await twoSessions(server)
  for (const end of [redis.stop, redis.kill]) {
    await end()
    await eventually(() => !trusted(server), 'the loss is noticed')
    t.false(await isActive(server, dead))
    t.true(await isActive(server, live))
    const meanwhile = await twoSessions(server)
    await redis.start()
    t.false(await isActive(server, dead))
    await becomesTrusted(server)
    t.false(await isActive(server, dead))
    t.false(await isActive(server, meanwhile.dead), 'revoked while Redis was away')
    t.true(await isActive(server, meanwhile.live))
    const kept = (await server.redis?.keys('*'))?.filter((key) => key.includes('revoked:sid:'))
    t.is(kept?.length, (await server.db('revocations')).length)
  }
})

test('ASVS 13.1.3: a Redis that hangs costs one bounded wait, and the answers stay correct', async (t) => {
  const redis = await ownRedis(t)
  const server = await startServer(t, { redis: redis.url })
  const { dead, live } = await twoSessions(server)
  redis.pause()
  t.teardown(redis.resume)
  const startedAt = performance.now()
  t.false(await isActive(server, dead))
  t.true(await isActive(server, live))
  await alwaysRight(t, server, 30)
  // A command may take one second in the tests: waiting for each would take over a minute.
  t.true(performance.now() - startedAt < 30_000)
  t.false(trusted(server))
  redis.resume()
  await becomesTrusted(server)
  await alwaysRight(t, server, 5)
})

test('a flush during a fill makes it start again', async (t) => {
  const redis = await ownRedis(t)
  const server = await startServer(t, { redis: redis.url })
  const expiresAt = new Date(server.clock.now().getTime() + 600_000)
  const rows = Array.from({ length: 11_000 }, () => ({ value: randomUUID(), kind: 'jti' }))
  const rest = { revoked_at: server.clock.now(), expires_at: expiresAt }
  await server.db.batchInsert(
    'revocations',
    rows.map((row) => ({ ...row, ...rest })),
    4000,
  )
  const index = server.services.index
  if (!index) throw new Error('there is a Redis')
  const held = async ({ value }: { value: string }) => index.isRevokedAny([{ kind: 'jti', value }])
  for (let round = 0; round < 5; round += 1) {
    index.distrust('the test says so')
    const filling = index.fill()
    await eventually(async () => (await server.redis?.dbsize()) !== 0, 'it has begun')
    await redis.flush()
    await filling
    const answers = await Promise.all(rows.filter((_, at) => at % 100 === 0).map(held))
    t.deepEqual(
      answers.filter((answer) => answer === false),
      [],
      'revoked, or not trusted',
    )
    await becomesTrusted(server)
    await redis.flush()
  }
})

test('a Redis that may evict entries is not trusted, and the log says what to do', async (t) => {
  const redis = await ownRedis(t, { maxmemory: '50mb', 'maxmemory-policy': 'allkeys-lru' })
  const lines: string[] = []
  const server = await startServer(t, { redis: redis.url, logTo: (line) => lines.push(line) })
  await eventually(() => lines.some((line) => line.includes('set it to noeviction')), 'the advice')
  await alwaysRight(t, server, 3)
  t.false(trusted(server))
  await server.redis?.config('SET', 'maxmemory-policy', 'noeviction')
  await becomesTrusted(server)
  await alwaysRight(t, server, 3)
  await server.redis?.config('SET', 'maxmemory-policy', 'volatile-ttl')
  await eventually(() => !trusted(server), 'the change is noticed')
  t.is(lines.filter((line) => line.includes('noeviction')).length, 2, 'said once each time')
})

test('a Redis that has no memory left for an entry is not trusted', async (t) => {
  const redis = await ownRedis(t)
  const server = await startServer(t, { redis: redis.url })
  await becomesTrusted(server)
  await server.redis?.config('SET', 'maxmemory-policy', 'noeviction')
  await server.redis?.config('SET', 'maxmemory', '1')
  await alwaysRight(t, server, 3)
  t.false(trusted(server))
})

test('without any Redis the log answers', async (t) => {
  const server = await startServer(t, { redis: false })
  const beside = await startServer(t, { redis: false, beside: server })
  const { dead, live } = await twoSessions(server)
  t.false(await isActive(beside, dead))
  t.true(await isActive(beside, live))
})

test('a server starts while Redis is away, and uses it when it comes', async (t) => {
  const redis = await ownRedis(t)
  await redis.kill()
  const server = await startServer(t, { redis: redis.url })
  await alwaysRight(t, server, 2)
  const ready = await server.get('/health/ready')
  t.is(ready.status, 200, 'it can do without')
  t.regex(ready.body.checks.redis, /^ok, away/)
  await redis.start()
  await becomesTrusted(server)
  await alwaysRight(t, server, 2)
})

test('entries and counters expire in Redis by themselves', async (t) => {
  const redis = await ownRedis(t)
  const server = await startServer(t, { redis: redis.url })
  const token = (await server.clientCredentials()).body
  await server.revoke(token.access_token)
  await twoSessions(server)
  const all = (await server.redis?.keys('*')) ?? []
  const keys = all.filter((key) => /revoked:(jti|sid|count):/.test(key))
  t.is(keys.length, 3)
  for (const key of keys) {
    const seconds = (await server.redis?.ttl(key.slice(server.keyPrefix.length))) ?? -1
    const most = key.includes(':jti:') ? 960 : key.includes(':sid:') ? 3660 : 600
    t.true(seconds > most - 90 && seconds <= most, `${key}: ${seconds}`)
  }
})
