// Alone: it measures how long answers take.
import test, { type ExecutionContext } from 'ava'
import { Redis } from 'ioredis'
import { freePort } from '../../src/stores/embedded/postmaster.ts'
import { findRedis, openRedis } from '../../src/stores/redis.ts'
import { eventually } from '../../tools/eventually.ts'
import { production } from '../../tools/fixtures.ts'
import { type RedisServer, startRedisServer } from '../../tools/redis-server.ts'
import { emptyFolder, signet } from '../support/server/signet.ts'
import { copyTemplate, startServer, type TestServer } from '../support/server/start-server.ts'

type Settings = Readonly<Record<string, string>>

async function ownRedis(t: ExecutionContext, settings: Settings = {}): Promise<RedisServer> {
  const server = await startRedisServer({ settings })
  t.teardown(server.close)
  return server
}

/** A cluster of one node that has all slots. */
async function ownCluster(t: ExecutionContext, settings: Settings = {}) {
  const server = await ownRedis(t, {
    'cluster-enabled': 'yes',
    'cluster-announce-ip': '127.0.0.1',
    ...settings,
  })
  const password = settings.requirepass
  const admin = new Redis(server.url, { ...(password !== undefined && { password }) })
  await admin.call('CLUSTER', 'ADDSLOTSRANGE', 0, 16383)
  await eventually(
    async () => String(await admin.call('CLUSTER', 'INFO')).includes('cluster_state:ok'),
    'the cluster is up',
  )
  admin.disconnect()
  const url = password === undefined ? server.url : server.url.replace('//', `//:${password}@`)
  return { server, urls: [url, `${url}/`] }
}

function open(t: ExecutionContext, urls: readonly string[], keyPrefix = '') {
  const redis = openRedis({ urls, timeoutMilliseconds: 300, keyPrefix })
  redis.on('error', () => undefined)
  t.teardown(() => redis.disconnect())
  return redis
}

const connected = (redis: ReturnType<typeof openRedis>) =>
  eventually(() => redis.status === 'ready', 'Redis is connected')

const isActive = async (server: TestServer, token: string): Promise<boolean> =>
  (await server.introspect(token)).body.active

const becomesTrusted = (server: TestServer) =>
  eventually(() => server.services.index?.trusted ?? false, 'Redis is trusted')

async function sessionsOf(server: TestServer) {
  const dead = (await server.signIn()).body
  const live = (await server.signIn()).body
  await server.revoke(dead.refresh_token)
  return { dead: dead.access_token, live: live.access_token }
}

test('a Redis cluster → answers revocation checks in one round trip', async (t) => {
  const { server: node, urls } = await ownCluster(t)
  const server = await startServer(t, { redis: urls.join(',') })
  t.true(server.redis?.isCluster)
  await becomesTrusted(server)
  const { dead, live } = await sessionsOf(server)
  t.true(server.services.index?.trusted)
  t.false(await isActive(server, dead))
  t.true(await isActive(server, live))
  t.true(server.services.index?.trusted, 'the answers came from the cluster')
  await node.flush()
  t.false(await isActive(server, dead))
  await becomesTrusted(server)
  t.false(await isActive(server, dead))
})

test('one URL of a cluster with several nodes → used as a cluster, and doctor reports it', async (t) => {
  const nodes = []
  for (const slots of [
    [0, 8191],
    [8192, 16383],
  ]) {
    const bus = String(await freePort())
    const settings = {
      'cluster-enabled': 'yes',
      'cluster-announce-ip': '127.0.0.1',
      'cluster-port': bus,
    }
    const node = await ownRedis(t, settings)
    const admin = new Redis(node.url)
    t.teardown(() => admin.disconnect())
    await admin.call('CLUSTER', 'ADDSLOTSRANGE', ...slots)
    nodes.push({ url: node.url, port: node.port, bus, admin })
  }
  const [one, two] = nodes
  await one?.admin.call('CLUSTER', 'MEET', '127.0.0.1', two?.port ?? 0, two?.bus ?? 0)
  for (const { url, admin } of nodes) {
    await eventually(
      async () => String(await admin.call('CLUSTER', 'INFO')).includes('cluster_state:ok'),
      'the cluster is up',
    )
    const redis = await findRedis({ urls: [url], timeoutMilliseconds: 1000, keyPrefix: '' })
    t.teardown(() => redis.disconnect())
    await connected(redis)
    for (const key of ['a', 'b', 'c', 'd']) t.is(await redis.set(key, key), 'OK')
    const cwd = await emptyFolder(t)
    const env = { ...production(await copyTemplate(t)), REDIS_URL: url }
    const { json } = await signet(['doctor', '--json'], { cwd, env })
    const finding = json().findings.find(
      ({ check }: { check: string }) => check === 'redis cluster',
    )
    t.like(finding, { state: 'ok', message: 'used as a cluster with 2 node(s) that accept writes' })
  }
})

test('a cluster node that hangs, dies and returns → never a wrong answer', async (t) => {
  const { server: node, urls } = await ownCluster(t)
  const server = await startServer(t, { redis: urls.join(',') })
  await becomesTrusted(server)
  const { dead, live } = await sessionsOf(server)
  for (const [away, back] of [
    [node.pause, node.resume],
    [node.kill, node.start],
  ] as const) {
    await away()
    const startedAt = performance.now()
    for (let turn = 0; turn < 5; turn += 1) {
      t.false(await isActive(server, dead))
      t.true(await isActive(server, live))
    }
    t.true(performance.now() - startedAt < 15_000, 'in bounded time')
    t.is((await server.signIn()).status, 200)
    await sessionsOf(server)
    await back()
    await becomesTrusted(server)
    t.false(await isActive(server, dead))
    t.true(await isActive(server, live))
  }
})

test('cluster nodes → reached with the credentials of the first URL', async (t) => {
  const { urls } = await ownCluster(t, { requirepass: 'password' })
  const redis = open(t, urls, 'ours:')
  await connected(redis)
  t.is(await redis.set('x', '1'), 'OK')
  t.is(await redis.get('x'), '1')
})

test('a Redis that is away → commands fail immediately and are not queued', async (t) => {
  const server = await ownRedis(t)
  const redis = open(t, [server.url])
  await connected(redis)
  await server.kill()
  await eventually(() => redis.status !== 'ready', 'the loss is noticed')
  const startedAt = performance.now()
  await t.throwsAsync(async () => redis.get('x'))
  t.true(performance.now() - startedAt < 2000)
  await server.start()
  await connected(redis)
  t.is(await redis.get('x'), null)
})

test('a Redis that hangs → commands fail within the time limit', async (t) => {
  const server = await ownRedis(t)
  const redis = open(t, [server.url])
  await connected(redis)
  server.pause()
  t.teardown(server.resume)
  await t.throwsAsync(async () => redis.get('x'), { message: /timed out/i })
})

test('REDIS_KEY_PREFIX → separates installations on one Redis', async (t) => {
  const server = await ownRedis(t)
  const [ours, theirs] = [open(t, [server.url], 'ours:'), open(t, [server.url], 'theirs:')]
  await Promise.all([connected(ours), connected(theirs)])
  await ours.set('x', '1')
  t.is(await theirs.get('x'), null)
  t.deepEqual(await theirs.keys('*'), ['ours:x'])
})
