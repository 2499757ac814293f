// Alone: it measures how long answers take.
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import test, { type ExecutionContext } from 'ava'
import { clientStaleSeconds } from '../../src/clients/client-cache.ts'
import { eventually } from '../../tools/eventually.ts'
import { copyTemplate, startServer } from '../support/server/start-server.ts'
import { startPgBouncer } from '../support/stores/pgbouncer.ts'

/** Stands before PostgreSQL and can stop passing anything on, as a network that loses packets does. */
async function breakableWay(t: ExecutionContext, databaseUrl: string) {
  const url = new URL(databaseUrl)
  const there = { host: url.hostname, port: Number(url.port) }
  const sockets = new Set<Socket>()
  let broken = false
  const proxy = createServer((near) => {
    const far = connect(there)
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from)
      from.on('data', (bytes) => broken || to.write(bytes))
      from.on('error', () => to.destroy())
      from.on('close', () => to.destroy())
    }
  })
  proxy.listen(0, '127.0.0.1')
  await once(proxy, 'listening')
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
    proxy.close()
  })
  url.port = String((proxy.address() as AddressInfo).port)
  const setBroken = (now: boolean) => {
    broken = now
  }
  return { url: url.href, setBroken }
}

test('ASVS 16.5.2: a PostgreSQL that hangs → 503 with Retry-After, and it recovers', async (t) => {
  const way = await breakableWay(t, await copyTemplate(t))
  const server = await startServer(t, { database: way.url })
  t.is((await server.clientCredentials()).status, 200)

  way.setBroken(true)
  // The first is met by connections that are open, the second by the wait for new ones.
  for (const round of [1, 2]) {
    server.clock.advance({ seconds: clientStaleSeconds })
    const startedAt = performance.now()
    const refused = await server.clientCredentials()
    t.is(refused.status, 503, `round ${round}: ${refused.text}`)
    t.is(refused.body.error, 'temporarily_unavailable')
    t.true(Number(refused.headers.get('retry-after')) > 0)
    t.true(performance.now() - startedAt < 30_000)
  }
  t.is((await server.get('/.well-known/jwks.json')).status, 200)

  way.setBroken(false)
  let status = 0
  for (let tries = 0; tries < 60 && status !== 200; tries += 1) {
    status = (await server.clientCredentials()).status
  }
  t.is(status, 200)
})

test('PostgreSQL hangs behind PgBouncer until statements are cancelled → PgBouncer stays, and all goes on', async (t) => {
  const way = await breakableWay(t, await copyTemplate(t))
  const bouncer = await startPgBouncer(t, way.url)
  const environment = { DATABASE_TIMEOUT_SECONDS: '1', DATABASE_PREPARED_STATEMENTS: 'false' }
  const server = await startServer(t, { database: bouncer.url, environment })
  const ask = () => server.clientCredentials()
  const askMany = async () => {
    server.clock.advance({ seconds: clientStaleSeconds })
    const answers = await Promise.all(Array.from({ length: 20 }, ask))
    return answers.map(({ status }) => status)
  }
  t.deepEqual([...new Set(await askMany())], [200])

  way.setBroken(true)
  // Release 1.18 exits when a caller closes a cancel request that it has not forwarded.
  for (let round = 0; round < 4; round += 1) {
    t.true((await askMany()).every((status) => status === 503))
  }
  way.setBroken(false)
  const goesOn = async () => {
    if (/FATAL|it has ended/.test(bouncer.log())) throw new Error(bouncer.log())
    return (await askMany()).every((status) => status === 200)
  }
  await eventually(goesOn, 'it goes on')
})
