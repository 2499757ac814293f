import test from 'ava'
import { app } from '../../tools/fixtures.ts'
import { basic } from '../../tools/http-client.ts'
import { rawRequest, sendRaw } from '../support/http/raw-http.ts'
import { startServer } from '../support/server/start-server.ts'

const formType = 'application/x-www-form-urlencoded'
const authorization = basic(app)
const form = 'grant_type=client_credentials'
const post = (headers: Record<string, string>, body = '') =>
  rawRequest('POST', '/oauth/token', { authorization, 'content-type': formType, ...headers }, body)

const misframed: Record<string, string> = {
  'no HTTP at all': '\x16\x03\x01\x02\x00\x01\x00\r\n\r\n',
  'no version': 'POST /oauth/token\r\n\r\n',
  'HTTP/9.9': 'POST /oauth/token HTTP/9.9\r\nhost: x\r\n\r\n',
  'no Host': 'POST /oauth/token HTTP/1.1\r\n\r\n',
  'a made-up method': rawRequest('FROB', '/oauth/token'),
  'a method in lower case': rawRequest('post', '/oauth/token', {}, form),
  'a space before the colon': post({ 'x-a ': 'b' }),
  'a NUL in a header': post({ 'x-a': 'b\0c' }),
  'a bare CR in a header': post({ 'x-a': 'b\rc: d' }),
  'a folded header': post({ 'x-a': 'b\r\n c' }),
  'a header line without a name': post({ '': 'b' }),
  'headers of 64 KiB': post({ 'x-a': 'b'.repeat(65_536) }),
  'content-length and transfer-encoding': post({
    'content-length': '4',
    'transfer-encoding': 'chunked',
  }).concat('0\r\n\r\n'),
  'transfer-encoding and content-length': post({
    'transfer-encoding': 'chunked',
    'content-length': '4',
  }).concat('0\r\n\r\n'),
  'two content-lengths': post({ 'content-length': '29', 'Content-Length': '30' }).concat(form),
  'a content-length that is no number': post({ 'content-length': '0x1d' }).concat(form),
  'a negative content-length': post({ 'content-length': '-1' }).concat(form),
  'an unknown transfer-encoding': post({ 'transfer-encoding': 'gzip' }).concat(form),
  'chunked, but not last': post({ 'transfer-encoding': 'chunked, gzip' }).concat('0\r\n\r\n'),
  'a chunk size that is no number': post({ 'transfer-encoding': 'chunked' }).concat('zz\r\nx\r\n'),
  'a chunk larger than its size': post({ 'transfer-encoding': 'chunked' }).concat('1\r\nxyz\r\n'),
  'a chunk of endless size': post({ 'transfer-encoding': 'chunked' }).concat(
    `${'f'.repeat(40)}\r\n`,
  ),
  'an expectation': post({ expect: 'the-unexpected' }, form),
}

test('ASVS 4.2.1: a request with ambiguous length is refused and its connection closed', async (t) => {
  const server = await startServer(t)
  for (const [name, bytes] of Object.entries(misframed)) {
    const answer = await sendRaw(server.url, bytes)
    t.true(answer.closed, `${name} closes`)
    const refused = answer.status === 0 || (answer.status >= 400 && answer.status < 500)
    t.true(refused, `${name}: ${answer.text}`)
    t.notRegex(answer.text, /access_token/, name)
  }
  t.is((await server.clientCredentials()).status, 200, 'the server lives on')
})

test('ASVS 4.2.1: a request hidden in a body is never answered', async (t) => {
  const server = await startServer(t)
  const hidden = rawRequest('GET', '/health/live')
  const smuggling = [
    post({ 'content-length': String(form.length), 'transfer-encoding': 'chunked' }),
    post({ 'content-length': '0', 'transfer-encoding': 'chunked' }),
    post({ 'transfer-encoding': ' chunked', 'content-length': '5' }),
    post({ 'transfer-encoding': '\x0bchunked', 'content-length': '5' }),
    post({ 'transfer-encoding': 'chunked', 'Transfer-Encoding': 'identity' }),
  ]
  for (const head of smuggling) {
    const { text, closed } = await sendRaw(server.url, `${head}0\r\n\r\n${hidden}`)
    t.true(closed)
    t.notRegex(text, /"status":"ok"/, head)
  }
})

test('a request stops halfway → only its connection ends', async (t) => {
  const server = await startServer(t)
  const whole = post({}, form)
  for (const end of [1, 10, 60, whole.length - form.length, whole.length - 1]) {
    const { closed, text } = await sendRaw(server.url, whole.slice(0, end), { hangUp: true })
    t.true(closed, `after ${end} bytes`)
    t.notRegex(text, /access_token/)
  }
  t.is((await sendRaw(server.url, whole)).status, 200)
})

test('RFC 6749 §5.2: a body is too large → 413 before its end, then the connection is closed', async (t) => {
  const server = await startServer(t)
  const value = `x=${'y'.repeat(1_000_000)}`
  const chunks = Array.from({ length: 64 }, () => `4000\r\n${'y'.repeat(0x4000)}\r\n`)
  const shapes = {
    'announced, never sent': post({ 'content-length': '99999999999' }),
    'announced and sent': post({ connection: 'keep-alive' }, value),
    'in chunks': [post({ connection: 'keep-alive', 'transfer-encoding': 'chunked' }), ...chunks],
  }
  for (const [name, bytes] of Object.entries(shapes)) {
    for (let round = 0; round < 10; round += 1) {
      const answer = await sendRaw(server.url, bytes)
      t.is(answer.status, 413, `${name}: ${answer.text}`)
      t.is(JSON.parse(answer.body).error, 'invalid_request', name)
      t.is(answer.headers.get('connection'), 'close', name)
      t.true(answer.closed, name)
    }
  }
  t.is((await server.clientCredentials()).status, 200)
})

test('a chunked body is accepted like one with a length', async (t) => {
  const server = await startServer(t)
  const chunks = [...form].map((letter) => `1\r\n${letter}\r\n`).join('')
  const answer = await sendRaw(
    server.url,
    `${post({ 'transfer-encoding': 'chunked' })}${chunks}0\r\n\r\n`,
  )
  t.is(answer.status, 200, answer.text)
  const early = await sendRaw(server.url, post({ expect: '100-continue' }, form))
  t.regex(early.text, /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200/)
})

test('a malformed request target is 404 or 405, never 500', async (t) => {
  const server = await startServer(t)
  const targets = [
    '/%',
    '/%ff',
    '/%00',
    '//',
    '///',
    '//evil.example/oauth/token',
    '/..%2f..%2fetc/passwd',
    '/oauth/token/',
    '/oauth//token',
    '/OAUTH/TOKEN',
    '/oauth/token;x',
    '/oauth/%74oken',
    'http://evil.example/oauth/token',
    'http://[/',
    'x',
    '*',
    '?',
    '/?#',
    `/${'a'.repeat(8000)}`,
    '/.git/config',
    '/.env',
    '/metrics',
    '/docs/package.json',
    '/docs/..%2fpackage.json',
    '/admin',
    '/oauth/authorize',
    '/__proto__',
  ]
  for (const target of targets) {
    for (const method of ['GET', 'POST', 'OPTIONS']) {
      const { status, text, closed } = await sendRaw(server.url, rawRequest(method, target))
      t.true([0, 200, 204, 400, 401, 404, 405].includes(status), `${method} ${target}: ${text}`)
      t.true(closed)
      if (method === 'GET') t.not(status, 200, target)
    }
  }
})
