import test from 'ava'
import { v7 as uuidv7 } from 'uuid'
import { app } from '../../tools/fixtures.ts'
import { addAdmin } from '../support/people/administrator.ts'
import { startServer, type TestServer } from '../support/server/start-server.ts'

/** A janitor that only the test lets run; Redis forgets by its own clock, which no test can advance. */
const withoutRedis = { redis: false } as const

/** Adds sessions of the client, all of one other person. */
async function addSessions({ db }: TestServer, count: number): Promise<void> {
  await db.raw(
    `INSERT INTO refresh_families (sid, user_id, client_id, scope, audience, seed_digest, auth_time, amr,
                                   idle_expires_at, expires_at)
     SELECT gen_random_uuid(), ?, ?, '{}', '{}', sha256('x'), now(), '{}',
            now() + interval '1 day', now() + interval '1 day'
       FROM generate_series(1, ?)`,
    [uuidv7(), app.id, count],
  )
}

const live = async ({ db }: TestServer) =>
  Number((await db('refresh_families').whereNull('revoked_at').count({ count: '*' }))[0]?.count)

const refusedRefresh = async (server: TestServer, token: string) =>
  (await server.refresh(token)).status >= 400

for (const way of ['disabled', 'deleted']) {
  test(`a client with 20,000 sessions is ${way} → its tokens are refused at once, its sessions end in batches`, async (t) => {
    const server = await startServer(t, withoutRedis)
    const admin = await addAdmin(server)
    const person = await server.signIn()
    // More than one statement could list by id.
    await addSessions(server, 20_000)
    const answer =
      way === 'disabled'
        ? await admin.patch(`clients/${app.id}`, { disabled: true })
        : await admin.delete(`clients/${app.id}`)
    t.is(answer.status, way === 'disabled' ? 200 : 204)
    t.true(await refusedRefresh(server, person.body.refresh_token))
    t.is((await server.db('revocations').where({ kind: 'client', value: app.id })).length, 1)
    t.is((await server.db('revocations').where({ kind: 'sid' })).length, 0, 'no entry per session')
    t.true((await live(server)) > 18_000)
    if (way === 'disabled') {
      t.is(answer.body.ending_sessions, true)
    }
    const ended = await server.services.janitor.run()
    t.true((ended.client_sessions ?? 0) > 18_000)
    t.is(await live(server), 1, 'that of the administrator')
    const { body } = await admin.get('clients')
    t.deepEqual(
      body.clients.filter((one: { ending_sessions: boolean }) => one.ending_sessions),
      [],
    )
    t.deepEqual(await server.db('deleted_clients'), [])
  })
}

test('a client can be enabled again only once none of its old sessions is left', async (t) => {
  const server = await startServer(t, withoutRedis)
  const { clients, janitor } = server.services
  const person = await server.signIn()
  await addSessions(server, 2500)
  t.deepEqual(await clients.disable(app.id), { sessions: 1000, more: true })
  server.clock.advance({ hours: 2 })
  const early = await t.throwsAsync(clients.amend(app.id, { disabled: false }))
  t.regex(early?.message ?? '', /still being ended/)
  t.true(await refusedRefresh(server, person.body.refresh_token))
  await janitor.run()
  await clients.amend(app.id, { disabled: false })
  t.is((await server.signIn()).status, 200)
  t.like(await server.refresh(person.body.refresh_token), { status: 400 })
})

test('a new client with the id of a deleted one gets none of its sessions', async (t) => {
  const server = await startServer(t, withoutRedis)
  const { clients, janitor } = server.services
  const person = await server.signIn()
  await addSessions(server, 2500)
  await clients.delete(app.id)
  server.clock.advance({ hours: 2 })
  const again = () =>
    clients.create({
      ...{ id: app.id, name: 'Another', firstParty: true, authenticationMethod: 'none' },
      ...{ grantTypes: ['password', 'refresh_token'], scopes: ['read', 'offline_access'] },
      audiences: ['https://orders.example'],
    })
  t.regex((await t.throwsAsync(again()))?.message ?? '', /still being ended/)
  await janitor.run()
  await again()
  t.is(await live(server), 0)
  const params = { client_id: app.id, grant_type: 'refresh_token' }
  const answer = await server.request('/oauth/token', {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams({ ...params, refresh_token: person.body.refresh_token }).toString(),
  })
  t.is(answer.status, 400, answer.text)
})

async function addKeys({ db }: TestServer, count: number): Promise<void> {
  const [ada] = await db('users').select('id')
  await db.raw(
    `INSERT INTO api_keys (id, user_id, name, client_id, digest, scope, audience, created_at)
     SELECT gen_random_uuid(), ?, 'ci', ?, sha256(i::text::bytea), '{}', '{}', now()
       FROM generate_series(1, ?) AS i`,
    [ada.id, app.id, count],
  )
}

test('a client with 2,500 API keys is disabled → 1,000 end with it, the janitor deletes the rest', async (t) => {
  const server = await startServer(t, withoutRedis)
  await addKeys(server, 2500)
  const count = async (table: string) =>
    Number((await server.db(table).count({ count: '*' }))[0]?.count)
  await server.services.clients.disable(app.id)
  t.is(await count('api_keys'), 1500)
  t.is((await server.db('revocations').where({ kind: 'sid' })).length, 1000)
  await server.services.janitor.run()
  t.is(await count('api_keys'), 0)
  t.is((await server.db('revocations').where({ kind: 'sid' })).length, 2500)
})

test('API keys of an ended client are left → it cannot be enabled, and its id cannot be reused', async (t) => {
  const server = await startServer(t, withoutRedis)
  const { clients, janitor } = server.services
  await addKeys(server, 2500)
  await clients.disable(app.id)
  server.clock.advance({ hours: 2 })
  const enable = () => clients.amend(app.id, { disabled: false })
  t.regex((await t.throwsAsync(enable()))?.message ?? '', /API keys .* still being deleted/)
  await janitor.run()
  await enable()
  t.deepEqual(await server.db('api_keys'), [])

  await addKeys(server, 2500)
  await clients.delete(app.id)
  server.clock.advance({ hours: 2 })
  const again = () =>
    clients.create({
      ...{ id: app.id, name: 'Another', firstParty: true, authenticationMethod: 'none' },
      ...{ grantTypes: ['password'], scopes: ['read'], audiences: ['https://orders.example'] },
    })
  t.regex((await t.throwsAsync(again()))?.message ?? '', /API keys .* still being deleted/)
  await janitor.run()
  await again()
  t.deepEqual(await server.db('api_keys'), [])
})

test('the previous release reuses the id of a deleted client → the janitor ends no session of the new one', async (t) => {
  const server = await startServer(t, withoutRedis)
  await server.db('deleted_clients').insert({ id: app.id, deleted_at: server.clock.now() })
  const { body } = await server.signIn()
  await server.services.janitor.run()
  t.is((await server.refresh(body.refresh_token)).status, 200)
  t.deepEqual(await server.db('deleted_clients'), [])
})

test('the previous release deletes a client or a person → the janitor deletes their sessions', async (t) => {
  const server = await startServer(t, withoutRedis)
  await server.signIn()
  await addSessions(server, 5)
  t.is(await live(server), 6)
  t.is((await server.services.janitor.run()).idle_sessions, 5)
  t.is(await live(server), 1)
  await server.db('clients').where({ id: app.id }).delete()
  t.is((await server.services.janitor.run()).idle_sessions, 1)
  t.is(await live(server), 0)
})

test('the clock is in doubt → sessions of a disabled client end, and nothing else is deleted', async (t) => {
  const server = await startServer(t, withoutRedis)
  await server.signIn()
  await server.db('clients').where({ id: app.id }).update({ disabled_at: server.clock.now() })
  server.clock.advance({ days: 400 })
  t.deepEqual(await server.services.janitor.run(false), {
    ...{ client_sessions: 1, consents: 0 },
    // The oldest above a number.
    surplus_refusals: 0,
  })
})
