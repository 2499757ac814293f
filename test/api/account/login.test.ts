import test from 'ava'
import { readToken, register, registerPublic } from '../../support/clients/clients.ts'
import { startConformingServer } from '../../support/http/conformance.ts'
import {
  accountApi,
  addPerson,
  enter,
  goodPassword,
  pointers,
  problemType,
} from '../../support/people/account-api.ts'
import { disable } from '../../support/people/administer-people.ts'
import { startServer, type TestServer } from '../../support/server/start-server.ts'

const form = (server: TestServer, fields: Record<string, string>) =>
  server.post('/api/v1/auth/login/form', fields, null)

test('a sign-in with a username or an address → accepted; with both or none → refused', async (t) => {
  const server = await startConformingServer(t)
  const { id } = await addPerson(server, 'grace')
  const api = accountApi(server)
  const password = goodPassword
  for (const name of [{ username: 'grace' }, { email: 'Grace@people.example' }]) {
    const { status, body } = await api.post('login', { ...name, password })
    t.is(status, 200)
    const { claims } = readToken(body.access_token)
    t.like(claims, { sub: id, aud: server.app.issuer, client_id: 'account', amr: ['pwd'] })
    t.is(body.token_type, 'Bearer')
    t.is(body.expires_in, claims.exp - claims.iat)
  }
  const both = { username: 'grace', email: 'grace@people.example', password }
  for (const wrong of [both, { password }]) {
    t.deepEqual(pointers(await api.post('login', wrong)), ['/username'])
  }
  t.deepEqual(pointers(await api.post('login', { username: 'grace' })), ['/password'])
  const more = await api.post('login', { username: 'grace', password, roles: ['admin'] })
  t.deepEqual(pointers(more), ['/roles'])
})

test('a wrong password, an unknown and a disabled person → one answer', async (t) => {
  const server = await startConformingServer(t)
  for (const name of ['grace', 'joan']) await addPerson(server, name)
  await disable(server, 'joan')
  const attempts = [
    { username: 'grace', password: 'not the password' },
    { username: 'nobody', password: goodPassword },
    { username: 'joan', password: goodPassword },
  ]
  const answers = await Promise.all(attempts.map((one) => accountApi(server).post('login', one)))
  for (const answer of answers) {
    t.deepEqual([answer.status, problemType(answer)], [401, 'wrong-credentials'])
    t.is(answer.text, answers[0]?.text ?? '')
    t.truthy(answer.headers.get('www-authenticate'), 'RFC 9110 §15.5.2')
  }
})

test('a sign-in → the default scope, or a requested one that the app may have', async (t) => {
  const server = await startConformingServer(t)
  await addPerson(server, 'grace')
  const api = accountApi(server)
  const login = (more: object) =>
    api.post('login', { username: 'grace', password: goodPassword, ...more })
  t.is((await login({})).body.scope, 'account offline_access')
  t.is(
    (await login({ scope: 'admin account' })).body.scope.split(' ').sort().join(' '),
    'account admin',
  )
  const refused = await login({ scope: 'account orders' })
  t.deepEqual([refused.status, refused.headers.get('set-cookie')], [400, null])
})

test('an app that is not public, first-party and with the password grant → forbidden', async (t) => {
  const server = await startConformingServer(t)
  await addPerson(server, 'grace')
  const grants = { grantTypes: ['password', 'refresh_token'] as const }
  await registerPublic(server, 'mobile')
  await register(server, 'confidential')
  await registerPublic(server, 'foreign', { firstParty: false, grantTypes: ['refresh_token'] })
  await registerPublic(server, 'gone', { grantTypes: [...grants.grantTypes] })
  await server.services.clients.disable('gone')
  const login = (client_id: string) =>
    accountApi(server).post('login', { username: 'grace', password: goodPassword, client_id })
  t.is(readToken((await login('mobile')).body.access_token).claims.client_id, 'mobile')
  for (const id of ['confidential', 'foreign', 'gone', 'nobody', '', '__proto__']) {
    const answer = await login(id)
    t.deepEqual([answer.status, problemType(answer)], [403, 'forbidden'], id)
  }
})

test('RFC 6749 §4.3.2: the form of generic tools → accepted', async (t) => {
  const server = await startConformingServer(t)
  await addPerson(server, 'grace')
  const fields = { username: 'grace', password: goodPassword }
  const asTools = { grant_type: 'password', scope: '', client_id: '', client_secret: '' }
  for (const more of [{}, asTools, { grant_type: 'password', scope: 'account', state: 'x' }]) {
    const { status, body, text } = await form(server, { ...fields, ...more })
    t.is(status, 200, text)
    t.is((await accountApi(server, body.access_token).get('me')).body.username, 'grace')
  }
  const byAddress = await form(server, { ...fields, username: 'grace@people.example' })
  t.is(byAddress.status, 200)
  const other = await form(server, { ...fields, grant_type: 'client_credentials' })
  t.deepEqual([other.status, pointers(other)], [422, ['/grant_type']])
  t.is((await form(server, { ...fields, password: 'wrong' })).status, 401)
  t.deepEqual(pointers(await form(server, {})), ['/password', '/username'])
})

test('a session of the JSON API → continues at /oauth/token, and back', async (t) => {
  const server = await startConformingServer(t)
  await addPerson(server, 'grace')
  const { tokens } = await enter(server, 'grace')
  const there = await server.refresh(tokens.refresh_token, { client_id: 'account' }, null)
  t.is(there.status, 200)
  const refresh_token = there.body.refresh_token
  const back = await accountApi(server).post('refresh', { refresh_token })
  t.is(back.status, 200)
  const sid = (token: string) => readToken(token).claims.sid
  t.is(sid(back.body.access_token), sid(tokens.access_token))
  // A token that was spent twice, beyond the grace period: reuse.
  server.clock.advance({ seconds: 31 })
  const spent = { refresh_token: tokens.refresh_token }
  t.is((await accountApi(server).post('refresh', spent)).status, 401)
  t.is((await accountApi(server, back.body.access_token).get('me')).status, 401)
})

test('a session of another client → not refreshed by the JSON API', async (t) => {
  const server = await startConformingServer(t)
  await addPerson(server, 'grace')
  await registerPublic(server, 'mobile')
  const own = (await server.signIn()).body.refresh_token
  const login = { username: 'grace', password: goodPassword, client_id: 'mobile' }
  const scope = 'read offline_access'
  const mobile = (await accountApi(server).post('login', { ...login, scope })).body.refresh_token
  const refresh = (refresh_token: string) => accountApi(server).post('refresh', { refresh_token })
  const refused = await refresh(own)
  t.deepEqual([refused.status, problemType(refused)], [401, 'unauthenticated'])
  t.is((await server.refresh(own)).status, 200, 'and the session lives on')
  const next = await refresh(mobile)
  t.is(next.status, 200)
  for (const forged of ['srt_x', 'x', `${mobile}x`]) t.is((await refresh(forged)).status, 401)
  await server.services.clients.amend('mobile', { settings: { grantTypes: ['password'] } })
  t.is((await refresh(next.body.refresh_token)).status, 401, 'an app that lost the grant')
})

for (const redis of [undefined, false] as const) {
  const store = redis === false ? 'PostgreSQL' : 'Redis'
  test(`eight right sign-ins of one person at once, attempts counted in ${store} → all are let in`, async (t) => {
    const environment = { PASSWORD_QUEUE_SECONDS: '60' }
    const server = await startServer(t, { environment, ...(redis === false && { redis }) })
    await addPerson(server, 'grace')
    const api = accountApi(server)
    const guesses = ['wrong 1', 'wrong 2'].map((password) => ({ username: 'grace', password }))
    for (const guess of guesses) t.is((await api.post('login', guess)).status, 401)
    const right = { username: 'grace', password: goodPassword }
    for (let round = 0; round < 2; round += 1) {
      const all = await Promise.all(Array.from({ length: 8 }, () => api.post('login', right)))
      t.deepEqual(
        all.map(({ status }) => status),
        Array(8).fill(200),
      )
    }
  })
}
