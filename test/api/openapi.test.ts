import test from 'ava'
import { startConformingServer } from '../support/http/conformance.ts'
import { accountApi, addPerson, enter, goodPassword } from '../support/people/account-api.ts'
import { startServer, type TestServer } from '../support/server/start-server.ts'

// biome-ignore lint/suspicious/noExplicitAny: a document of any shape
type Any = any

const methods = ['get', 'post', 'patch', 'delete', 'put', 'head', 'options', 'trace']

const describedRoutes = (document: Any): string[] =>
  Object.entries<Any>(document.paths).flatMap(([path, item]) =>
    Object.keys(item)
      .filter((key) => methods.includes(key))
      .map((method) => `${method.toUpperCase()} ${path}`),
  )

const mountedRoutes = ({ app }: TestServer): string[] =>
  app.routes.map((route) => route.replace(/:(\w+)/g, '{$1}'))

test('OpenAPI 3.1 lists exactly the mounted routes', async (t) => {
  const server = await startServer(t)
  const { status, headers, body } = await server.get('/openapi.json')
  t.is(status, 200)
  t.regex(headers.get('content-type') ?? '', /^application\/json/)
  t.is(headers.get('access-control-allow-origin'), null)
  t.regex(body.openapi, /^3\.1\.\d+$/)
  t.deepEqual(body.servers, [{ url: server.url }])
  t.deepEqual(describedRoutes(body).sort(), mountedRoutes(server).sort())
  t.true(describedRoutes(body).length > 40)
})

test('RFC 8414 §3.1: the issuer has a path → the description lists the real paths', async (t) => {
  const environment = { ISSUER: 'http://127.0.0.1:9/tenant' }
  const server = await startServer(t, { environment })
  const { body } = await server.get('/tenant/openapi.json')
  const served = Object.entries<Any>(body.paths).flatMap(([path, item]) => {
    const base = new URL(item.servers?.[0].url ?? body.servers[0].url).pathname.replace(/\/$/, '')
    const names = Object.keys(item).filter((key) => methods.includes(key))
    return names.map((method) => `${method.toUpperCase()} ${base}${path}`)
  })
  t.deepEqual(served.sort(), mountedRoutes(server).sort())
})

test('the description is consistent: unique ids, resolved references, declared path parameters', async (t) => {
  const server = await startServer(t)
  const { body, text } = await server.get('/openapi.json')
  const operations = Object.entries<Any>(body.paths).flatMap(([path, item]) =>
    Object.entries<Any>(item).map(([method, one]) => ({ path, method, ...one })),
  )
  const ids = operations.flatMap(({ operationId }) => operationId ?? [])
  t.is(new Set(ids).size, ids.length)
  for (const [reference] of text.matchAll(/#\/components\/[\w/.-]+/g)) {
    const found = reference
      .slice(2)
      .split('/')
      .reduce<Any>((at, part) => at?.[part], body)
    t.truthy(found, reference)
  }
  for (const { path, method, parameters = [], responses, requestBody, security } of operations) {
    const wanted = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name)
    const declared = parameters.filter((one: Any) => one.in === 'path')
    t.deepEqual(declared.map((one: Any) => one.name).sort(), wanted.sort(), path)
    t.true(declared.every((one: Any) => one.required === true))
    t.true(Object.values<Any>(responses).every(({ description }) => description.length > 0))
    if (method === 'get') t.is(requestBody, undefined, path)
    for (const name of (security ?? []).flatMap(Object.keys)) {
      t.truthy(body.components.securitySchemes[name], `${path} ${name}`)
    }
  }
})

test('without credentials exactly the operations with a security requirement are 401', async (t) => {
  const server = await startConformingServer(t)
  const { body } = await server.get('/openapi.json')
  for (const [path, item] of Object.entries<Any>(body.paths)) {
    if (!path.startsWith('/api/v1/')) continue
    for (const [method, { security }] of Object.entries<Any>(item)) {
      const address = path.replace('{id}', '01990000-0000-7000-8000-000000000000')
      const { status, headers } = await server.request(address, { method: method.toUpperCase() })
      // An empty requirement means that authentication is optional.
      if (security?.some((one: Any) => Object.keys(one).length === 0)) continue
      if (!security) t.not(status, 401, `${method} ${path}`)
      else t.deepEqual([status, headers.get('www-authenticate')], [401, 'Bearer realm="signet"'])
    }
  }
})

test('answers match the description, errors included', async (t) => {
  const server = await startConformingServer(t)
  await addPerson(server, 'grace', { roles: ['admin'] })
  const grace = await enter(server, 'grace')
  const made = await grace.post('api-keys', {
    name: 'ci',
    scope: 'account',
    password: goodPassword,
  })
  const calls = [
    grace.get('me'),
    grace.get('me/export'),
    grace.get('sessions'),
    grace.get('api-keys'),
    grace.patch('me', { full_name: 'Grace' }),
    grace.patch('me', { roles: [] }),
    grace.delete(`api-keys/${made.body.id}`),
    grace.delete('sessions/no-id'),
    accountApi(server).post('login', {}),
    accountApi(server).post('refresh', {}),
    server.get('/health/ready'),
    server.get('/api/v1/health'),
    server.get('/docs'),
    server.get('/.well-known/jwks.json'),
    server.signIn(),
    server.signIn({ password: 'x' }),
    server.introspect('x'),
    server.revoke('x'),
    server.get('/docs/nothing'),
  ]
  const statuses = (await Promise.all(calls)).map(({ status }) => status)
  t.deepEqual(
    statuses,
    [200, 200, 200, 200, 200, 422, 204, 422, 422, 401, 200, 200, 200, 200, 200, 400, 200, 200, 404],
  )
})
