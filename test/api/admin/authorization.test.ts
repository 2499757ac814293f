import test from 'ava'
import { orders } from '../../../tools/fixtures.ts'
import type { Answer } from '../../../tools/http-client.ts'
import { register, registerPublic } from '../../support/clients/clients.ts'
import { exchange } from '../../support/clients/key-exchange.ts'
import { startConformingServer } from '../../support/http/conformance.ts'
import { accountApi, addPerson, enter, goodPassword } from '../../support/people/account-api.ts'
import { addAdmin, adminApi } from '../../support/people/administrator.ts'
import type { TestServer } from '../../support/server/start-server.ts'

const unknownId = '01990000-0000-7000-8000-000000000000'

/** Every operation of administrators, as the description lists them. */
async function adminCalls(server: TestServer, token?: string): Promise<(() => Promise<Answer>)[]> {
  const { paths } = (await server.get('/openapi.json')).body
  const administrative = /^\/api\/v1\/(users(?!\/me$)|clients|audit|keys)/
  const found = Object.keys(paths).filter((path) => administrative.test(path))
  return found.flatMap((path) =>
    Object.keys(paths[path]).map((method) => () => {
      const authorization = token === undefined ? {} : { authorization: `Bearer ${token}` }
      return server.request(path.replace('{id}', unknownId), {
        method: method.toUpperCase(),
        headers: { 'content-type': 'application/json', ...authorization },
        ...(method !== 'get' && { body: '{}' }),
      })
    }),
  )
}

/** Calls each operation with this token; all are refused before anything is read. */
async function refused(server: TestServer, token?: string): Promise<string[]> {
  const calls = await adminCalls(server, token)
  const answers = await Promise.all(calls.map((call) => call()))
  if (answers.length < 12) throw new Error('the description lists too little')
  const kinds = answers.map(({ status, headers }) => {
    const challenge = headers.get('www-authenticate')?.replace('Bearer realm="signet"', 'Bearer')
    return `${status} ${challenge ?? ''}`.trim()
  })
  return [...new Set(kinds)]
}

const invalid = ['401 Bearer, error="invalid_token"']
const lacking = ['403 Bearer, error="insufficient_scope", scope="admin"']

test('ASVS 8.3.1, RFC 6750 §3: administrator operations refuse tokens without the role, scope or audience', async (t) => {
  const server = await startConformingServer(t)
  const admin = await addAdmin(server)
  await addPerson(server, 'grace')
  const plain = await enter(server, 'grace')
  const credentials = { username: 'grace', password: goodPassword, scope: 'account admin' }
  const scoped = (await accountApi(server).post('login', credentials)).body.access_token
  const unscoped = await enter(server, 'root')
  t.deepEqual(await refused(server), ['401 Bearer'], 'nobody')
  t.deepEqual(await refused(server, 'x.y.z'), invalid, 'no token of ours')
  t.deepEqual(await refused(server, plain.tokens.access_token), lacking, 'a plain person')
  t.deepEqual(await refused(server, scoped), ['403'], 'the scope without the role')
  t.deepEqual(await refused(server, unscoped.tokens.access_token), lacking, 'the role alone')
  t.false(
    (await refused(server, admin.token)).some((kind) => /^40[13]/.test(kind)),
    'the real one',
  )
  t.deepEqual(await refused(server, unscoped.tokens.refresh_token), invalid, 'a refresh token')
})

test('ASVS 10.3.1: tokens of clients, of other audiences and of API keys are no administrators', async (t) => {
  const server = await startConformingServer(t)
  const { issuer } = server.app
  await addAdmin(server)
  await registerPublic(server, 'mobile', { scopes: ['admin', 'account'], audiences: [orders] })
  const credentials = { username: 'root', password: goodPassword, scope: 'admin account' }
  const login = (more: object) => accountApi(server).post('login', { ...credentials, ...more })
  const elsewhere = (await login({ client_id: 'mobile' })).body.access_token
  t.deepEqual(await refused(server, elsewhere), invalid, 'for another audience')
  const robot = await register(server, 'robot', { scopes: ['admin'], audiences: [issuer] })
  const itself = (await server.clientCredentials({ scope: 'admin' }, robot)).body.access_token
  t.deepEqual(await refused(server, itself), invalid, 'a client that acts for itself')
  const { access_token: own } = (await login({})).body
  const made = await accountApi(server, own).post('api-keys', {
    name: 'x',
    scope: 'admin account',
    password: goodPassword,
  })
  const service = await register(server, 'service', exchange.client(server))
  const byKey = (await exchange.of(server, made.body.key, service)).body.access_token
  t.deepEqual(await refused(server, byKey), ['403'], 'an API key')
  t.deepEqual(await refused(server, made.body.key), invalid, 'the key itself')
})

test('ASVS 8.3.2: an administrator who was disabled, signed out or lost the role is none at once', async (t) => {
  const server = await startConformingServer(t)
  const root = await addAdmin(server)
  const [one, two, three] = [
    await addAdmin(server, 'one'),
    await addAdmin(server, 'two'),
    await addAdmin(server, 'three'),
  ]
  await root.patch(`users/${one.id}`, { disabled: true })
  t.deepEqual(await refused(server, one.token), invalid)
  await accountApi(server, two.token).post('logout')
  t.deepEqual(await refused(server, two.token), invalid)
  await root.patch(`users/${three.id}`, { roles: ['administrator', 'Admin', 'admin:read'] })
  t.deepEqual(await refused(server, three.token), ['403'])
  server.clock.advance({ hours: 2 })
  t.deepEqual(await refused(server, root.token), invalid, 'an expired token')
  t.is((await adminApi(server, root.token).get('users')).status, 401)
})
