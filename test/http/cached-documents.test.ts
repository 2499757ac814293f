import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import test from 'ava'
import { startServer, type TestServer } from '../support/server/start-server.ts'

const documents = ['/.well-known/jwks.json', '/.well-known/oauth-authorization-server']

/** An answer without the headers that differ each time. */
async function comparable(server: TestServer, path: string, headers: Record<string, string>) {
  const answer = await server.get(path, headers)
  const own = ['x-request-id', 'date']
  return {
    status: answer.status,
    headers: [...answer.headers].filter(([name]) => !own.includes(name)).sort(),
    text: answer.text,
  }
}

test('a document has the same status, headers and body on the fast path and in the application', async (t) => {
  const issuers = ['https://auth.example', 'http://localhost:3000']
  for (const ISSUER of issuers) {
    const server = await startServer(t, { environment: { ISSUER } })
    for (const path of documents) {
      const { headers } = await server.get(path)
      const etag = headers.get('etag') as string
      const asked: Record<string, string>[] = [
        {},
        { origin: 'https://evil.example' },
        { 'if-none-match': '"other"' },
        ...[etag, `W/${etag}`, `"other", ${etag}`, '*'].map((value) => ({
          'if-none-match': value,
        })),
        { 'if-none-match': etag, 'cache-control': 'no-cache' },
      ]
      for (const one of asked) {
        const early = await comparable(server, path, one)
        // A request with a query goes to the application.
        const late = await comparable(server, `${path}?x`, one)
        t.deepEqual(early, late, `${path} ${JSON.stringify(one)}`)
      }
    }
  }
})

test('ASVS 16.2.1: a document on the fast path is logged, counted and has a request id', async (t) => {
  const lines: string[] = []
  const server = await startServer(t, { logTo: (line) => lines.push(line) })
  const [path = ''] = documents
  const counted = async () => {
    const { values } = await server.services.metrics.requests.get()
    return values.map(({ labels, value }) => ({ ...labels, value }))
  }
  lines.length = 0
  const answer = await server.get(path)
  const etag = answer.headers.get('etag') as string
  await server.get(path, { 'if-none-match': etag })
  await server.get(`${path}?x`)
  const [first, second, third] = lines.map((line) => JSON.parse(line))
  t.is(first.requestId, answer.headers.get('x-request-id'))
  t.like(first, { method: 'GET', path, status: 200, ip: '127.0.0.1', msg: 'request' })
  t.like(second, { status: 304 })
  t.deepEqual(Object.keys(first), Object.keys(third), 'as the application writes it')
  t.deepEqual(await counted(), [
    { route: path, method: 'GET', status: 200, value: 2 },
    { route: path, method: 'GET', status: 304, value: 1 },
  ])
})

test('a document is fetched while the server stops → the connection is closed after the answer', async (t) => {
  const { app } = await startServer(t)
  const stopping = createServer((request, response) => {
    response.setHeader('connection', 'close')
    app.handler(request, response)
  }).listen(0, '127.0.0.1')
  t.teardown(() => stopping.close())
  await new Promise((resolve) => stopping.once('listening', resolve))
  const { port } = stopping.address() as AddressInfo
  for (const path of documents) {
    const answer = await fetch(`http://127.0.0.1:${port}${path}`)
    t.is(answer.headers.get('connection'), 'close')
    t.regex(await answer.text(), /^\{/)
  }
})

test('a document cannot be created → 500, and the server keeps running', async (t) => {
  const lines: string[] = []
  const server = await startServer(t, { logTo: (line) => lines.push(line) })
  Object.defineProperty(server.services.keyring, 'current', {
    configurable: true,
    get() {
      throw new Error('no keys')
    },
  })
  const [jwks = '', metadata = ''] = documents
  const answer = await server.get(jwks)
  t.is(answer.status, 500)
  t.is(JSON.parse(answer.text).error, 'server_error')
  t.true(lines.some((line) => line.includes('no keys')))
  t.is((await server.get(metadata)).status, 200)
})
