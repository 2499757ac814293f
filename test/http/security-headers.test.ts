import test from 'ava'
import { rawRequest, sendRaw } from '../support/http/raw-http.ts'
import { startServer, type TestServer } from '../support/server/start-server.ts'

const expected = {
  'content-security-policy': "default-src 'none'; base-uri 'none'; frame-ancestors 'none'",
  'cross-origin-opener-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
}

/** An answer of each kind. */
async function everyAnswer(server: TestServer): Promise<Record<string, { headers: Headers }>> {
  const { body } = await server.signIn()
  const answers = {
    'a token': await server.clientCredentials(),
    'an introspection': await server.introspect(body.access_token),
    'a revocation': await server.revoke(body.access_token),
    'a refusal': await server.token({ grant_type: 'password' }),
    'a failed authentication': await server.clientCredentials({}, { id: 'app', secret: 'x' }),
    'a body too large': await server.token({ x: 'y'.repeat(20_000) }),
    'the keys': await server.get('/.well-known/jwks.json'),
    'the metadata': await server.get('/.well-known/oauth-authorization-server'),
    health: await server.get('/health/live'),
    readiness: await server.get('/health/ready'),
    'nothing there': await server.get('/nothing'),
    'a wrong method': await server.request('/oauth/token', { method: 'DELETE' }),
    'a preflight': await server.request('/.well-known/jwks.json', {
      method: 'OPTIONS',
      headers: { origin: 'https://x.example', 'access-control-request-method': 'GET' },
    }),
    'an odd target': await sendRaw(server.url, rawRequest('GET', 'http://[/')),
  }
  const etag = answers['the keys'].headers.get('etag') ?? ''
  const again = rawRequest('GET', '/.well-known/jwks.json', { 'if-none-match': etag })
  const unchanged = await sendRaw(server.url, again)
  if (unchanged.status !== 304) throw new Error(`not 304: ${unchanged.text}`)
  return { ...answers, 'nothing new': unchanged }
}

test('ASVS 3.4: every answer has the security headers of data', async (t) => {
  const server = await startServer(t)
  for (const [name, { headers }] of Object.entries(await everyAnswer(server))) {
    for (const [header, value] of Object.entries(expected)) {
      t.is(headers.get(header), value, `${header} of ${name}`)
    }
    t.regex(headers.get('x-request-id') ?? '', /^[0-9a-f-]{36}$/, name)
    // It would lock `localhost` to https.
    t.is(headers.get('strict-transport-security'), null, name)
  }
})

test('ASVS 3.4.1: the issuer is https → HSTS for a year', async (t) => {
  const server = await startServer(t, { environment: { ISSUER: 'https://auth.example' } })
  for (const [name, { headers }] of Object.entries(await everyAnswer(server))) {
    const hsts = headers.get('strict-transport-security')
    t.is(hsts, 'max-age=31536000; includeSubDomains', name)
  }
})

test('ASVS 13.4.6: no answer reveals the software of the server', async (t) => {
  const server = await startServer(t)
  for (const [name, { headers }] of Object.entries(await everyAnswer(server))) {
    for (const header of ['server', 'x-powered-by', 'via']) t.is(headers.get(header), null, name)
  }
})

test('RFC 6749 §5.1, ASVS 14.3.2: answers about tokens are not cached', async (t) => {
  const server = await startServer(t)
  const cacheable = ['the keys', 'the metadata', 'nothing new', 'a preflight', 'nothing there']
  for (const [name, { headers }] of Object.entries(await everyAnswer(server))) {
    if (cacheable.includes(name) || name === 'an odd target') continue
    t.is(headers.get('cache-control'), 'no-store', name)
  }
  for (const answer of [
    await server.signIn(),
    await server.introspect('x'),
    await server.revoke('x'),
  ]) {
    t.is(answer.status, 200)
    t.is(answer.headers.get('pragma'), 'no-cache')
  }
})

test('ASVS 4.1.1: every body has a content type with a charset', async (t) => {
  const server = await startServer(t)
  for (const [name, { headers }] of Object.entries(await everyAnswer(server))) {
    const length = headers.get('content-length')
    const type = headers.get('content-type')
    if (length !== null && length !== '0') t.is(type, 'application/json; charset=utf-8', name)
  }
})
