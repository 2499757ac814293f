import type { ExecutionContext } from 'ava'
import test from 'ava'
import * as oauth4webapi from 'oauth4webapi'
import * as client from 'openid-client'
import { app } from '../../tools/fixtures.ts'
import { basic } from '../../tools/http-client.ts'
import { rawRequest, sendRaw } from '../support/http/raw-http.ts'
import { startServer, type TestServer } from '../support/server/start-server.ts'

const friend = 'https://app.example'

/** An issuer whose path looks like that of a JSON API. */
async function startBelowApi(t: ExecutionContext<unknown>): Promise<TestServer> {
  const issuer = 'http://127.0.0.1:9/api/id'
  return startServer(t, { environment: { ISSUER: issuer, CORS_ORIGINS: friend } })
}

const formType = 'application/x-www-form-urlencoded'

test('RFC 6749 §5.2: errors of OAuth endpoints keep their format when the path of the issuer contains /api/', async (t) => {
  const server = await startBelowApi(t)
  const wrong = { ...app, secret: 'scs_wrong' }
  for (const path of ['/api/id/oauth/token', '/api/id/oauth/introspect', '/api/id/oauth/revoke']) {
    const { status, body, headers } = await server.post(path, { token: 'x' }, wrong)
    t.is(status, 401)
    t.is(headers.get('content-type'), 'application/json; charset=utf-8')
    t.is(body.error, 'invalid_client')
    t.regex(headers.get('www-authenticate') ?? '', /^Basic /)
  }
  const requests = {
    'a wrong method': rawRequest('GET', '/api/id/oauth/token'),
    'a wrong type': rawRequest(
      'POST',
      '/api/id/oauth/token',
      { 'content-type': 'text/plain' },
      'x',
    ),
    'nothing there': rawRequest('GET', '/api/id/nothing'),
    'nothing there either': rawRequest('GET', '/api/v1/users'),
    'a misspelt document': rawRequest('GET', '/api/id/.well-known/jwks'),
  }
  for (const [name, bytes] of Object.entries(requests)) {
    const { status, text, body } = await sendRaw(server.url, bytes)
    t.true(status >= 400 && status < 500, text)
    t.is(typeof JSON.parse(body).error, 'string', name)
  }
})

test('RFC 9457: errors of the JSON API keep their format, whatever the issuer', async (t) => {
  for (const [server, prefix] of [
    [await startBelowApi(t), '/api/id'],
    [await startServer(t), ''],
  ] as const) {
    for (const path of ['/api/v1/users', '/api/v1/nothing', '/api/nothing', '/api/v1/users/']) {
      const { status, body, headers } = await server.get(prefix + path)
      t.is(status, path === '/api/v1/users' ? 401 : 404, path)
      t.is(headers.get('content-type'), 'application/problem+json; charset=utf-8')
      t.regex(body.type, /^urn:signet:problem:/)
    }
  }
})

test('ASVS 3.4.2: only the JSON API allows cookies of other origins, whatever the issuer', async (t) => {
  const server = await startBelowApi(t)
  const preflight = (path: string) =>
    server.request(path, {
      method: 'OPTIONS',
      headers: { origin: friend, 'access-control-request-method': 'POST' },
    })
  const credentials = async (path: string) =>
    (await preflight(path)).headers.get('access-control-allow-credentials')
  t.is(await credentials('/api/id/oauth/token'), null)
  t.is(await credentials('/api/id/nothing'), null)
  t.is(await credentials('/api/id/.well-known/jwks.json'), null)
  t.is(await credentials('/api/id/api/v1/auth/login'), 'true')
  const token = await sendRaw(
    server.url,
    rawRequest(
      'POST',
      '/api/id/oauth/token',
      { authorization: basic(app), 'content-type': formType },
      'grant_type=client_credentials',
    ),
  )
  t.is(token.headers.get('cache-control'), 'no-store')
})

/** Sends requests for the issuer to the server under test. */
const rerouted = (server: TestServer) => (url: string | URL, init: object) =>
  fetch(String(url).replace('http://127.0.0.1:9', server.url), init)

test('openid-client understands errors of an issuer under /api/', async (t) => {
  const server = await startBelowApi(t)
  const configure = (secret: string) =>
    client.discovery(
      new URL(server.app.issuer),
      app.id,
      undefined,
      client.ClientSecretBasic(secret),
      {
        algorithm: 'oauth2',
        execute: [client.allowInsecureRequests],
        [client.customFetch]: rerouted(server),
      },
    )
  const granted = await client.clientCredentialsGrant(await configure(app.secret), {})
  t.is(granted.token_type, 'bearer')
  const refused = client.clientCredentialsGrant(await configure('scs_wrong'), {})
  t.like(await t.throwsAsync(refused), { status: 401 })
  const tooMuch = client.clientCredentialsGrant(await configure(app.secret), { scope: 'nope' })
  t.like(await t.throwsAsync(tooMuch), { error: 'invalid_scope', status: 400 })
})

test('oauth4webapi understands errors of an issuer under /api/', async (t) => {
  const server = await startBelowApi(t)
  const options = {
    [oauth4webapi.allowInsecureRequests]: true,
    [oauth4webapi.customFetch]: rerouted(server),
  }
  const issuer = new URL(server.app.issuer)
  const discovered = await oauth4webapi.discoveryRequest(issuer, {
    ...options,
    algorithm: 'oauth2',
  })
  const as = await oauth4webapi.processDiscoveryResponse(issuer, discovered)
  const self = { client_id: app.id }
  const grant = async (secret: string, scope: string) => {
    const proof = oauth4webapi.ClientSecretBasic(secret)
    const form = new URLSearchParams({ scope })
    const args = [as, self, proof, form, options] as const
    const response = await oauth4webapi.clientCredentialsGrantRequest(...args)
    return oauth4webapi.processClientCredentialsResponse(as, self, response)
  }
  t.is((await grant(app.secret, 'read')).token_type, 'bearer')
  t.like(await t.throwsAsync(grant('scs_wrong', 'read')), { status: 401 })
  const tooMuch = await t.throwsAsync(grant(app.secret, 'nope'))
  t.like(tooMuch, { error: 'invalid_scope', status: 400 })
})
