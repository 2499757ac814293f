import test from 'ava'
import { rawRequest, sendRaw } from '../support/http/raw-http.ts'
import { startServer } from '../support/server/start-server.ts'

const uuid = /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/
/** Through the application, and past it: the JWKS has a fast path. */
const targets = ['/.well-known/jwks.json', '/nowhere']

test('X-Request-Id of a trusted proxy, well-formed → in the answer and in the log line', async (t) => {
  const lines: string[] = []
  const environment = { TRUSTED_PROXIES: 'loopback' }
  const server = await startServer(t, { environment, logTo: (line) => lines.push(line) })
  const ids = [
    'd41d8cd98f00b204e9800998ecf8427e',
    '0C9A7F1E-2B3D-4E5F-8A9B-0123456789AB',
    '7F000001:8296_7F00000A:1F90_4F7B0A69_0003:790E',
    'x'.repeat(128),
  ]
  for (const target of targets) {
    for (const id of ids) {
      lines.length = 0
      const forwarded = { 'x-request-id': id, 'x-forwarded-for': '203.0.113.9' }
      const { headers } = await sendRaw(server.url, rawRequest('GET', target, forwarded))
      t.is(headers.get('x-request-id'), id)
      t.like(JSON.parse(lines[0] ?? ''), { requestId: id, ip: '203.0.113.9' })
    }
  }
})

test('X-Request-Id of a trusted proxy, malformed, too long or repeated → replaced', async (t) => {
  const lines: string[] = []
  const environment = { TRUSTED_PROXIES: 'loopback' }
  const server = await startServer(t, { environment, logTo: (line) => lines.push(line) })
  const heads: string[] = [
    'X-Request-Id:',
    `X-Request-Id: ${'x'.repeat(129)}`,
    `X-Request-Id: ${'x'.repeat(12_000)}`,
    'X-Request-Id: two words',
    'X-Request-Id: a"b',
    'X-Request-Id: <script>',
    'X-Request-Id: \u00e4\u00f6',
    'X-Request-Id: first\r\nX-Request-Id: second',
    'X-Request-Id: same\r\nx-request-id: same',
  ]
  lines.length = 0
  for (const target of targets) {
    for (const head of heads) {
      const request = `GET ${target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${head}\r\n\r\n`
      const { headers } = await sendRaw(server.url, Buffer.from(request, 'latin1'))
      t.regex(headers.get('x-request-id') ?? '', uuid, head)
    }
  }
  t.is(lines.length, targets.length * heads.length)
  for (const line of lines) t.regex(JSON.parse(line).requestId, uuid)
})

test('X-Request-Id of a stranger → ignored, with and without trusted proxies', async (t) => {
  for (const TRUSTED_PROXIES of ['', '10.0.0.0/8']) {
    const server = await startServer(t, { environment: { TRUSTED_PROXIES } })
    for (const target of targets) {
      const forged = { 'x-request-id': 'forged', 'x-forwarded-for': '10.1.2.3' }
      const { headers } = await sendRaw(server.url, rawRequest('GET', target, forged))
      t.regex(headers.get('x-request-id') ?? '', uuid, TRUSTED_PROXIES)
    }
  }
})
