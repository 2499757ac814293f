import test from 'ava'
import { rawRequest, sendRaw } from '../support/http/raw-http.ts'
import { addAdmin } from '../support/people/administrator.ts'
import { startServer } from '../support/server/start-server.ts'

/** Other spellings of a path that a proxy in front of the server might not recognize. */
const spellings = (path: string): string[] => [
  path.toUpperCase(),
  path.replace(/[a-z]/, (letter) => letter.toUpperCase()),
  `${path}/`,
  `${path}#`,
  `/${path}`,
  path.replace(/\/(?=[^/]+$)/, '//'),
  path.replace(/\/(?=[^/]+$)/, '/./'),
  path.replace(/\/(?=[^/]+$)/, '/x/../'),
  path.replace(/\/(?=[^/]+$)/, '%2F'),
  `${path.replace(/\/(?=[^/]+$)/, '\\')}#`,
  path.replaceAll('/', '\\'),
  `${path};x`,
  `${path}%20`,
  path.replace(/[a-z](?=[^/]*$)/, (letter) => `%${letter.charCodeAt(0).toString(16)}`),
]

test('ASVS 1.5.3, 8.4.2: another spelling of a path is 404, even with the token of an administrator', async (t) => {
  const server = await startServer(t)
  const admin = await addAdmin(server)
  const authorization = `Bearer ${admin.token}`
  const paths = [
    '/api/v1/users',
    '/api/v1/users/stats',
    '/api/v1/auth/me',
    '/health/ready',
    '/openapi.json',
    '/.well-known/jwks.json',
    '/.well-known/oauth-authorization-server',
  ]
  for (const path of paths) {
    const right = await sendRaw(server.url, rawRequest('GET', path, { authorization }))
    t.is(right.status, 200, path)
    for (const other of spellings(path)) {
      for (const target of [other, `http://signet.example${other}`]) {
        for (const method of ['GET', 'HEAD']) {
          const bytes = rawRequest(method, target, { authorization })
          const { status, text } = await sendRaw(server.url, bytes)
          // 422: a path parameter reads it as an invalid id.
          t.true([400, 404, 422].includes(status), `${method} ${target}: ${text.slice(0, 100)}`)
        }
      }
    }
  }
})

test('another spelling of an endpoint that changes something is 404', async (t) => {
  const server = await startServer(t)
  for (const path of ['/oauth/token', '/api/v1/auth/login']) {
    for (const target of spellings(path)) {
      const { status, text } = await sendRaw(server.url, rawRequest('POST', target, {}, 'x'))
      t.true([400, 404].includes(status), `${target}: ${text.slice(0, 100)}`)
    }
  }
})

test('RFC 9112 §3.2.2: a request target that is a whole URL is routed by its path', async (t) => {
  const server = await startServer(t)
  for (const target of ['http://other.example/health/live', 'HTTPS://x:1/health/live?x']) {
    t.is((await sendRaw(server.url, rawRequest('GET', target))).status, 200, target)
  }
})

test('an invalid Host header does not affect the list of revocations', async (t) => {
  const server = await startServer(t)
  const path = '/.well-known/revocations?wait=0'
  const { status, text } = await sendRaw(server.url, rawRequest('GET', path, { host: 'a%zz^' }))
  t.is(status, 200, text)
})
