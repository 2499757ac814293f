import test from 'ava'
import { matchesAny } from '../../src/clients/client-secrets.ts'
import { register } from '../support/clients/clients.ts'
import { startServer } from '../support/server/start-server.ts'

test('two secrets of a client are valid together, so that it can switch without an outage', async (t) => {
  const server = await startServer(t)
  const first = await register(server, 'service')
  const second = {
    id: 'service',
    secret: await server.services.clients.rotateSecret('service', 3600),
  }
  for (const as of [first, second]) t.is((await server.clientCredentials({}, as)).status, 200)
  server.clock.advance({ minutes: 59 })
  for (const as of [first, second]) t.is((await server.clientCredentials({}, as)).status, 200)
  server.clock.advance({ minutes: 1 })
  t.is((await server.clientCredentials({}, first)).status, 401, 'the overlap is over')
  t.is((await server.clientCredentials({}, second)).status, 200)
})

test('a third secret replaces the first one, even within its overlap', async (t) => {
  const server = await startServer(t)
  const first = await register(server, 'service')
  const [second, third] = [
    { id: 'service', secret: await server.services.clients.rotateSecret('service', 86_400) },
    { id: 'service', secret: await server.services.clients.rotateSecret('service', 86_400) },
  ]
  t.is((await server.clientCredentials({}, first)).status, 401)
  for (const as of [second, third]) t.is((await server.clientCredentials({}, as)).status, 200)
  const rows = await server.db('client_secrets').where({ client_id: 'service' })
  t.is(rows.length, 2)
})

test('without an overlap the old secret is refused at once', async (t) => {
  const server = await startServer(t)
  const first = await register(server, 'service')
  const second = { id: 'service', secret: await server.services.clients.rotateSecret('service', 0) }
  t.is((await server.clientCredentials({}, first)).status, 401)
  t.is((await server.clientCredentials({}, second)).status, 200)
})

test('two concurrent rotations leave two new secrets, and the old one is refused', async (t) => {
  const server = await startServer(t)
  const { clients } = server.services
  let { secret: old } = await register(server, 'service')
  await Promise.all(Array.from({ length: 8 }, () => server.db.raw('SELECT pg_sleep(0.05)')))
  for (let round = 0; round < 25; round += 1) {
    const pair = [clients.rotateSecret('service', 3600), clients.rotateSecret('service', 3600)]
    const fresh = await Promise.all(pair)
    const { secretDigests = [] } = (await clients.find('service')) ?? {}
    t.is(secretDigests.length, 2)
    for (const secret of fresh) t.true(matchesAny(secret, secretDigests), `round ${round}`)
    t.false(matchesAny(old, secretDigests), `round ${round}`)
    old = fresh[0] ?? ''
  }
})

test('ASVS 6.5.2, 11.5.1: a secret has 256 random bits and is stored as a digest', async (t) => {
  const server = await startServer(t)
  const secrets = []
  for (let n = 0; n < 20; n += 1) secrets.push((await register(server, `service-${n}`)).secret)
  t.is(new Set(secrets).size, 20)
  for (const secret of secrets) t.regex(secret, /^scs_[\w-]{43}$/)
  const dump = JSON.stringify([
    await server.db('client_secrets'),
    await server.db('clients'),
    await server.db('audit_events'),
  ])
  for (const secret of secrets) t.false(dump.includes(secret.slice(4)))
})
