import test from 'ava'
import { ClientCache, clientStaleSeconds } from '../../src/clients/client-cache.ts'
import type { Statements } from '../../src/stores/statements.ts'
import { app } from '../../tools/fixtures.ts'
import { register } from '../support/clients/clients.ts'
import { Clock, startServer } from '../support/server/start-server.ts'

/** A cache over a stub that counts queries and answers when the test says so. */
function counted(rows: (id: string) => object[]) {
  const clock = new Clock(new Date())
  const gates: (() => void)[] = []
  let asked = 0
  const run = async (_: unknown, [id]: string[]) => {
    asked += 1
    const answer = rows(id ?? '')
    if (gates.length > 0) await new Promise<void>((resolve) => gates.unshift(resolve))
    return answer
  }
  const known = new ClientCache({ statements: { run } as unknown as Statements, now: clock.now })
  return { clock, known, gates, asked: () => asked }
}

const row = (id: string) => ({ id, digests: [], ends: [] })

test('a client is read once in five seconds, however many requests need it', async (t) => {
  const { clock, known, asked } = counted(() => [row('app')])
  for (let second = 0; second < clientStaleSeconds; second += 1) {
    await Promise.all([1, 2, 3].map(() => known.find('app')))
    clock.advance({ seconds: 1 })
  }
  t.is(asked(), 1)
  await Promise.all([1, 2, 3].map(() => known.find('app')))
  t.is(asked(), 2)
})

test('a clock that is set back does not extend the cache', async (t) => {
  const { clock, known, asked } = counted(() => [row('app')])
  await known.find('app')
  clock.advance({ hours: -1 })
  await known.find('app')
  t.is(asked(), 2)
})

test('unknown clients are not cached, so strangers cannot fill the cache with names', async (t) => {
  const { known, asked } = counted((id) => (id === 'app' ? [row(id)] : []))
  await known.find('app')
  for (let round = 0; round < 3; round += 1) t.is(await known.find('nobody'), undefined)
  t.is(asked(), 4)
  for (let at = 0; at < 1100; at += 1) await known.find(`stranger-${at}`)
  await known.find('app')
  t.is(asked(), 1104)
})

test('the cache is bounded, and the oldest entry is dropped first', async (t) => {
  const { known, asked } = counted(() => [row('any')])
  for (let at = 0; at <= 1000; at += 1) await known.find(`client-${at}`)
  await known.find('client-1000')
  t.is(asked(), 1001)
  await known.find('client-0')
  t.is(asked(), 1002)
})

test('a client that was read before a change here is not cached after it', async (t) => {
  let name = 'old'
  const { known, gates } = counted(() => [{ ...row('app'), name }])
  gates.push(() => undefined)
  const before = known.find('app')
  name = 'new'
  known.forget('app')
  const [open] = gates.splice(0)
  open?.()
  t.is((await before)?.client.name, 'old')
  t.is((await known.find('app'))?.client.name, 'new')
})

test('a change takes effect at once here, and within five seconds at every other instance', async (t) => {
  const server = await startServer(t)
  const beside = await startServer(t, { beside: server })
  const { clients } = server.services
  const first = await register(server, 'service')
  for (const one of [server, beside]) t.is((await one.clientCredentials({}, first)).status, 200)

  const second = { id: 'service', secret: await clients.rotateSecret('service', 0) }
  t.is((await server.clientCredentials({}, first)).status, 401)
  for (const one of [server, beside]) {
    t.is((await one.clientCredentials({}, second)).status, 200, 'the new one is good at once')
  }
  server.clock.advance({ seconds: clientStaleSeconds })
  t.is((await beside.clientCredentials({}, first)).status, 401)

  for (const one of [server, beside]) t.is((await one.clientCredentials({}, second)).status, 200)
  await clients.disable('service')
  t.is((await server.clientCredentials({}, second)).status, 401)
  server.clock.advance({ seconds: clientStaleSeconds })
  t.is((await beside.clientCredentials({}, second)).status, 401)
})

test('RFC 7009 §2: tokens that a disabled client still gets from another instance are revoked already', async (t) => {
  const server = await startServer(t)
  const beside = await startServer(t, { beside: server })
  const watcher = await register(server, 'watcher', { introspects: ['*'] })
  const service = await register(server, 'service')
  await beside.clientCredentials({}, service)
  await server.services.clients.disable('service')
  const late = await beside.clientCredentials({}, service)
  t.is(late.status, 200)
  t.deepEqual((await beside.introspect(late.body.access_token, watcher)).body, { active: false })
  server.clock.advance({ seconds: clientStaleSeconds })
  t.is((await beside.clientCredentials({}, service)).status, 401)
})

test('each refusal costs one query, whether the client exists or not', async (t) => {
  const server = await startServer(t)
  const asked: string[] = []
  const { statements } = server.services
  const run = statements.run.bind(statements)
  statements.run = (statement, values) => {
    // Once a second the refusals are recorded.
    if (typeof values[0] === 'string') asked.push(values[0])
    return run(statement, values)
  }
  await server.clientCredentials({}, app)
  for (const id of ['app', 'app', 'nobody', 'nobody']) {
    t.is((await server.clientCredentials({}, { id, secret: 'wrong' })).status, 401)
  }
  t.deepEqual(asked, ['app', 'app', 'app', 'nobody', 'nobody'])
})
