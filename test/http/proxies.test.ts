import test, { type ExecutionContext } from 'ava'
import { app } from '../../tools/fixtures.ts'
import { basic } from '../../tools/http-client.ts'
import { rawRequest, sendRaw } from '../support/http/raw-http.ts'
import { startServer, type TestServer } from '../support/server/start-server.ts'

/** The address in the audit log of a failed sign-in with these headers. */
async function notedAddress(
  t: ExecutionContext<unknown>,
  server: TestServer,
  headers: Record<string, string>,
): Promise<string> {
  const body = 'grant_type=password&username=ada&password=wrong'
  const type = { 'content-type': 'application/x-www-form-urlencoded', authorization: basic(app) }
  const request = rawRequest('POST', '/oauth/token', { ...type, ...headers }, body)
  const { status, text } = await sendRaw(server.url, request)
  t.is(status, 400, text)
  const { ip } = await server.db('audit_events').orderBy('id', 'desc').first('ip')
  return ip
}

test('ASVS 4.1.3, 15.3.4: forwarding headers of an untrusted caller are ignored', async (t) => {
  const server = await startServer(t, { unthrottled: true })
  const forged = [
    { 'x-forwarded-for': '203.0.113.9' },
    { 'x-forwarded-for': '203.0.113.9, 127.0.0.1' },
    { 'x-real-ip': '203.0.113.9' },
    { forwarded: 'for=203.0.113.9' },
    { 'true-client-ip': '203.0.113.9' },
    { 'cf-connecting-ip': '203.0.113.9' },
  ]
  for (const headers of forged) t.is(await notedAddress(t, server, headers), '127.0.0.1')
})

test('RFC 9700 §4.13: behind trusted proxies the caller is the nearest address that is not one of them', async (t) => {
  const environment = { TRUSTED_PROXIES: 'loopback,10.0.0.0/8' }
  const server = await startServer(t, { unthrottled: true, environment })
  const seen: [string, string][] = [
    ['203.0.113.9', '203.0.113.9'],
    ['198.51.100.1, 203.0.113.9', '203.0.113.9'],
    ['198.51.100.1, 203.0.113.9, 10.1.2.3', '203.0.113.9'],
    ['10.1.2.3', '10.1.2.3'],
    ['2001:db8::1', '2001:db8::1'],
    ['::ffff:203.0.113.9', '203.0.113.9'],
    ['fe80::1%eth0', 'fe80::1'],
    ['203.0.113.9:5678', '203.0.113.9'],
    ['203.0.113.9:5678, 10.1.2.3:80', '203.0.113.9'],
    ['[2001:db8::1]:5678', '2001:db8::1'],
    ['[2001:db8::1]', '2001:db8::1'],
  ]
  for (const [forwarded, expected] of seen) {
    t.is(await notedAddress(t, server, { 'x-forwarded-for': forwarded }), expected, forwarded)
  }
  t.is(await notedAddress(t, server, { 'x-real-ip': '203.0.113.9' }), '127.0.0.1')
})

test('a trusted proxy forwards no valid address → the address of the proxy counts', async (t) => {
  const server = await startServer(t, {
    unthrottled: true,
    environment: { TRUSTED_PROXIES: 'loopback' },
  })
  const odd = ['unknown', '', ',', '_hidden', '999.1.1.1', "'; DROP TABLE users", 'a'.repeat(4000)]
  for (const forwarded of odd) {
    t.is(await notedAddress(t, server, { 'x-forwarded-for': forwarded }), '127.0.0.1', forwarded)
  }
})

test('RFC 8414 §3.3: no header changes the issuer or a published URL', async (t) => {
  const server = await startServer(t, {
    unthrottled: true,
    environment: { TRUSTED_PROXIES: 'loopback' },
  })
  const forged: Record<string, string>[] = [
    { host: 'evil.example' },
    { host: 'evil.example:443@x' },
    { 'x-forwarded-host': 'evil.example' },
    { 'x-forwarded-proto': 'https', 'x-forwarded-port': '443' },
    { 'x-forwarded-prefix': '/evil', 'x-original-url': '/evil', 'x-rewrite-url': '/evil' },
    { forwarded: 'host=evil.example;proto=https' },
  ]
  for (const headers of forged) {
    const path = '/.well-known/oauth-authorization-server'
    const document = await sendRaw(server.url, rawRequest('GET', path, headers))
    t.is(JSON.parse(document.body).issuer, server.app.issuer)
    t.notRegex(document.text, /evil/)
    const form = 'grant_type=client_credentials'
    const type = { 'content-type': 'application/x-www-form-urlencoded', authorization: basic(app) }
    const token = await sendRaw(
      server.url,
      rawRequest('POST', '/oauth/token', { ...type, ...headers }, form),
    )
    const [, payload = ''] = JSON.parse(token.body).access_token.split('.')
    t.is(JSON.parse(Buffer.from(payload, 'base64url').toString()).iss, server.app.issuer)
  }
})

test('X-Forwarded-For without a trusted proxy → one warning, and a counter', async (t) => {
  const lines: string[] = []
  const server = await startServer(t, { logTo: (line) => lines.push(line) })
  const warnings = () => lines.filter((line) => line.includes('TRUSTED_PROXIES'))
  await server.get('/health/live')
  t.is(warnings().length, 0)
  const paths = ['/health/live', '/.well-known/jwks.json', '/nothing']
  for (const path of paths) await server.get(path, { 'x-forwarded-for': '203.0.113.9' })
  t.is(warnings().length, 1)
  t.is(JSON.parse(warnings()[0] ?? '').level, 40)
  const [{ value } = { value: 0 }] = (await server.services.metrics.forwardedIgnored.get()).values
  t.is(value, 3)
  const trusting = await startServer(t, {
    environment: { TRUSTED_PROXIES: 'loopback' },
    logTo: (line) => lines.push(line),
  })
  await trusting.get('/health/live', { 'x-forwarded-for': '203.0.113.9' })
  t.is(warnings().length, 1)
})
