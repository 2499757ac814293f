// Alone: it measures how long answers take.
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import test, { type ExecutionContext } from 'ava'
import { clientStaleSeconds } from '../../src/clients/client-cache.ts'
import { copyTemplate, startServer } from '../support/server/start-server.ts'

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
