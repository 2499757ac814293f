import test from 'ava'
import { rawRequest, sendRaw } from '../support/http/raw-http.ts'
import { startServer } from '../support/server/start-server.ts'

const posts = ['/oauth/token', '/oauth/revoke', '/oauth/introspect']
const gets = [
  '/.well-known/jwks.json',
  '/.well-known/oauth-authorization-server',
  '/health/live',
  '/health/ready',
]
const others = ['PUT', 'DELETE', 'PATCH', 'TRACE', 'PROPFIND', 'MKCOL', 'PURGE', 'SEARCH']

test('RFC 6749 §3.2, ASVS 4.1.4: OAuth endpoints accept POST only', async (t) => {
  const server = await startServer(t)
  for (const path of posts) {
    for (const method of ['GET', 'HEAD', ...others]) await isRefused(method, path, 'POST')
  }
  for (const path of gets) {
    for (const method of ['POST', ...others]) await isRefused(method, path, 'GET, HEAD')
  }

  async function isRefused(method: string, path: string, allowed: string) {
    const answer = await sendRaw(server.url, rawRequest(method, path))
    const told = `${method} ${path}: ${answer.text}`
    t.is(answer.status, 405, told)
    t.deepEqual(answer.headers.get('allow')?.split(', ').sort(), allowed.split(', '), told)
    t.is(answer.headers.get('x-content-type-options'), 'nosniff', told)
    if (method === 'HEAD') t.is(answer.body, '', told)
    else t.is(JSON.parse(answer.body).error, 'invalid_request', told)
  }
})

test('RFC 9110 §9.3.2: HEAD returns the headers of GET and no body', async (t) => {
  const server = await startServer(t)
  for (const path of gets) {
    const get = await sendRaw(server.url, rawRequest('GET', path))
    const head = await sendRaw(server.url, rawRequest('HEAD', path))
    t.is(head.status, get.status, path)
    t.is(head.body, '', path)
    t.is(head.headers.get('content-length'), get.headers.get('content-length'), path)
    t.is(head.headers.get('etag'), get.headers.get('etag'), path)
  }
})

test('OPTIONS without an Origin → the methods in Allow', async (t) => {
  const server = await startServer(t)
  for (const path of posts) {
    const answer = await sendRaw(server.url, rawRequest('OPTIONS', path))
    t.is(answer.headers.get('allow'), 'POST', answer.text)
    t.true([200, 204].includes(answer.status))
  }
})

test('ASVS 13.4.3, 13.4.5: an unknown path is 404 in JSON for every method', async (t) => {
  const server = await startServer(t)
  for (const path of ['/oauth', '/oauth/token/x', '/.well-known', '/metrics', '/.git/HEAD']) {
    for (const method of ['GET', 'POST', 'DELETE', 'OPTIONS', 'TRACE']) {
      const answer = await sendRaw(server.url, rawRequest(method, path))
      t.is(answer.status, 404, `${method} ${path}: ${answer.text}`)
      t.is(answer.headers.get('allow'), null)
      t.is(answer.headers.get('content-type'), 'application/json; charset=utf-8')
      t.is(JSON.parse(answer.body).error, 'not_found')
    }
  }
})
