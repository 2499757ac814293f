import test from 'ava'
import { languageCodes } from '../../src/languages.ts'
import { app } from '../../tools/fixtures.ts'
import { basic } from '../../tools/http-client.ts'
import { registerPublic } from '../support/clients/clients.ts'
import { assertionOf, type KeyClient, registerWithKey } from '../support/clients/key-clients.ts'
import { rawRequest, sendRaw } from '../support/http/raw-http.ts'
import { startServer, type TestServer } from '../support/server/start-server.ts'

const documentPath = '/.well-known/oauth-authorization-server'
const secretMethods = ['client_secret_basic', 'client_secret_post', 'private_key_jwt']
const algorithms = ['RS256', 'PS256', 'ES256', 'EdDSA']

/** Posts a form with one of the announced authentication methods. */
async function authenticated(
  server: TestServer,
  { method, key }: { method: string; key: KeyClient },
  url: string,
  form: Record<string, string>,
) {
  const fields = new URLSearchParams(form)
  const headers: Record<string, string> = {}
  if (method === 'client_secret_basic') headers.authorization = basic(app)
  if (method === 'client_secret_post') {
    fields.set('client_id', app.id)
    fields.set('client_secret', app.secret)
  }
  if (method === 'private_key_jwt') {
    fields.set('client_assertion', await assertionOf(server, key))
    const type = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'
    fields.set('client_assertion_type', type)
  }
  if (method === 'none') fields.set('client_id', 'mobile')
  return server.request(new URL(url).pathname, { method: 'POST', headers, body: fields })
}

test('RFC 8414 §2: the document lists exactly what the server offers', async (t) => {
  const server = await startServer(t)
  const { status, headers, body } = await server.get(documentPath)
  const { issuer } = server.app
  t.is(status, 200)
  t.is(headers.get('content-type'), 'application/json; charset=utf-8')
  const own = {
    revocations_uri: `${issuer}/.well-known/revocations`,
    revocations_staleness_seconds: 10,
  }
  const registered = {
    issuer,
    jwks_uri: `${issuer}/.well-known/jwks.json`,
    token_endpoint: `${issuer}/oauth/token`,
    token_endpoint_auth_methods_supported: [...secretMethods, 'none'],
    token_endpoint_auth_signing_alg_values_supported: algorithms,
    authorization_endpoint: `${issuer}/oauth/authorize`,
    response_types_supported: ['code'],
    response_modes_supported: ['query', 'form_post'],
    code_challenge_methods_supported: ['S256'],
    authorization_response_iss_parameter_supported: true,
    grant_types_supported: [
      'authorization_code',
      'password',
      'refresh_token',
      'client_credentials',
      'urn:ietf:params:oauth:grant-type:token-exchange',
    ],
    revocation_endpoint: `${issuer}/oauth/revoke`,
    revocation_endpoint_auth_methods_supported: [...secretMethods, 'none'],
    revocation_endpoint_auth_signing_alg_values_supported: algorithms,
    introspection_endpoint: `${issuer}/oauth/introspect`,
    introspection_endpoint_auth_methods_supported: secretMethods,
    introspection_endpoint_auth_signing_alg_values_supported: algorithms,
    userinfo_endpoint: `${issuer}/oauth/userinfo`,
    end_session_endpoint: `${issuer}/oauth/sign-out`,
    scopes_supported: ['openid', 'profile', 'email', 'offline_access'],
    claims_supported: [
      ...'iss sub aud exp iat auth_time acr amr sid nonce at_hash'.split(' '),
      ...'name preferred_username locale email email_verified'.split(' '),
    ],
    claims_parameter_supported: true,
    request_parameter_supported: false,
    request_uri_parameter_supported: false,
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: ['RS256'],
    acr_values_supported: ['urn:signet:acr:one'],
    prompt_values_supported: ['none', 'login', 'consent', 'select_account', 'create'],
    ui_locales_supported: languageCodes,
    backchannel_logout_supported: true,
    backchannel_logout_session_supported: true,
  }
  t.deepEqual(body, { ...registered, ...own })
  const openId = await server.get('/.well-known/openid-configuration')
  t.deepEqual(openId.body, registered, 'OpenID Connect Discovery §3: no unregistered member')
})

test('RFC 8414 §2: every endpoint, method and grant that is announced works', async (t) => {
  const server = await startServer(t)
  const key = await registerWithKey(server, 'keyed')
  await registerPublic(server, 'mobile')
  const { body: document } = await server.get(documentPath)
  t.is((await server.get(new URL(document.jwks_uri).pathname)).body.keys.length, 2)

  const person = { username: 'ada', password: 'correct horse battery staple' }
  const signIn = { grant_type: 'password', scope: 'read offline_access', ...person }
  for (const method of document.token_endpoint_auth_methods_supported) {
    const { token_endpoint: url, revocation_endpoint } = document
    const { body, status } = await authenticated(server, { method, key }, url, signIn)
    t.is(status, 200, method)
    const refresh = { grant_type: 'refresh_token', refresh_token: body.refresh_token }
    t.is((await authenticated(server, { method, key }, url, refresh)).status, 200, method)
    const own = await authenticated(server, { method, key }, url, {
      grant_type: 'client_credentials',
    })
    t.is(own.status, method === 'none' ? 400 : 200, method)
    const token = { token: body.access_token }
    t.true(document.revocation_endpoint_auth_methods_supported.includes(method))
    t.is(
      (await authenticated(server, { method, key }, revocation_endpoint, token)).status,
      200,
      method,
    )
  }
  for (const method of [...secretMethods, 'none']) {
    const announced = document.introspection_endpoint_auth_methods_supported.includes(method)
    const asked = await authenticated(server, { method, key }, document.introspection_endpoint, {
      token: 'x',
    })
    t.is(asked.status, announced ? 200 : 401, method)
  }
})

test('RFC 8414 §3.1: an issuer with a path → its documents at every spelling', async (t) => {
  const environment = { ISSUER: 'https://example.com/auth/eu' }
  const server = await startServer(t, { environment })
  const { status, headers, body } = await server.get(`${documentPath}/auth/eu`)
  t.is(status, 200)
  t.is(headers.get('access-control-allow-origin'), '*')
  t.is(body.issuer, environment.ISSUER)
  t.is((await server.get(documentPath)).status, 404)
  const openId = '/.well-known/openid-configuration'
  for (const spelling of [`/auth/eu${documentPath}`, `/auth/eu${openId}`, `${openId}/auth/eu`]) {
    t.is((await server.get(spelling)).body.issuer, environment.ISSUER, spelling)
  }

  const { pathname } = new URL(body.token_endpoint)
  t.is(pathname, '/auth/eu/oauth/token')
  const answer = await server.post(pathname, { grant_type: 'client_credentials' })
  t.is(answer.status, 200, 'what is announced is what answers')
  const { access_token: token } = answer.body
  const introspection = new URL(body.introspection_endpoint).pathname
  t.true((await server.post(introspection, { token })).body.active)
  t.is((await server.post(new URL(body.revocation_endpoint).pathname, { token })).status, 200)
  const keys = await server.get(new URL(body.jwks_uri).pathname)
  t.is(keys.body.keys.length, 2)
  t.is(keys.headers.get('access-control-allow-origin'), '*')
  t.is((await server.post('/oauth/token', { grant_type: 'client_credentials' })).status, 404)
  t.is((await server.get('/health/live')).status, 200, 'a probe knows no issuer')
})

test('the document is cacheable and revalidated with 304', async (t) => {
  const server = await startServer(t)
  const first = await server.get(documentPath)
  t.is(first.headers.get('cache-control'), 'public, max-age=300')
  const etag = first.headers.get('etag') ?? ''
  const again = rawRequest('GET', documentPath, { 'if-none-match': etag })
  const { status, body } = await sendRaw(server.url, again)
  t.is(status, 304)
  t.is(body, '')
  t.is((await server.get(`${documentPath}?x=${Math.random()}`)).text, first.text)
})
