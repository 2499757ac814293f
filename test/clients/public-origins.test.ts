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

/** The server asks for other things meanwhile. */
const isOfOrigins = (sql: string) => sql.includes('unnest(redirect_uris)')

test('clients with a secret, disabled ones and private-use schemes → no origin', async (t) => {
  const { db, services } = await startServer(t)
  const create = (id: string, different: Partial<NewClient>) =>
    services.clients.create({ ...settings, id, ...different })
  await create('native', { redirectUris: ['com.example.app:/callback'] })
  await create('web', {
    authenticationMethod: 'client_secret_basic',
    redirectUris: ['https://web.example/callback'],
  })
  await create('gone', { redirectUris: ['https://gone.example/callback'] })
  await services.clients.disable('gone')
  await create('spa', {})
  const origins = new PublicOrigins({ db, now: () => new Date() })
  t.true(await origins.has(spa))
  for (const origin of ['null', 'https://web.example', 'https://gone.example', `${spa}/`, '']) {
    t.false(await origins.has(origin), origin)
  }
})

test('many unknown origins → one query a second', async (t) => {
  const { db, services } = await startServer(t)
  await services.clients.create(settings)
  let at = new Date()
  const origins = new PublicOrigins({ db, now: () => at })
  let queries = 0
  db.on('query', ({ sql }: { sql: string }) => {
    if (isOfOrigins(sql)) queries += 1
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

test('many clients with a secret → an unknown origin does not cause reading them', async (t) => {
  const { db, services } = await startServer(t)
  await services.clients.create(settings)
  await services.clients.create({
    ...settings,
    id: 'web',
    authenticationMethod: 'client_secret_basic',
  })
  await db.raw(
    `INSERT INTO clients
     SELECT copy.* FROM clients, generate_series(1, 20000) AS number,
            jsonb_populate_record(clients, jsonb_build_object('id', 'web-' || number)) AS copy
      WHERE clients.id = 'web'`,
  )
  await db.raw('ANALYZE clients')
  const queries: { sql: string; bindings: string[] }[] = []
  db.on('query', (query) => {
    if (isOfOrigins(query.sql)) queries.push(query)
  })
  t.false(await new PublicOrigins({ db, now: () => new Date() }).has('https://unknown.example'))
  const [{ sql, bindings } = { sql: '', bindings: [] }] = queries
  const { rows } = await db.raw(`EXPLAIN ${sql.replace(/\$\d+/g, '?')}`, bindings)
  t.regex(JSON.stringify(rows), /clients_public_redirect_uris/)
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
