import test from 'ava'
import type { Answer } from '../../../tools/http-client.ts'
import {
  accountApi,
  addPerson,
  enter,
  goodPassword,
  problemType,
} from '../../support/people/account-api.ts'
import { guessUntilLocked } from '../../support/people/guessing.ts'
import {
  type ServerOptions,
  startServer,
  type TestServer,
} from '../../support/server/start-server.ts'

const friend = 'https://app.example'
const evil = 'https://evil.example'
const listed: ServerOptions = { environment: { CORS_ORIGINS: friend } }

const access = '__Host-signet_access'
const refresh = '__Host-signet_refresh'
const former = '__Secure-signet_refresh'
const device = '__Secure-signet_device'
const credentials = { username: 'grace', password: goodPassword, mode: 'cookies' }

/** Name, value and attributes of each cookie of an answer. */
const cookiesOf = ({ headers }: Answer) =>
  headers.getSetCookie().map((text) => {
    const [pair = '', ...attributes] = text.split('; ')
    const [name = '', value = ''] = pair.split('=')
    return { name, value, attributes: attributes.sort() }
  })

/** The cookies that a browser would send back, for any path. */
const jar = (answer: Answer) =>
  cookiesOf(answer)
    .map(({ name, value }) => `${name}=${value}`)
    .join('; ')

async function signedIn(server: TestServer, origin = server.url) {
  await addPerson(server, 'grace')
  const answer = await accountApi(server).post('login', credentials, { origin })
  const cookie = jar(answer)
  const call = (method: string, path: string, headers: Record<string, string>, body?: string) =>
    server.request(`/api/v1/auth/${path}`, {
      method,
      headers: { cookie, ...headers },
      ...(body !== undefined && { body }),
    })
  return { answer, cookie, call }
}

const json = { 'content-type': 'application/json' }

/** Origins of pages that must be refused. */
const strangers: Record<string, string>[] = [
  { origin: evil },
  { origin: 'null' },
  { origin: `${friend}.evil.example` },
  { origin: 'http://app.example' },
  { origin: 'https://other.app.example', 'sec-fetch-site': 'same-site' },
  { origin: evil, 'sec-fetch-site': 'same-origin' },
  { 'sec-fetch-site': 'cross-site' },
  { 'sec-fetch-site': 'same-site' },
  { 'sec-fetch-site': 'none' },
  {},
]

test('ASVS 3.3.1, 3.3.2, 3.3.4: cookie mode → tokens only in cookies that no script can read', async (t) => {
  const server = await startServer(t)
  const { answer, cookie, call } = await signedIn(server)
  t.is(answer.status, 200)
  t.deepEqual(Object.keys(answer.body).sort(), ['expires_in', 'scope'])
  const strict = ['HttpOnly', 'SameSite=Strict', 'Secure']
  const { expires_in: seconds } = answer.body
  t.deepEqual(
    cookiesOf(answer).map(({ name, attributes }) => [name, attributes]),
    [
      [access, ['HttpOnly', `Max-Age=${seconds}`, 'Path=/', ...strict.slice(1)]],
      [refresh, ['HttpOnly', 'Max-Age=2592000', 'Path=/', ...strict.slice(1)]],
      [former, ['HttpOnly', 'Max-Age=2592000', 'Path=/api/v1/auth/refresh', ...strict.slice(1)]],
      [device, ['HttpOnly', 'Max-Age=7776000', 'Path=/api/v1/auth/login', ...strict.slice(1)]],
    ],
  )
  t.is((await call('GET', 'me', {})).body.username, 'grace')
  const renewed = await call('POST', 'refresh', { origin: server.url, ...json }, '{}')
  t.is(renewed.status, 200)
  t.deepEqual(Object.keys(renewed.body).sort(), ['expires_in', 'scope'])
  t.deepEqual(
    cookiesOf(renewed).map(({ name }) => name),
    [access, refresh, former],
  )
  for (const { value } of [...cookiesOf(answer), ...cookiesOf(renewed)]) {
    t.true(value.length > 40)
    t.false(answer.text.includes(value) || renewed.text.includes(value))
  }
  t.not(jar(renewed).split('; ')[1], cookie.split('; ')[1], 'the refresh token turns')
})

test('ASVS 3.5.1: a changing call with a cookie from another origin → refused', async (t) => {
  const server = await startServer(t, listed)
  const { call } = await signedIn(server)
  const changes = [
    { method: 'PATCH', path: 'me', body: '{"full_name":"Mallory"}' },
    { method: 'POST', path: 'logout', body: '' },
    { method: 'POST', path: 'logout/all', body: '' },
    { method: 'POST', path: 'api-keys', body: '{"name":"mine","scope":"account","password":"x"}' },
    { method: 'POST', path: 'refresh', body: '{}' },
    { method: 'DELETE', path: 'sessions/01990000-0000-7000-8000-000000000000', body: '' },
  ]
  for (const { method, path, body } of changes) {
    for (const from of strangers) {
      const answer = await call(method, path, { ...json, ...from }, body)
      t.deepEqual(
        [answer.status, problemType(answer)],
        [403, 'foreign-origin'],
        `${path} ${JSON.stringify(from)}`,
      )
      t.deepEqual(answer.headers.getSetCookie(), [])
    }
  }
  t.is((await call('GET', 'me', { origin: evil })).body.full_name, null)
  t.is((await server.db('api_keys')).length, 0)
  for (const from of [
    { origin: server.url },
    { origin: friend },
    { 'sec-fetch-site': 'same-origin' },
  ]) {
    const answer = await call('PATCH', 'me', { ...json, ...from }, '{"full_name":"Grace"}')
    t.is(answer.status, 200, JSON.stringify(from))
  }
})

test('ASVS 3.5.1: a form or text/plain from a foreign page → no sign-in', async (t) => {
  const server = await startServer(t, listed)
  await addPerson(server, 'grace')
  for (const from of strangers) {
    const answer = await accountApi(server).post('login', credentials, from)
    t.deepEqual([answer.status, problemType(answer)], [403, 'foreign-origin'], JSON.stringify(from))
    t.deepEqual(answer.headers.getSetCookie(), [])
  }
  const simple = ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data', '']
  for (const type of simple) {
    const headers = { 'content-type': type, origin: evil }
    const answer = await accountApi(server).post('login', JSON.stringify(credentials), headers)
    t.is(answer.status, 415, type)
    t.deepEqual(answer.headers.getSetCookie(), [])
  }
  const fields = { username: 'grace', password: goodPassword, mode: 'cookies' }
  const form = await server.post('/api/v1/auth/login/form', fields, null)
  t.deepEqual(form.headers.getSetCookie(), [], 'the form never sets cookies')
  t.is((await server.db('refresh_families')).length, 1)
})

test('a Bearer token → needs no origin and takes precedence over a cookie', async (t) => {
  const server = await startServer(t, listed)
  const { cookie } = await signedIn(server)
  await addPerson(server, 'joan')
  const { tokens } = await enter(server, 'joan')
  const joan = accountApi(server, tokens.access_token)
  for (const from of strangers) {
    const answer = await joan.patch('me', { full_name: 'Joan' }, { cookie, ...from })
    t.deepEqual([answer.status, answer.body.username], [200, 'joan'], JSON.stringify(from))
  }
  const broken = accountApi(server, 'not-a-token')
  t.is((await broken.patch('me', { full_name: 'x' }, { cookie })).status, 401)
  const basic = { authorization: 'Basic Z3JhY2U6eA==', cookie }
  t.is((await server.get('/api/v1/auth/me', basic)).status, 401)
  const body = { refresh_token: tokens.refresh_token }
  const refreshed = await accountApi(server).post('refresh', body, { cookie, origin: evil })
  t.is(refreshed.status, 200)
  t.truthy(refreshed.body.access_token)
  t.deepEqual(refreshed.headers.getSetCookie(), [])
})

test('ASVS 7.4.1: logout → clears the cookies and ends their tokens', async (t) => {
  for (const path of ['logout', 'logout/all']) {
    const server = await startServer(t)
    const { call } = await signedIn(server)
    const answer = await call('POST', path, { origin: server.url })
    t.true([200, 204].includes(answer.status))
    t.deepEqual(
      cookiesOf(answer).map(({ name, value, attributes }) => [name, value, attributes.slice(1, 3)]),
      [
        [access, '', ['Max-Age=0', 'Path=/']],
        [refresh, '', ['Max-Age=0', 'Path=/']],
        [former, '', ['Max-Age=0', 'Path=/api/v1/auth/refresh']],
      ],
    )
    t.is((await call('GET', 'me', {})).status, 401)
    t.is((await call('POST', 'refresh', { origin: server.url, ...json }, '{}')).status, 401)
  }
})

test('ASVS 3.4.2: scripts of listed origins → may send cookies to the JSON API only', async (t) => {
  const server = await startServer(t, listed)
  const allowed = 'access-control-allow-credentials'
  const preflight = (origin: string) => ({
    method: 'OPTIONS',
    headers: { origin, 'access-control-request-method': 'POST' },
  })
  for (const path of ['/api/v1/auth/login', '/api/v1/auth/me', '/api/v1/nothing']) {
    for (const asked of [
      await server.request(path, preflight(friend)),
      await server.get(path, { origin: friend }),
    ]) {
      t.is(asked.headers.get(allowed), 'true', path)
      t.is(asked.headers.get('access-control-allow-origin'), friend)
    }
    for (const origin of [evil, 'null', '*', `${friend}/`]) {
      const asked = await server.request(path, preflight(origin))
      t.is(asked.headers.get(allowed), null)
      t.is(asked.headers.get('access-control-allow-origin'), null)
    }
  }
  for (const path of ['/oauth/token', '/.well-known/jwks.json', '/.well-known/api/', '/docs']) {
    for (const asked of [
      await server.request(path, preflight(friend)),
      await server.get(path, { origin: friend }),
    ]) {
      t.is(asked.headers.get(allowed), null, path)
    }
  }
  const { answer } = await signedIn(server, friend)
  t.is(answer.status, 200)
  t.is(cookiesOf(answer).length, 4)
})

test('an issuer with a path → cookies have its path', async (t) => {
  const environment = { ISSUER: 'http://127.0.0.1:9/tenant' }
  const server = await startServer(t, { environment })
  await addPerson(server, 'grace')
  const answer = await server.request('/tenant/api/v1/auth/login', {
    method: 'POST',
    headers: { ...json, origin: 'http://127.0.0.1:9' },
    body: JSON.stringify(credentials),
  })
  const paths = cookiesOf(answer).map(({ attributes }) => attributes[2])
  const under = '/tenant/api/v1/auth'
  t.deepEqual(paths, ['Path=/', 'Path=/', `Path=${under}/refresh`, `Path=${under}/login`])
  const me = await server.get('/tenant/api/v1/auth/me', { cookie: jar(answer) })
  t.is(me.body.username, 'grace')
})

test('strangers guess a password → a device that is known by its cookie still signs in', async (t) => {
  const server = await startServer(t)
  const { answer } = await signedIn(server)
  const login = (password: string, cookie: string) =>
    accountApi(server).post('login', { ...credentials, password }, { origin: server.url, cookie })
  await guessUntilLocked((password) => login(password, ''))
  t.is((await login(goodPassword, '')).status, 429)
  const known = cookiesOf(answer).find(({ name }) => name === device)
  t.is((await login(goodPassword, `${device}=${known?.value}`)).status, 200)
})

const post = (server: TestServer, path: string, cookie: string, body: object = {}) =>
  accountApi(server).post(path, body, { origin: server.url, cookie })

const cookieValue = (answer: Answer, name: string) =>
  cookiesOf(answer).find((one) => one.name === name)?.value ?? ''

test('ASVS 7.2.4: a sign-in with cookies → the session in the old cookies ends', async (t) => {
  const server = await startServer(t)
  const { answer, cookie, call } = await signedIn(server)
  t.is((await call('GET', 'me', {})).status, 200)
  const wrong = await post(server, 'login', cookie, { ...credentials, password: 'a wrong one' })
  t.is(wrong.status, 401)
  t.is((await call('GET', 'me', {})).status, 200, 'a sign-in that fails ends nothing')
  await addPerson(server, 'joan')
  const again = await post(server, 'login', cookie, { ...credentials, username: 'joan' })
  t.is(again.status, 200, again.text)
  t.is((await call('GET', 'me', {})).status, 401)
  t.is((await post(server, 'refresh', cookie)).status, 401)
  const byAccess = `${access}=${cookieValue(again, access)}`
  t.is((await server.get('/api/v1/auth/me', { cookie: byAccess })).body.username, 'joan')
  t.is((await post(server, 'login', byAccess, credentials)).status, 200)
  t.is((await server.get('/api/v1/auth/me', { cookie: byAccess })).status, 401)
  t.is(
    (await post(server, 'login', jar(answer), credentials)).status,
    200,
    'old cookies harm nobody',
  )
})

test('ASVS 3.3.3: a refresh cookie set by a sibling domain → does not replace the own one', async (t) => {
  const server = await startServer(t)
  const { answer } = await signedIn(server)
  await addPerson(server, 'mallory')
  const mallory = (await enter(server, 'mallory')).tokens.refresh_token
  const mixed = `${former}=${mallory}; ${refresh}=${cookieValue(answer, refresh)}`
  const renewed = await post(server, 'refresh', mixed)
  t.is(renewed.status, 200)
  const me = await server.get('/api/v1/auth/me', { cookie: jar(renewed) })
  t.is(me.body.username, 'grace')
})

test('instances of two releases take turns → the session continues', async (t) => {
  const server = await startServer(t)
  const { answer } = await signedIn(server)
  const begun = cookieValue(answer, refresh)
  // A sign-in by the release before, which set only the cookie with the former name.
  const first = await post(server, 'refresh', `${former}=${begun}`)
  t.is(first.status, 200)
  t.is(cookieValue(first, refresh), cookieValue(first, former))
  // A refresh by the release before renews only that cookie; then, after the grace period, one by this release.
  const body = { refresh_token: cookieValue(first, former) }
  const { refresh_token: newer } = (await accountApi(server).post('refresh', body)).body
  server.clock.advance({ minutes: 5 })
  const mixed = `${refresh}=${cookieValue(first, refresh)}; ${former}=${newer}`
  const last = await post(server, 'refresh', mixed)
  t.is(last.status, 200, last.text)
  const me = await server.get('/api/v1/auth/me', { cookie: jar(last) })
  t.is(me.body.username, 'grace')
})
