// Alone: it measures how long answers take under load.
import test, { type ExecutionContext } from 'ava'
import { Redis } from 'ioredis'
import { eventually } from '../../tools/eventually.ts'
import { startServer, type TestServer } from '../support/server/start-server.ts'
import { wiredRedis } from '../support/stores/wired-stores.ts'

const trusted = (server: TestServer) => server.services.index?.trusted ?? false

async function behindSlowRedis(t: ExecutionContext) {
  const { proxy, url, directUrl } = await wiredRedis(t)
  const server = await startServer(t, { redis: url })
  await eventually(() => trusted(server), 'Redis is trusted')
  const direct = new Redis(directUrl)
  t.teardown(() => direct.disconnect())
  return { proxy, server, direct }
}

const isActive = async (server: TestServer, token: string): Promise<boolean> => {
  const { status, body, text } = await server.introspect(token)
  if (status !== 200) throw new Error(text)
  return body.active
}

test('RFC 7662 §4: Redis answers late → a revoked token is never active, and Redis is trusted again by itself', async (t) => {
  const { proxy, server } = await behindSlowRedis(t)
  const live = (await server.signIn()).body
  const dead = (await server.signIn()).body
  await server.revoke(dead.refresh_token)
  // Within the timeout of a command (one second in tests), beyond it, and within it again.
  for (const milliseconds of [100, 3000, 0]) {
    proxy.answersLateMilliseconds = milliseconds
    const startedAt = performance.now()
    t.false(await isActive(server, dead.access_token), 'asked while Redis is still trusted')
    for (let turn = 0; turn < 2; turn += 1) {
      const { access_token: token, refresh_token: refreshToken } = (await server.signIn()).body
      t.true(await isActive(server, token))
      const [asked] = await Promise.all([isActive(server, token), server.revoke(refreshToken)])
      t.is(typeof asked, 'boolean', 'whichever came first')
      t.false(await isActive(server, token), `${milliseconds} ms late`)
      t.true(await isActive(server, live.access_token))
    }
    // Waiting for each answer, three seconds late, would take minutes.
    t.true(performance.now() - startedAt < 60_000)
  }
  await eventually(() => trusted(server) && !server.services.throttle.redisAway, 'all is as before')
})

test('Redis answers too late → the points of correct passwords are refunded', async (t) => {
  const { proxy, server, direct } = await behindSlowRedis(t)
  const points = async () => {
    const keys = await direct.keys('*throttle:*')
    const values = await Promise.all(keys.map((key) => direct.get(key)))
    return values.map(Number).filter((value) => value !== 0)
  }
  t.is((await server.signIn()).status, 200)
  t.deepEqual(await points(), [], 'as with a fast Redis')
  proxy.answersLateMilliseconds = 3000
  const answers = await Promise.all(Array.from({ length: 4 }, () => server.signIn()))
  t.deepEqual(new Set(answers.map(({ status }) => status)), new Set([200]))
  t.true(server.services.throttle.redisAway, 'PostgreSQL has counted')
  await eventually(async () => (await points()).length === 0, 'all points are refunded')
})

test('a connection to Redis goes silent → it is replaced', async (t) => {
  const { proxy, server } = await behindSlowRedis(t)
  const { access_token: token, refresh_token: refreshToken } = (await server.signIn()).body
  t.true(await isActive(server, token))
  // As if a machine or firewall in between had failed: TCP alone would retry for a quarter of an hour.
  proxy.lose()
  await server.revoke(refreshToken)
  t.false(await isActive(server, token))
  await eventually(() => trusted(server), 'Redis is trusted again')
  t.false(await isActive(server, token))
})

test('Redis refuses too late → no failure is forgotten', async (t) => {
  const { proxy, server, direct } = await behindSlowRedis(t)
  const guess = () => server.signIn({ password: 'wrong' })
  for (let i = 0; i < 4; i += 1) await guess()
  const [key = ''] = await direct.keys('*throttle:sign-in-free:*')
  t.is(await direct.get(key), '4')
  proxy.answersLateMilliseconds = 3000
  t.is((await guess()).status, 400)
  t.true(server.services.throttle.redisAway, 'PostgreSQL has counted')
  proxy.answersLateMilliseconds = 0
  await eventually(async () => {
    await server.signIn({ username: 'nobody' })
    return !server.services.throttle.redisAway
  }, 'everything that was sent before has arrived')
  t.is(await direct.get(key), '4')
})
