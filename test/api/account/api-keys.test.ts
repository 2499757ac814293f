import test from 'ava'
import { eventually } from '../../../tools/eventually.ts'
import { orders } from '../../../tools/fixtures.ts'
import { register, registerPublic } from '../../support/clients/clients.ts'
import { exchange } from '../../support/clients/key-exchange.ts'
import { startConformingServer } from '../../support/http/conformance.ts'
import {
  accountApi,
  addPerson,
  enter,
  goodPassword,
  otherPassword,
  pointers,
  problemType,
} from '../../support/people/account-api.ts'
import { disable } from '../../support/people/administer-people.ts'
import { startServer } from '../../support/server/start-server.ts'
import { dump, tracesOf } from '../../support/stores/dump.ts'

const key = { name: 'ci', scope: 'account', password: goodPassword }
const mobile = { client_id: 'mobile', scope: 'account read' }
const scopes = ['account', 'read', 'write', 'offline_access']

test('a new key → shown once, and the database has only its digest', async (t) => {
  const server = await startConformingServer(t)
  await addPerson(server, 'grace')
  const grace = await enter(server, 'grace')
  const made = await grace.post('api-keys', { ...key, expires_in_days: 30 })
  t.is(made.status, 201)
  t.is(made.headers.get('cache-control'), 'no-store')
  t.regex(made.body.key, /^sak_[\w-]{43}$/)
  const { key: secret, ...shown } = made.body
  t.deepEqual((await grace.get('api-keys')).body, { api_keys: [shown] })
  t.like(shown, { name: 'ci', scope: 'account', audience: [server.app.issuer], last_used_at: null })
  const life = Date.parse(shown.expires_at) - Date.parse(shown.created_at)
  t.is(Math.round(life / 86_400_000), 30)
  const text = await dump(server.db)
  t.true(text.includes(shown.id))
  for (const trace of tracesOf(secret)) t.false(text.includes(trace))
})

test('ASVS 8.2.1: a key with more scope or audience than its app → refused', async (t) => {
  const server = await startConformingServer(t)
  await addPerson(server, 'grace')
  await registerPublic(server, 'mobile', { scopes, audiences: [server.app.issuer, orders] })
  const login = { username: 'grace', password: goodPassword, ...mobile }
  const { body } = await accountApi(server).post('login', login)
  const grace = accountApi(server, body.access_token)
  const wrong: [object, string][] = [
    [{ scope: 'admin' }, '/scope'],
    [{ scope: 'read offline_access' }, '/scope'],
    [{ scope: '' }, '/scope'],
    [{ scope: 'read  write' }, '/scope'],
    [{ scope: ['read'] }, '/scope'],
    [{ audience: ['https://else.example'] }, '/audience'],
    [{ audience: [] }, '/audience'],
    [{ name: ' ' }, '/name'],
    [{ name: 'x'.repeat(101) }, '/name'],
    [{ expires_in_days: 0 }, '/expires_in_days'],
    [{ expires_in_days: 3651 }, '/expires_in_days'],
    [{ user_id: 'x' }, '/user_id'],
    [{ password: undefined }, '/password'],
    [{ password: otherPassword }, '/password'],
  ]
  for (const [different, pointer] of wrong) {
    const answer = await grace.post('api-keys', { ...key, ...different })
    t.deepEqual([answer.status, pointers(answer)], [422, [pointer]], JSON.stringify(different))
  }
  t.deepEqual((await grace.get('api-keys')).body.api_keys, [])
  const made = await grace.post('api-keys', { ...key, scope: 'write read', audience: [orders] })
  t.like(made.body, { scope: 'write read', audience: [orders] })
})

test('20 concurrent requests for a key with a limit of 3 → exactly 3 keys', async (t) => {
  // Each request waits for its password check, however slow the machine is.
  const environment = { API_KEYS_PER_USER: '3', PASSWORD_QUEUE_SECONDS: '60' }
  const server = await startServer(t, { environment, unthrottled: true })
  for (let round = 0; round < 5; round += 1) {
    await addPerson(server, `grace${round}`)
    const grace = await enter(server, `grace${round}`)
    const wishes = Array.from({ length: 20 }, () => grace.post('api-keys', key))
    const answers = await Promise.all(wishes)
    t.is(answers.filter(({ status }) => status === 201).length, 3)
    const refused = answers.filter(({ status }) => status === 409)
    t.is(refused.length, 17)
    const { api_keys: keys } = (await grace.get('api-keys')).body
    t.is(keys.length, 3)
    await grace.delete(`api-keys/${keys[0].id}`)
    t.is((await grace.post('api-keys', key)).status, 201, 'there is room again')
  }
})

test('uses of a key → the last one is recorded, at most once a minute', async (t) => {
  const server = await startConformingServer(t)
  await addPerson(server, 'grace')
  const service = await register(server, 'service', { introspects: ['*'] })
  const grace = await enter(server, 'grace')
  const { key: secret } = (await grace.post('api-keys', key)).body
  const lastUse = async () => (await grace.get('api-keys')).body.api_keys[0].last_used_at
  t.is(await lastUse(), null)
  await server.introspect(secret, service)
  const first = await lastUse()
  t.truthy(first)
  server.clock.advance({ seconds: 20 })
  for (let use = 0; use < 5; use += 1) await server.introspect(secret, service)
  t.is(await lastUse(), first)
  server.clock.advance({ seconds: 41 })
  await server.introspect(secret, service)
  t.true(Date.parse(await lastUse()) >= Date.parse(first) + 61_000)
})

test('RFC 7662: introspection of a key’s token → active only for its audience', async (t) => {
  const server = await startConformingServer(t)
  const { id: sub } = await addPerson(server, 'grace', { roles: ['editor'] })
  const { issuer } = server.app
  const service = await register(server, 'service', { introspects: [issuer] })
  const other = await register(server, 'other', { introspects: [orders] })
  const grace = await enter(server, 'grace')
  const made = (await grace.post('api-keys', { ...key, expires_in_days: 1 })).body
  const { body } = await server.introspect(made.key, service)
  t.like(body, { active: true, token_type: 'api_key', iss: issuer, sub, sid: made.id })
  t.like(body, { scope: 'account', aud: [issuer], roles: ['editor'] })
  t.is(body.exp, Math.floor(Date.parse(made.expires_at) / 1000))
  t.is((await server.introspect(made.key, other)).text, '{"active":false}')
  for (const forged of ['sak_', `${made.key}x`, made.key.slice(0, -1), made.id]) {
    t.is((await server.introspect(forged, service)).text, '{"active":false}')
  }
  server.clock.advance({ days: 1, seconds: 1 })
  t.is((await server.introspect(made.key, service)).text, '{"active":false}', 'it has expired')
})

test('revoking a key → its tokens end at once, on every instance', async (t) => {
  const server = await startConformingServer(t)
  const beside = await startConformingServer(t, { beside: server })
  await addPerson(server, 'grace')
  const service = await register(server, 'service', exchange.client(server))
  const grace = await enter(server, 'grace')
  const [first, second] = [await grace.post('api-keys', key), await grace.post('api-keys', key)]
  const token = (await exchange.of(server, first.body.key, service)).body.access_token
  t.is((await accountApi(beside, token).get('me')).body.username, 'grace')
  t.is((await grace.delete(`api-keys/${first.body.id}`)).status, 204)
  for (const instance of [server, beside]) {
    t.is((await accountApi(instance, token).get('me')).status, 401)
    t.false((await instance.introspect(token, service)).body.active)
    t.false((await instance.introspect(first.body.key, service)).body.active)
    t.is((await exchange.of(instance, first.body.key, service)).status, 400)
  }
  t.is((await exchange.of(server, second.body.key, service)).status, 200)
  t.is((await grace.delete(`api-keys/${first.body.id}`)).status, 404)
})

test('ASVS 8.2.2: another person’s key → neither listed nor revoked', async (t) => {
  const server = await startConformingServer(t)
  await addPerson(server, 'grace')
  await addPerson(server, 'joan')
  const service = await register(server, 'service', exchange.client(server))
  const [grace, joan] = [await enter(server, 'grace'), await enter(server, 'joan')]
  const made = (await joan.post('api-keys', key)).body
  t.deepEqual((await grace.get('api-keys')).body.api_keys, [])
  t.is((await grace.delete(`api-keys/${made.id}`)).status, 404)
  t.is((await exchange.of(server, made.key, service)).status, 200)
})

test('ASVS 7.4.2: a person is disabled or deleted → their keys and the tokens of these end', async (t) => {
  const server = await startConformingServer(t)
  const service = await register(server, 'service', exchange.client(server))
  for (const name of ['grace', 'joan']) {
    const { id } = await addPerson(server, name)
    const { body } = await (await enter(server, name)).post('api-keys', key)
    const token = (await exchange.of(server, body.key, service)).body.access_token
    t.is((await accountApi(server, token).get('me')).status, 200)
    if (name === 'grace') await disable(server, name)
    else await server.services.administration.delete(id)
    t.is((await exchange.of(server, body.key, service)).body.error, 'invalid_grant')
    t.false((await server.introspect(body.key, service)).body.active)
    t.false((await server.introspect(token, service)).body.active)
    t.is((await accountApi(server, token).get('me')).status, 401)
  }
  // A person who is enabled again creates new keys, which work at once.
  const [grace] = await server.db('users').where({ username: 'grace' })
  await server.services.administration.change(grace.id, { disabled: false })
  const again = await (await enter(server, 'grace')).post('api-keys', key)
  const token = (await exchange.of(server, again.body.key, service)).body.access_token
  t.is((await accountApi(server, token).get('me')).status, 200)
})

test('the JSON API → accepts no key; a token of a key may read and not change', async (t) => {
  const server = await startConformingServer(t)
  await addPerson(server, 'grace', { roles: ['admin'] })
  const service = await register(server, 'service', {
    ...exchange.client(server),
    scopes: ['account', 'admin'],
  })
  const grace = await enter(server, 'grace')
  const { body } = await grace.post('api-keys', { ...key, scope: 'account admin' })
  for (const headers of [{ 'x-api-key': body.key }, { authorization: `Bearer ${body.key}` }]) {
    t.is((await server.get('/api/v1/auth/me', headers as Record<string, string>)).status, 401)
  }
  const token = (await exchange.of(server, body.key, service)).body.access_token
  const byKey = accountApi(server, token)
  t.is((await byKey.get('me')).status, 200)
  t.is((await byKey.get('me/export')).status, 403, 'nor take everything with it')
  const { sessions } = (await byKey.get('sessions')).body
  t.deepEqual(
    sessions.map(({ current }: { current: boolean }) => current),
    [false],
  )
  const changes = [
    byKey.post('api-keys', key),
    byKey.delete(`api-keys/${body.id}`),
    byKey.delete(`sessions/${sessions[0].id}`),
    byKey.patch('me', { full_name: 'Mallory' }),
    ...['logout', 'logout/all'].map((path) => byKey.post(path)),
    server.get('/api/v1/users', { authorization: `Bearer ${token}` }),
  ]
  for (const answer of await Promise.all(changes)) {
    t.deepEqual([answer.status, problemType(answer)], [403, 'forbidden'])
  }
  t.is((await grace.get('api-keys')).body.api_keys.length, 1)
})

test('ASVS 7.5.1: a stolen access token → creates no API key; a thief’s key ends with the password', async (t) => {
  const server = await startConformingServer(t)
  await addPerson(server, 'grace')
  const service = await register(server, 'service', exchange.client(server))
  const stolen = await enter(server, 'grace')
  const { password: _, ...withoutPassword } = key
  const refused = await stolen.post('api-keys', withoutPassword)
  t.deepEqual([refused.status, pointers(refused)], [422, ['/password']])
  t.is((await server.db('outgoing_mail')).length, 0)

  const made = await stolen.post('api-keys', key)
  t.is(made.status, 201, made.text)
  const seconds = (Date.parse(made.body.expires_at) - Date.parse(made.body.created_at)) / 1000
  t.is(Math.round(seconds / 3600), 90 * 24, 'without a wish it is for 90 days')
  const [mail] = await server.db('outgoing_mail')
  t.like(mail, { template: 'api_key_created', recipient: 'grace@people.example' })
  const token = (await exchange.of(server, made.body.key, service)).body.access_token

  const grace = await enter(server, 'grace')
  const change = { current_password: goodPassword, new_password: otherPassword }
  const kept = await grace.post('password/change', { ...change, keep_api_keys: true })
  t.is(kept.body.ended_api_keys, 0)
  t.is((await exchange.of(server, made.body.key, service)).status, 200)
  const back = { current_password: otherPassword, new_password: goodPassword }
  t.is((await grace.post('password/change', back)).body.ended_api_keys, 1)
  t.is((await exchange.of(server, made.body.key, service)).body.error, 'invalid_grant')
  t.false((await server.introspect(token, service)).body.active)
  t.false((await server.introspect(made.body.key, service)).body.active)
})

test('the app of a key is disabled or deleted → the key ends', async (t) => {
  const server = await startConformingServer(t)
  await addPerson(server, 'grace')
  const service = await register(server, 'service', exchange.client(server))
  for (const end of ['disable', 'delete'] as const) {
    const id = `app-${end}`
    await registerPublic(server, id, { scopes, audiences: [server.app.issuer] })
    const login = { username: 'grace', password: goodPassword, client_id: id, scope: 'account' }
    const { access_token } = (await accountApi(server).post('login', login)).body
    const made = await accountApi(server, access_token).post('api-keys', {
      ...{ ...key, expires_in_days: null },
    })
    t.like(made.body, { client_id: id, expires_at: null })
    const token = (await exchange.of(server, made.body.key, service)).body.access_token
    if (end === 'disable') await server.services.clients.disable(id)
    else await server.services.clients.delete(id)
    t.is((await exchange.of(server, made.body.key, service)).body.error, 'invalid_grant', end)
    t.false((await server.introspect(made.body.key, service)).body.active)
    t.false((await server.introspect(token, service)).body.active, 'nor its tokens, at once')
    t.is((await server.db('api_keys').where({ client_id: id })).length, 0)
  }
})

test('ASVS 7.4.2: the person, the session or the app ends between confirmation and creation → no key', async (t) => {
  const server = await startConformingServer(t)
  const { apiKeys, clients } = server.services
  const ends = {
    person: (name: string) => disable(server, name),
    session: (_: string, token: string) => accountApi(server, token).post('logout'),
    app: (name: string) => clients.disable(`app-${name}`),
  }
  for (const [name, end] of Object.entries(ends)) {
    const { id: userId } = await addPerson(server, name)
    const clientId = `app-${name}`
    await registerPublic(server, clientId, { scopes, audiences: [server.app.issuer] })
    const login = { username: name, password: goodPassword, client_id: clientId, scope: 'account' }
    const { access_token: token } = (await accountApi(server).post('login', login)).body
    const [{ sid }] = await server.db('refresh_families').where({ user_id: userId })
    const confirmed = {
      ...{ userId, clientId, sid, name: 'late', scope: ['account'], audience: ['x'] },
      expiresAt: null,
    }
    t.truthy(await apiKeys.create(confirmed), `${name}: still there`)
    await end(name, token)
    await server.db('api_keys').delete()
    t.is(await apiKeys.create(confirmed), undefined, name)
    t.deepEqual(await server.db('api_keys'), [])
  }
})

test('ASVS 7.4.2: a logout during the creation of an API key → no key', async (t) => {
  const server = await startConformingServer(t)
  await addPerson(server, 'grace')
  const grace = await enter(server, 'grace')
  const logout = await server.db.transaction()
  t.teardown(() => logout.rollback())
  const ended = { revoked_at: new Date(), revoked_reason: 'logout' }
  await logout('refresh_families').update(ended)
  const making = grace.post('api-keys', key)
  await eventually(async () => {
    const here = { datname: server.db.raw('current_database()'), wait_event_type: 'Lock' }
    return (await server.db('pg_stat_activity').where(here)).length > 0
  }, 'the key waits for the session')
  await logout.commit()
  const refused = await making
  t.deepEqual([refused.status, problemType(refused)], [409, 'conflict'])
  t.deepEqual(await server.db('api_keys'), [])
})
