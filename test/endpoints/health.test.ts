import test from 'ava'
import { ready } from '../../src/endpoints/health.ts'
import type { Context } from '../../src/http/context.ts'
import { eventually } from '../../tools/eventually.ts'
import { startRedisServer } from '../../tools/redis-server.ts'
import { startServer, type TestServer } from '../support/server/start-server.ts'

/** The answer of a server that is well, whose checks a busy machine may keep from answering in time. */
async function healthy(server: TestServer, path: string) {
  let answer = await server.get(path)
  await eventually(async () => {
    if (answer.status !== 200) answer = await server.get(path)
    return answer.status === 200
  }, `${path} is well`)
  return answer
}

test('all checks pass → the server is live and ready, and lists the checks by name', async (t) => {
  const server = await startServer(t)
  await eventually(() => server.services.index?.trusted ?? false, 'Redis is trusted')
  const live = await server.get('/health/live')
  t.like(live, { status: 200, body: { status: 'ok' } })
  t.is(live.headers.get('cache-control'), 'no-store')
  const answer = await healthy(server, '/health/ready')
  t.is(answer.headers.get('cache-control'), 'no-store')
  t.is(answer.body.status, 'ok')
  const names = ['accepting', 'clock', 'database', 'disk', 'keys', 'migrations', 'redis']
  t.deepEqual(Object.keys(answer.body.checks).sort(), names)
  for (const name of names) t.is(answer.body.checks[name], 'ok', name)
})

test('a server that is stopping is not ready and still answers', async (t) => {
  const server = await startServer(t)
  server.app.drain()
  const answer = await server.get('/health/ready')
  t.is(answer.status, 503)
  t.is(answer.body.checks.accepting, 'is shutting down')
  t.is((await server.get('/health/live')).status, 200)
  t.is((await server.signIn()).status, 200)
})

test('Redis is unavailable or not configured → still ready', async (t) => {
  const without = await startServer(t, { redis: false })
  t.is((await healthy(without, '/health/ready')).body.checks.redis, 'ok, not used')
  const redis = await startRedisServer()
  t.teardown(redis.close)
  const server = await startServer(t, { redis: redis.url })
  await redis.kill()
  await eventually(async () => {
    const { body } = await healthy(server, '/health/ready')
    return body.checks.redis.startsWith('ok, away')
  }, 'the loss shows')
})

test('the disk of PostgreSQL is full → still ready, with a message and a metric', async (t) => {
  const server = await startServer(t)
  const full = `DO $$ BEGIN RAISE EXCEPTION 'no space left on device' USING ERRCODE = '53100'; END $$`
  await t.throwsAsync(() => server.db.raw(full))
  const { body } = await healthy(server, '/health/ready')
  t.regex(body.checks.disk, /^ok, but the disk of PostgreSQL is full/)
  const metrics = await server.services.metrics.registry.metrics()
  t.regex(metrics, /^signet_database_full_disk_total 1$/m)
})

test('a check hangs or throws → it has failed, by name and in bounded time', async (t) => {
  const ctx = { set() {} } as unknown as Context
  const checks = {
    fine: async () => undefined,
    note: async () => 'ok, but look',
    broken: async () => Promise.reject(new Error('password=secret')),
    slow: () => new Promise<undefined>(() => {}),
  }
  await ready(checks)(ctx, async () => undefined)
  t.is(ctx.status, 503)
  t.deepEqual(ctx.body, {
    status: 'unavailable',
    checks: { fine: 'ok', note: 'ok, but look', broken: 'fails', slow: 'no answer in time' },
  })
})

test('the public health endpoints show the status of the instance and of its database only', async (t) => {
  const server = await startServer(t)
  const [whole, database] = ['/api/v1/health', '/api/v1/health/database']
  for (const path of [whole, database]) {
    t.deepEqual((await healthy(server, path)).body, { status: 'ok' }, path)
  }
  server.app.drain()
  const draining = await server.get(whole)
  t.deepEqual([draining.status, draining.body], [503, { status: 'unavailable' }])
  t.deepEqual((await healthy(server, database)).body, { status: 'ok' })
})
