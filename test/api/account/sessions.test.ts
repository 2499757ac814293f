import test from 'ava'
import { register, registerPublic } from '../../support/clients/clients.ts'
import { startConformingServer } from '../../support/http/conformance.ts'
import { accountApi, addPerson, enter, goodPassword } from '../../support/people/account-api.ts'
import type { TestServer } from '../../support/server/start-server.ts'

const firefox = 'Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0'
const safari =
  'Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1'

async function from(server: TestServer, userAgent: string, ip = '198.51.100.7') {
  const headers = { 'user-agent': userAgent, 'x-forwarded-for': ip }
  const login = { username: 'grace', password: goodPassword }
  const { body } = await accountApi(server).post('login', login, headers)
  return { ...accountApi(server, body.access_token), tokens: body }
}

const proxied = { environment: { TRUSTED_PROXIES: 'loopback' } }
const unknownId = '01990000-0000-7000-8000-000000000000'

test('ASVS 7.5.2: the list of sessions → device, address and times, with the current one marked', async (t) => {
  const server = await startConformingServer(t, proxied)
  await addPerson(server, 'grace')
  await addPerson(server, 'joan')
  await enter(server, 'joan')
  const first = await from(server, firefox)
  server.clock.advance({ hours: 1 })
  const phone = await from(server, safari, '2001:db8::9')
  await from(server, 'x'.repeat(5000), '203.0.113.5')
  server.clock.advance({ minutes: 1 })
  await accountApi(server).post('refresh', { refresh_token: phone.tokens.refresh_token })
  const again = await accountApi(server).post('refresh', {
    refresh_token: first.tokens.refresh_token,
  })
  const { sessions } = (await accountApi(server, again.body.access_token).get('sessions')).body
  t.is(sessions.length, 3, 'nobody else’s')
  t.deepEqual(
    sessions.map((one: Record<string, unknown>) => [one.device, one.ip, one.current]),
    [
      ['x'.repeat(60), '203.0.113.5', false],
      ['Safari on iOS', '2001:db8::9', false],
      ['Firefox on Linux', '198.51.100.7', true],
    ],
  )
  const [, mobile] = sessions
  t.true(Date.parse(mobile.last_used_at) > Date.parse(mobile.created_at))
  t.true(Date.parse(mobile.expires_at) > Date.parse(mobile.last_used_at))
})

test('ASVS 7.5.2: ending another session → its tokens end at once, also for services', async (t) => {
  const server = await startConformingServer(t)
  await addPerson(server, 'grace')
  const service = await register(server, 'service', { introspects: ['*'] })
  const [here, there] = [await enter(server, 'grace'), await enter(server, 'grace')]
  const { sessions } = (await here.get('sessions')).body
  const { id } = sessions.find(({ current }: { current: boolean }) => !current)
  t.is((await here.delete(`sessions/${id}`)).status, 204)
  t.is((await there.get('me')).status, 401)
  t.false((await server.introspect(there.tokens.access_token, service)).body.active)
  const spent = { refresh_token: there.tokens.refresh_token }
  t.is((await accountApi(server).post('refresh', spent)).status, 401)
  t.is((await here.get('me')).status, 200)
  t.is((await here.delete(`sessions/${id}`)).status, 404, 'it is gone')
})

test('ASVS 8.2.2: another person’s session → not found', async (t) => {
  const server = await startConformingServer(t)
  await addPerson(server, 'grace')
  await addPerson(server, 'joan')
  const [grace, joan] = [await enter(server, 'grace'), await enter(server, 'joan')]
  const { id } = (await joan.get('sessions')).body.sessions[0]
  const refused = await grace.delete(`sessions/${id}`)
  t.is(refused.status, 404)
  t.is(refused.text, (await grace.delete(`sessions/${unknownId}`)).text)
  t.is((await joan.get('me')).status, 200)
  const { refresh_token } = joan.tokens
  t.is((await accountApi(server).post('refresh', { refresh_token })).status, 200)
})

test('ASVS 7.4.1: logout → the session and its access tokens end at once, on every instance', async (t) => {
  const server = await startConformingServer(t)
  const other = await startConformingServer(t, { beside: server })
  await addPerson(server, 'grace')
  const service = await register(server, 'service', { introspects: ['*'] })
  const [here, there] = [await enter(server, 'grace'), await enter(server, 'grace')]
  const older = here.tokens.access_token
  const { refresh_token } = here.tokens
  const renewed = (await accountApi(server).post('refresh', { refresh_token })).body
  t.is((await accountApi(server, renewed.access_token).post('logout')).status, 204)
  for (const token of [older, renewed.access_token]) {
    for (const instance of [server, other]) {
      t.is((await accountApi(instance, token).get('me')).status, 401)
      t.false((await instance.introspect(token, service)).body.active)
    }
  }
  const spent = renewed.refresh_token
  t.is((await other.refresh(spent, { client_id: 'account' }, null)).status, 400)
  t.is((await accountApi(other).post('refresh', { refresh_token: spent })).status, 401)
  t.is((await there.get('me')).status, 200, 'the other device stays signed in')
})

test('ASVS 7.4.1: logout everywhere → ends all sessions of the person in all apps, and no other', async (t) => {
  const server = await startConformingServer(t)
  await addPerson(server, 'grace')
  await addPerson(server, 'joan')
  await registerPublic(server, 'mobile')
  const joan = await enter(server, 'joan')
  const [here, there] = [await enter(server, 'grace'), await enter(server, 'grace')]
  const credentials = { username: 'grace', password: goodPassword }
  const app = await server.signIn(credentials)
  const mobile = { client_id: 'mobile', scope: 'read offline_access', ...credentials }
  const phone = await accountApi(server).post('login', mobile)
  const answer = await here.post('logout/all')
  t.deepEqual([answer.status, answer.body], [200, { sessions: 4 }])
  for (const one of [here, there]) t.is((await one.get('me')).status, 401)
  t.false((await server.introspect(app.body.access_token)).body.active)
  t.is((await server.refresh(app.body.refresh_token)).status, 400)
  const spent = { refresh_token: phone.body.refresh_token }
  t.is((await accountApi(server).post('refresh', spent)).status, 401)
  t.is((await joan.get('me')).status, 200)
})
