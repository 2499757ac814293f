import test from 'ava'
import { ada, orders } from '../../tools/fixtures.ts'
import { isOAuthError } from '../support/http/oauth-error.ts'
import { startServer } from '../support/server/start-server.ts'

test('a password is exchanged for tokens, and the refresh token for new ones', async (t) => {
  const server = await startServer(t)
  const signedIn = await server.signIn()
  t.is(signedIn.status, 200, signedIn.text)
  const refreshed = await server.refresh(signedIn.body.refresh_token)
  t.is(refreshed.status, 200, refreshed.text)
  t.not(refreshed.body.refresh_token, signedIn.body.refresh_token)
  t.like((await server.introspect(refreshed.body.access_token)).body, { active: true, aud: orders })
})

test('RFC 6749 §5.1: every answer with a token is JSON with Cache-Control: no-store', async (t) => {
  const server = await startServer(t)
  const signedIn = await server.signIn()
  const answers = [
    signedIn,
    await server.refresh(signedIn.body.refresh_token),
    await server.clientCredentials(),
  ]
  for (const { status, headers, body } of answers) {
    t.is(status, 200)
    t.is(headers.get('cache-control'), 'no-store')
    t.is(headers.get('pragma'), 'no-cache')
    t.is(headers.get('content-type'), 'application/json; charset=utf-8')
    t.is(headers.get('set-cookie'), null)
    t.is(headers.get('etag'), null)
    t.is(body.token_type, 'Bearer')
    t.is(typeof body.scope, 'string')
  }
})

test('RFC 6749 §5.2: an unknown grant_type is unsupported_grant_type', async (t) => {
  const server = await startServer(t)
  const grants = [
    'authorization-code',
    'implicit',
    'Password',
    'PASSWORD',
    'password ',
    'refresh-token',
    'urn:ietf:params:oauth:grant-type:jwt-bearer',
    'urn:ietf:params:oauth:grant-type:device_code',
    '__proto__',
    'constructor',
    'toString',
    'hasOwnProperty',
    'password,refresh_token',
    '*',
    "password' OR 1=1",
    'p\u0430ssword',
    '%70assword',
    'x'.repeat(10_000),
    'null',
    '0',
  ]
  for (const grant_type of grants) {
    const answer = await server.token({ grant_type, ...ada })
    isOAuthError(t, answer, grant_type.slice(0, 40), { error: 'unsupported_grant_type' })
    t.false(answer.text.includes(grant_type), 'nothing that came in goes out again')
  }
  t.is((await server.signIn()).status, 200)
})

test('RFC 6749 §3.2.1: the client is authenticated before the request is checked', async (t) => {
  const server = await startServer(t)
  const wrong = { id: 'app', secret: 'wrong' }
  for (const grant_type of ['password', 'refresh_token', 'made-up', '']) {
    for (const as of [wrong, null]) {
      isOAuthError(t, await server.token({ grant_type, ...ada }, as), grant_type, {
        status: 401,
        error: 'invalid_client',
      })
    }
  }
})

test('RFC 6749 §5.2: no error repeats what the caller sent', async (t) => {
  const server = await startServer(t)
  const marker = 'zq7-<script>"\\'
  const forms = [
    { grant_type: marker },
    { grant_type: 'password', username: marker, password: marker },
    { grant_type: 'refresh_token', refresh_token: marker },
    { grant_type: 'client_credentials', scope: marker },
    { grant_type: 'client_credentials', resource: marker },
    { grant_type: 'client_credentials', client_id: marker },
    { grant_type: 'client_credentials', client_assertion: marker },
    { [marker]: marker },
  ]
  for (const form of forms) {
    const answer = await server.token(form)
    t.is(answer.status, 400, answer.text)
    t.notRegex(answer.text, /zq7/)
    t.notRegex(JSON.stringify([...answer.headers]), /zq7/)
  }
})

test('the metrics count token requests by grant and outcome', async (t) => {
  const server = await startServer(t)
  await server.signIn()
  await server.signIn({ password: 'wrong' })
  await server.signIn({ scope: 'admin' })
  await server.refresh('srt_forged')
  await server.token({ grant_type: 'made-up' })
  const text = await server.services.metrics.registry.metrics()
  const counted = [
    'grant="password",outcome="ok"} 1',
    'grant="password",outcome="invalid_grant"} 1',
    'grant="password",outcome="invalid_scope"} 1',
    'grant="refresh_token",outcome="invalid_grant"} 1',
  ]
  for (const line of counted) t.true(text.includes(`signet_token_requests_total{${line}`), line)
  t.notRegex(text, /made-up/, 'a made-up name is no time series')
})
