import test from 'ava'
import { readToken, register } from '../../support/clients/clients.ts'
import { exchange } from '../../support/clients/key-exchange.ts'
import { startConformingServer } from '../../support/http/conformance.ts'
import { fromElsewhere, startMailedServer } from '../../support/mail/mailed-server.ts'
import {
  accountApi,
  addPerson,
  enter,
  goodPassword,
  pointers,
  problemType,
} from '../../support/people/account-api.ts'
import { type AdminApi, addAdmin } from '../../support/people/administrator.ts'
import { guessUntilLocked } from '../../support/people/guessing.ts'
import { startServer } from '../../support/server/start-server.ts'

const unknownId = '01990000-0000-7000-8000-000000000000'

async function walk(admin: AdminApi, query: string, between?: () => Promise<unknown>) {
  const names: string[] = []
  let after = ''
  for (let pages = 0; pages < 100; pages += 1) {
    const { body } = await admin.get(`users?${query}${after}`)
    names.push(...body.users.map(({ username }: { username: string }) => username))
    if (body.next === null) return names
    after = `&after=${body.next}`
    await between?.()
  }
  throw new Error('the pages have no end')
}

test('people are added while pages are read → no gaps and no repeats', async (t) => {
  const server = await startConformingServer(t)
  const admin = await addAdmin(server)
  for (let i = 0; i < 23; i += 1) await server.services.users.create({ username: `p${i}` })
  let more = 0
  const names = await walk(admin, 'limit=4', async () => {
    more += 1
    await server.services.users.create({ username: `late${more}` })
  })
  const present = Array.from({ length: 23 }, (_, i) => `p${22 - i}`)
  t.deepEqual(names, [...present, 'root', 'ada'], 'newest first')
  t.true(more >= 6)
  for (const limit of ['0', '201', '-1', '1.5', 'x']) {
    t.deepEqual(pointers(await admin.get(`users?limit=${limit}`)), ['/limit'])
  }
})

test('a list by role, state and text → finds people; % and _ are ordinary characters', async (t) => {
  const server = await startConformingServer(t)
  const admin = await addAdmin(server)
  const add = (username: string, more: object = {}) =>
    server.services.users.create({ username, ...more })
  await add('a_b', { roles: ['editor', 'reader'], fullName: 'Grace 100% Hopper' })
  await add('axb', { roles: ['edit'], email: 'axb@people.example' })
  const { id } = await add('back\\slash', { email: 'Back@People.example', emailVerified: true })
  await server.services.administration.disable(id)
  const found = async (query: string) => (await walk(admin, query)).sort()
  const all = ['a_b', 'ada', 'axb', 'back\\slash', 'root']
  t.deepEqual(await found(''), all)
  t.deepEqual(await found('role=editor'), ['a_b'])
  t.deepEqual(await found('role=admin'), ['ada', 'root'])
  t.deepEqual(await found('role=%25'), [])
  t.deepEqual(await found('state=disabled'), ['back\\slash'])
  t.deepEqual(await found('state=active'), ['a_b', 'ada', 'axb', 'root'])
  t.deepEqual(await found('state=unverified'), ['axb'])
  t.deepEqual(await found('text=a_b'), ['a_b'])
  t.deepEqual(await found('text=%25'), [])
  t.deepEqual(await found(`text=${encodeURIComponent('BACK\\s')}`), ['back\\slash'])
  t.deepEqual(await found('text=back@PEOPLE.EXAMPLE'), ['back\\slash'])
  t.deepEqual(await found('text=ax'), ['axb'])
  t.deepEqual(await found('text=a&role=reader&state=active'), ['a_b'])
  t.deepEqual(await found(`text=${encodeURIComponent("' OR 1=1 --")}`), [])
  const { body } = await admin.get('users/stats')
  t.deepEqual(body, { total: 5, active: 4, disabled: 1, unverified: 1, administrators: 2 })
  t.is((await admin.get(`users/${id}`)).body.username, 'back\\slash')
  t.is((await admin.get(`users/${unknownId}`)).status, 404)
})

test('ASVS 6.4.6: a person added without a password → sets one by mail and signs in', async (t) => {
  const { server, link } = await startMailedServer(t)
  const admin = await addAdmin(server)
  const email = 'grace@people.example'
  const wished = { username: 'grace', email, email_verified: true, roles: ['editor'] }
  const made = await admin.post('users', wished)
  t.is(made.status, 201)
  t.like(made.body, { ...wished, disabled_at: null })
  t.notRegex(made.text, /password_hash|argon2/)
  const login = (password: string) => accountApi(server).post('login', { email, password })
  for (const password of ['!', '*', 'undefined', goodPassword]) {
    t.is((await login(password)).status, 401, password)
  }
  await accountApi(server).post('password/reset/request', { email }, fromElsewhere())
  const token = await link(email)
  const wanted = { token, new_password: goodPassword }
  t.is((await accountApi(server).post('password/reset/confirm', wanted)).status, 200)
  const answer = await accountApi(server).post(
    'login',
    { email, password: goodPassword },
    fromElsewhere(),
  )
  t.deepEqual(readToken(answer.body.access_token).claims.roles, ['editor'])
})

test('ASVS 15.3.3: an administrator sends unknown fields → refused, naming each of them', async (t) => {
  const server = await startConformingServer(t)
  const admin = await addAdmin(server)
  const wrong = { username: 'a b', email: 'x', password: 'short', roles: ['a b'], id: unknownId }
  const more = { password_hash: 'x', disabled_at: null, __proto: 1 }
  const refused = await admin.post('users', { ...wrong, ...more })
  const named = ['/__proto', '/disabled_at', '/email', '/id', '/password', '/password_hash']
  t.deepEqual(pointers(refused), [...named, '/roles/0', '/username'])
  t.deepEqual(pointers(await admin.post('users', { password: goodPassword })), ['/username'])
  await addPerson(server, 'grace')
  for (const taken of [{ username: 'GRACE' }, { email: 'grace@PEOPLE.example' }]) {
    t.is((await admin.post('users', taken)).status, 409)
  }
  const changes = { username: 'x', password: goodPassword, email_verified: true, id: unknownId }
  const unknown = await admin.patch(`users/${admin.id}`, { ...changes, unlock: true })
  t.deepEqual(pointers(unknown), ['/email_verified', '/id', '/password', '/username'])
  t.is((await admin.patch(`users/${admin.id}`, {})).status, 422)
  t.is((await admin.patch(`users/${unknownId}`, { roles: [] })).status, 404)
  t.is((await admin.delete(`users/${unknownId}`)).status, 404)
})

test('changed roles → in the next token; administrator rights → at once', async (t) => {
  const server = await startConformingServer(t)
  const admin = await addAdmin(server)
  const other = await addAdmin(server, 'grace')
  const { tokens } = await enter(server, 'grace')
  const changed = await admin.patch(`users/${other.id}`, { roles: ['editor', 'editor'] })
  t.deepEqual([changed.status, changed.body.roles], [200, ['editor']])
  t.is((await other.get('users')).status, 403, 'her token of before says admin, the table does not')
  const { refresh_token } = tokens
  const next = await accountApi(server).post('refresh', { refresh_token })
  t.deepEqual(readToken(next.body.access_token).claims.roles, ['editor'])
  await admin.patch(`users/${other.id}`, { roles: ['admin'] })
  t.is((await other.get('users')).status, 200)
  const trail = await server.db('audit_events').where({ event: 'user.roles_changed' }).orderBy('id')
  t.deepEqual(trail[0].detail, { by: admin.id, roles: ['editor'], sessions: 0 })
})

test('ASVS 7.4.2: disabling a person → ends sessions, access tokens and API keys at once', async (t) => {
  const server = await startConformingServer(t)
  const admin = await addAdmin(server)
  const service = await register(server, 'service', exchange.client(server))
  const { id } = await addPerson(server, 'grace')
  const grace = await enter(server, 'grace')
  const { key } = (
    await grace.post('api-keys', { name: 'ci', scope: 'account', password: goodPassword })
  ).body
  const byKey = (await exchange.of(server, key, service)).body.access_token
  const answer = await admin.patch(`users/${id}`, { disabled: true })
  t.truthy(answer.body.disabled_at)
  for (const token of [grace.tokens.access_token, byKey]) {
    t.is((await accountApi(server, token).get('me')).status, 401)
  }
  for (const token of [grace.tokens.access_token, byKey, key]) {
    t.false((await server.introspect(token, service)).body.active)
  }
  const { refresh_token } = grace.tokens
  t.is((await accountApi(server).post('refresh', { refresh_token })).status, 401)
  const login = { username: 'grace', password: goodPassword }
  t.is((await accountApi(server).post('login', login)).status, 401)
  t.is((await admin.patch(`users/${id}`, { disabled: false })).body.disabled_at, null)
  t.is((await grace.get('me')).status, 401, 'what ended stays ended')
  await enter(server, 'grace')
})

test('a required password change → ends the sessions; after a reset by mail the person signs in', async (t) => {
  const { server, link } = await startMailedServer(t)
  const admin = await addAdmin(server)
  const { id } = await addPerson(server, 'grace')
  const grace = await enter(server, 'grace')
  const answer = await admin.patch(`users/${id}`, { must_change_password: true })
  t.is(answer.body.must_change_password, true)
  t.is((await grace.get('me')).status, 401)
  const login = { username: 'grace', password: goodPassword }
  t.is(problemType(await accountApi(server).post('login', login)), 'password-change-required')
  const email = 'grace@people.example'
  await accountApi(server).post('password/reset/request', { email })
  const wanted = { token: await link(email), new_password: 'nine owls under the viaduct' }
  await accountApi(server).post('password/reset/confirm', wanted)
  await enter(server, 'grace', wanted.new_password)
  t.is((await admin.get(`users/${id}`)).body.must_change_password, false)
})

test('unlocking → forgets failures at once; ending sessions → changes nothing else', async (t) => {
  const server = await startConformingServer(t)
  const admin = await addAdmin(server)
  const { id } = await addPerson(server, 'grace')
  const grace = await enter(server, 'grace')
  const login = (password: string) =>
    accountApi(server).post('login', { username: 'grace', password })
  await guessUntilLocked(login)
  t.is((await login(goodPassword)).status, 429)
  t.is((await admin.patch(`users/${id}`, { unlock: true })).status, 200)
  t.is((await grace.get('me')).status, 200)
  t.is((await login(goodPassword)).status, 200)
  t.is((await admin.patch(`users/${id}`, { end_sessions: true })).status, 200)
  t.is((await grace.get('me')).status, 401)
  t.is((await login(goodPassword)).status, 200)
})

test('deleting a person → ends all tokens, and the remaining trail names nobody', async (t) => {
  const server = await startConformingServer(t)
  const admin = await addAdmin(server)
  const { id } = await addPerson(server, 'grace')
  const grace = await enter(server, 'grace')
  t.is((await admin.delete(`users/${id}`)).status, 204)
  t.is((await grace.get('me')).status, 401)
  t.is((await admin.get(`users/${id}`)).status, 404)
  t.is((await admin.delete(`users/${id}`)).status, 404)
  server.clock.advance({ minutes: 2 })
  await server.services.janitor.run()
  t.deepEqual(await server.db('deleted_users'), [])
  t.deepEqual(await server.db('refresh_families').where({ user_id: id }), [])
  const trail = await server.db('audit_events').where({ user_id: id })
  t.true(trail.length > 1)
  const earlier = trail.filter(({ event }) => event !== 'user.deleted')
  for (const { ip, detail } of earlier) t.deepEqual([ip, detail], [null, {}])
})

test('several changes of a person → all or none', async (t) => {
  const server = await startConformingServer(t)
  const admin = await addAdmin(server)
  await server.db('users').where({ username: 'ada' }).delete()
  const before = await server.db('users').orderBy('id')
  const own = await enter(server, 'root')
  const events = await server.db('audit_events')
  const all = { roles: ['admin', 'editor'], disabled: true, must_change_password: true }
  const refused = await admin.patch(`users/${admin.id}`, { ...all, end_sessions: true })
  t.deepEqual([refused.status, problemType(refused)], [409, 'conflict'])
  t.deepEqual(await server.db('users').orderBy('id'), before)
  t.deepEqual(await server.db('audit_events'), events)
  t.is((await own.get('me')).status, 200)
  const { id } = await addPerson(server, 'grace')
  await enter(server, 'grace')
  const { body } = await admin.patch(`users/${id}`, { ...all, end_sessions: true })
  t.like(body, { roles: ['admin', 'editor'], must_change_password: true })
  const trail = await server.db('audit_events').where({ user_id: id }).orderBy('id').pluck('event')
  t.deepEqual(trail.slice(-4), [
    ...['user.roles_changed', 'user.disabled', 'user.password_change_required'],
    'user.sessions_ended',
  ])
})

test('the last administrator → cannot be disabled, demoted or deleted', async (t) => {
  const server = await startConformingServer(t)
  const admin = await addAdmin(server)
  await server.db('users').where({ username: 'ada' }).delete()
  for (const change of [{ roles: [] }, { roles: ['editor'] }, { disabled: true }]) {
    t.is((await admin.patch(`users/${admin.id}`, change)).status, 409)
  }
  t.is((await admin.delete(`users/${admin.id}`)).status, 409)
  await addPerson(server, 'disabled', { roles: ['admin'] })
  await server.db('users').where({ username: 'disabled' }).update({ disabled_at: new Date() })
  t.is((await admin.patch(`users/${admin.id}`, { roles: [] })).status, 409, 'nobody else can act')
  await addPerson(server, 'joan', { roles: ['admin'] })
  t.is((await admin.patch(`users/${admin.id}`, { roles: [] })).status, 200)
  t.is((await admin.get('users')).status, 403)
})

test('two administrators remove each other at once → one remains', async (t) => {
  const server = await startServer(t, { unthrottled: true })
  await server.db('users').delete()
  const ends = [
    (admin: AdminApi, id: string) => admin.patch(`users/${id}`, { roles: [] }),
    (admin: AdminApi, id: string) => admin.patch(`users/${id}`, { disabled: true }),
    (admin: AdminApi, id: string) => admin.delete(`users/${id}`),
  ]
  for (let round = 0; round < 30; round += 1) {
    const [one, two] = [await addAdmin(server, 'one'), await addAdmin(server, 'two')]
    const first = ends[round % 3] as (typeof ends)[number]
    const second = ends[Math.floor(round / 3) % 3] as (typeof ends)[number]
    const answers = await Promise.all([first(one, two.id), second(two, one.id)])
    const statuses = answers.map(({ status }) => status).sort()
    t.true([200, 204].includes(statuses[0] ?? 0), `round ${round}: ${statuses}`)
    t.true([401, 403, 409].includes(statuses[1] ?? 0), `round ${round}: ${statuses}`)
    const left = await server.db('users').whereRaw(`'admin' = ANY (roles)`).whereNull('disabled_at')
    t.is(left.length, 1, `round ${round}`)
    await server.db('users').delete()
  }
})

test('a person with 40,000 audit events and 3,000 sessions → deleted at once, erased in batches', async (t) => {
  const server = await startConformingServer(t)
  const admin = await addAdmin(server)
  const { id } = await addPerson(server, 'grace')
  const grace = await enter(server, 'grace')
  const { db } = server
  await db.raw(
    `INSERT INTO audit_events (at, event, user_id, ip, detail)
     SELECT now(), 'user.profile_changed', ?, '192.0.2.1', '{"fields":["full_name"]}'
       FROM generate_series(1, 40000)`,
    [id],
  )
  await db.raw(
    `INSERT INTO refresh_families (sid, user_id, client_id, scope, audience, seed_digest, auth_time, amr,
                                   idle_expires_at, expires_at, revoked_at, revoked_reason)
     SELECT gen_random_uuid(), ?, 'app', '{}', '{}', sha256('x'), now(), '{}', now(), now(), now(),
            'signed_out'
       FROM generate_series(1, 3000)`,
    [id],
  )
  t.is((await admin.delete(`users/${id}`)).status, 204)
  t.is((await grace.get('me')).status, 401)
  t.is((await grace.post('refresh', { refresh_token: grace.tokens.refresh_token })).status, 401)
  t.is(await db('users').where({ id }).first(), undefined)
  const named = async () => {
    const events = db('audit_events').where({ user_id: id }).whereNot({ event: 'user.deleted' })
    return Number((await events.whereNotNull('ip').count({ count: '*' }))[0]?.count)
  }
  t.true((await named()) >= 40_000, 'not in the request')
  server.clock.advance({ minutes: 2 })
  await server.services.janitor.run()
  t.is(await named(), 0)
  t.deepEqual(await db('refresh_families').where({ user_id: id }), [])
  t.deepEqual(await db('deleted_users'), [])
})

test('a change to the same values → no audit event', async (t) => {
  const server = await startConformingServer(t)
  const admin = await addAdmin(server)
  const { id } = await addPerson(server, 'grace')
  await admin.patch(`users/${id}`, { roles: ['a', 'b'], disabled: true })
  await admin.patch('clients/app', { name: 'Shop' })
  const events = await server.db('audit_events')
  for (const nothing of [{ roles: ['b', 'a'] }, { disabled: true }, { end_sessions: true }]) {
    t.is((await admin.patch(`users/${id}`, nothing)).status, 200)
  }
  for (const nothing of [{ name: 'Shop' }, { disabled: false }]) {
    t.is((await admin.patch('clients/app', nothing)).status, 200)
  }
  t.deepEqual(await server.db('audit_events'), events)
})
