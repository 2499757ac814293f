import test from 'ava'
import type { NewClient } from '../../src/clients/new-client.ts'
import { PublicOrigins } from '../../src/clients/public-origins.ts'
import { startServer } from '../support/server/start-server.ts'
import { wiredDatabase } from '../support/stores/wired-stores.ts'

const spa = 'https://spa.example'

const settings: NewClient = {
  id: 'spa',
  name: 'spa',
  authenticationMethod: 'none',
  grantTypes: ['authorization_code'],
  scopes: ['openid'],
  audiences: ['https://orders.example'],
  redirectUris: [`${spa}/callback`],
}

test('many unknown origins → one query a second', async (t) => {
  const { db, services } = await startServer(t)
  await services.clients.create(settings)
  let at = new Date()
  const origins = new PublicOrigins({ db, now: () => at })
  let queries = 0
  db.on('query', () => {
    queries += 1
  })
  const ask = () =>
    Promise.all(Array.from({ length: 20 }, (_, number) => origins.has(`https://${number}.example`)))
  t.false((await ask()).includes(true))
  await ask()
  t.is(queries, 1)
  at = new Date(at.getTime() + 1000)
  await ask()
  t.is(queries, 2)
  t.true(await origins.has(spa))
  t.is(queries, 2, 'a known origin costs none')
})

test('PostgreSQL is away → origins that were known before are still allowed, and no others', async (t) => {
  const { proxy, url: database } = await wiredDatabase(t)
  const { db, services } = await startServer(t, { database })
  await services.clients.create(settings)
  let at = new Date()
  const origins = new PublicOrigins({ db, now: () => at })
  t.true(await origins.has(spa))
  proxy.weather = 'refuse'
  proxy.cut()
  at = new Date(at.getTime() + 60_000)
  t.true(await origins.has(spa))
  t.false(await origins.has('https://other.example'))
  t.false(await new PublicOrigins({ db, now: () => at }).has(spa), 'a new instance knows none')
})
