import { setTimeout as sleep } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import test from 'ava'
import { eventually } from '../../tools/eventually.ts'
import { ada, app } from '../../tools/fixtures.ts'
import type { Answer } from '../../tools/http-client.ts'
import { rawRequest } from '../support/http/raw-http.ts'
import { startServer, type TestServer } from '../support/server/start-server.ts'

const tokenOf = (answer: Answer): string => answer.body.refresh_token
const family = (server: TestServer) => server.db('refresh_families').orderBy('sid').first()

const basic = Buffer.from(`${app.id}:${app.secret}`).toString('base64')
const form = (fields: Record<string, string>) =>
  rawRequest(
    'POST',
    '/oauth/token',
    { authorization: `Basic ${basic}`, 'content-type': 'application/x-www-form-urlencoded' },
    new URLSearchParams(fields).toString(),
  )
const json = (path: string, body: object) =>
  rawRequest('POST', path, { 'content-type': 'application/json' }, JSON.stringify(body))

const refreshOf = (token: string) => form({ grant_type: 'refresh_token', refresh_token: token })

/** Sends each request on its own connection and closes it, from another thread. */
const callers = `
  const { connect } = require('node:net')
  const { workerData: { port, requests, gone } } = require('node:worker_threads')
  let open = requests.length
  for (const request of requests) {
    const socket = connect(port, '127.0.0.1', () => socket.end(request))
    socket.on('error', () => undefined)
    socket.on('finish', () => {
      open -= 1
      if (open === 0) setTimeout(() => { gone[0] = 1; Atomics.notify(gone, 0) }, 100)
    })
  }`

/** Blocks this process, and with it the server, while callers send their requests and leave. */
function standStillWhile(server: TestServer, requests: readonly string[]): void {
  const gone = new Int32Array(new SharedArrayBuffer(4))
  const port = Number(new URL(server.url).port)
  new Worker(callers, { eval: true, workerData: { port, requests, gone } })
  const until = performance.now() + 1500
  const nothing = new Int32Array(new SharedArrayBuffer(4))
  Atomics.wait(gone, 0, 0, 20_000)
  const rest = until - performance.now()
  if (rest > 0) Atomics.wait(nothing, 0, 0, rest)
}

const answered = async (server: TestServer, status: number): Promise<number> => {
  const { values } = await server.services.metrics.requests.get()
  return values
    .filter(({ labels }) => String(labels.status) === String(status))
    .reduce((sum, { value }) => sum + value, 0)
}

test.serial(
  'the caller of a spent token has disconnected → the session does not end',
  async (t) => {
    const server = await startServer(t)
    const spent = tokenOf(await server.signIn())
    const newest = tokenOf(await server.refresh(tokenOf(await server.refresh(spent))))
    const gone = { clientId: app.id, idleSeconds: 600, hasLeft: async () => true }
    const { refreshRotation, codec } = server.services
    t.deepEqual(await refreshRotation.rotate(codec.decode(spent), gone), { outcome: 'abandoned' })
    t.like(await family(server), { generation: 2, revoked_at: null })
    t.is((await server.refresh(newest)).status, 200)
    t.like(await server.refresh(spent), { status: 400, body: { error: 'invalid_grant' } })
    t.like(await family(server), { revoked_reason: 'reuse' })
  },
)

test.serial(
  'an instance stalls and its callers disconnect → their refreshes and sign-ins are dropped',
  async (t) => {
    const server = await startServer(t)
    const token = tokenOf(await server.signIn())
    const before = (await server.db('refresh_families')).length
    // The worker thread is created before the stall.
    const { username, password } = ada
    standStillWhile(server, [
      refreshOf(token),
      form({ grant_type: 'password', username, password }),
      form({ grant_type: 'client_credentials' }),
      json('/api/v1/auth/login', { username, password }),
      json('/api/v1/auth/refresh', { refresh_token: token }),
    ])
    await eventually(async () => (await answered(server, 499)) === 5, 'all five are left undone')
    t.like(await family(server), { generation: 0, revoked_at: null })
    t.is((await server.db('refresh_families')).length, before)
    t.is((await server.refresh(token)).status, 200)
  },
)

test.serial('an instance stalls and its callers wait → they are answered', async (t) => {
  const server = await startServer(t)
  const token = tokenOf(await server.signIn())
  const waiting = server.refresh(token)
  await sleep(0)
  standStillWhile(server, [form({ grant_type: 'client_credentials' })])
  t.is((await waiting).status, 200)
})
