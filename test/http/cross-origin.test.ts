import test, { type ExecutionContext } from 'ava'
import { clientStaleSeconds } from '../../src/clients/client-cache.ts'
import type { NewClient } from '../../src/clients/new-client.ts'
import { app } from '../../tools/fixtures.ts'
import { basic } from '../../tools/http-client.ts'
import { startServer } from '../support/server/start-server.ts'

const friend = 'https://app.example'
const stranger = 'https://evil.example'
const environment = { CORS_ORIGINS: `${friend},http://localhost:5173` }

const documents = ['/.well-known/jwks.json', '/.well-known/oauth-authorization-server']
const endpoints = ['/oauth/token', '/oauth/revoke', '/oauth/introspect']

const preflight = (origin: string, method: string) => ({
  method: 'OPTIONS',
  headers: {
    origin,
    'access-control-request-method': method,
    'access-control-request-headers': 'authorization,content-type',
  },
})

test('ASVS 3.4.2: scripts of every origin may read public documents', async (t) => {
  const server = await startServer(t, { environment })
  for (const path of documents) {
    for (const origin of [friend, stranger, 'null']) {
      const { status, headers } = await server.get(path, { origin })
      t.is(status, 200)
      t.is(headers.get('access-control-allow-origin'), '*', `${path} for ${origin}`)
      t.is(headers.get('access-control-allow-credentials'), null)
      t.is(headers.get('cross-origin-resource-policy'), 'cross-origin')
      t.regex(headers.get('access-control-expose-headers') ?? '', /ETag/)
    }
    const asked = await server.request(path, preflight(stranger, 'GET'))
    t.is(asked.status, 204)
    t.is(asked.headers.get('access-control-allow-origin'), '*')
  }
})

test('ASVS 3.4.2: only scripts of listed origins may read answers of OAuth endpoints', async (t) => {
  const server = await startServer(t, { environment })
  const lookalikes = [
    stranger,
    'null',
    `${friend}.evil.example`,
    `${friend}:8443`,
    'http://app.example',
    'https://APP.example',
    `${friend}/`,
    'https://evil.example,https://app.example',
    '*',
    '',
  ]
  for (const path of endpoints) {
    for (const origin of [friend, 'http://localhost:5173']) {
      const asked = await server.request(path, preflight(origin, 'POST'))
      t.is(asked.status, 204)
      t.is(asked.headers.get('access-control-allow-origin'), origin)
      t.regex(asked.headers.get('access-control-allow-methods') ?? '', /\bPOST\b/)
      t.regex(asked.headers.get('access-control-allow-headers') ?? '', /Authorization/)
      t.is(asked.headers.get('access-control-max-age'), '600')
    }
    for (const origin of lookalikes) {
      const asked = await server.request(path, preflight(origin, 'POST'))
      t.is(asked.headers.get('access-control-allow-origin'), null, origin)
      t.is(asked.headers.get('access-control-allow-methods'), null, origin)
    }
  }
})

test('scripts of a listed origin can read errors as well as tokens', async (t) => {
  const server = await startServer(t, { environment })
  const requests = {
    'a token': { expected: 200, as: basic(app) },
    'a refusal': { expected: 401, as: basic({ ...app, secret: 'wrong' }) },
  }
  for (const [name, { expected, as }] of Object.entries(requests)) {
    for (const origin of [friend, stranger]) {
      const { status, headers } = await server.request('/oauth/token', {
        method: 'POST',
        headers: { authorization: as, origin },
        body: new URLSearchParams({ grant_type: 'client_credentials' }),
      })
      t.is(status, expected, name)
      const seen = origin === friend ? friend : null
      t.is(headers.get('access-control-allow-origin'), seen, `${name} for ${origin}`)
      t.is(headers.get('access-control-allow-credentials'), null)
      t.regex(headers.get('vary') ?? '', /\bOrigin\b/, 'no cache mixes origins up')
    }
  }
})

test('no origins are listed → no foreign script reads answers of OAuth endpoints', async (t) => {
  const server = await startServer(t)
  for (const path of endpoints) {
    const asked = await server.request(path, preflight(friend, 'POST'))
    t.is(asked.headers.get('access-control-allow-origin'), null)
  }
})

const spa = 'https://spa.example'

/** A single-page app, and what a script of an origin would be told by an endpoint. */
async function withSinglePageApp(t: ExecutionContext, settings: Partial<NewClient> = {}) {
  const server = await startServer(t)
  const create = (id: string, different: Partial<NewClient>) =>
    server.services.clients.create({
      id,
      name: id,
      authenticationMethod: 'none',
      grantTypes: ['authorization_code', 'refresh_token'],
      scopes: ['openid'],
      audiences: ['https://orders.example'],
      redirectUris: [`${spa}/callback`],
      ...different,
    })
  await create('spa', settings)
  const allowed = async (origin: string, path = '/oauth/token') => {
    const { headers } = await server.request(path, preflight(origin, 'POST'))
    return headers.get('access-control-allow-origin')
  }
  return { server, create, allowed }
}

test('the redirect URI of a public client → scripts of its origin may call the OAuth endpoints, without cookies', async (t) => {
  const { server, allowed } = await withSinglePageApp(t, {
    redirectUris: [`${spa}/callback`, 'http://127.0.0.1:4002/', 'com.example.app:/callback'],
  })
  for (const path of [...endpoints, '/oauth/userinfo']) {
    t.is(await allowed(spa, path), spa, path)
    t.is(await allowed('http://127.0.0.1:4002', path), 'http://127.0.0.1:4002', path)
  }
  for (const origin of [
    stranger,
    'null',
    '',
    `${spa}:8443`,
    `${spa}/`,
    `${spa}.evil.example`,
    'http://spa.example',
    'http://127.0.0.1:4003',
    'http://localhost:4002',
    'com.example.app:',
  ]) {
    t.is(await allowed(origin), null, origin)
  }
  t.is(await allowed(spa, '/api/v1/auth/login'), null, 'the JSON API, which takes cookies')
  t.is(await allowed(spa, '/sign-in'), null)
  const { headers } = await server.request('/oauth/token', {
    method: 'POST',
    headers: { origin: spa },
    body: new URLSearchParams({ client_id: 'spa' }),
  })
  t.is(headers.get('access-control-allow-origin'), spa, 'a refusal can be read')
  t.is(headers.get('access-control-allow-credentials'), null)
  t.regex(headers.get('vary') ?? '', /\bOrigin\b/)
})

test('a client with a secret → its origin is not allowed: a server calls the endpoints, not a script', async (t) => {
  const { allowed } = await withSinglePageApp(t, { authenticationMethod: 'client_secret_basic' })
  t.is(await allowed(spa), null)
})

test('a public client is added or disabled → its origin follows within seconds', async (t) => {
  const { server, create, allowed } = await withSinglePageApp(t)
  const other = 'https://other.example'
  t.is(await allowed(other), null)
  await create('other', { redirectUris: [`${other}/callback`] })
  server.clock.advance({ seconds: 1 })
  t.is(await allowed(other), other)
  await server.services.clients.disable('other')
  server.clock.advance({ seconds: clientStaleSeconds })
  t.is(await allowed(other), null)
  t.is(await allowed(spa), spa)
})
