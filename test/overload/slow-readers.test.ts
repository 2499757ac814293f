// Alone: it measures how long answers take under load.
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import test, { type ExecutionContext } from 'ava'
import { HttpServer } from '../../src/server/http-server.ts'
import { eventually } from '../../tools/eventually.ts'
import { production } from '../../tools/fixtures.ts'
import { administer } from '../../tools/template.ts'
import { emptyFolder, type Serving, serve } from '../support/server/signet.ts'
import { copyTemplate } from '../support/server/start-server.ts'

const get = (path: string) => `GET ${path} HTTP/1.1\r\nhost: x\r\n\r\n`

/** A client that sends and never reads. */
async function unread(t: ExecutionContext, port: number, bytes: string): Promise<Socket> {
  const socket = connect(port, '127.0.0.1').pause()
  socket.on('error', () => undefined)
  t.teardown(() => socket.destroy())
  await once(socket, 'connect')
  socket.write(bytes)
  return socket
}

async function memoryMib({ pid }: Serving): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  return Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1]) / 1024
}

/** The most memory that it uses while it is nearly idle. */
async function mostMemoryMib(serving: Serving): Promise<number> {
  const seen: number[] = []
  for (let look = 0; look < 15; look += 1) {
    await sleep(200)
    seen.push(await memoryMib(serving))
  }
  return Math.max(...seen)
}

const start = async (t: ExecutionContext, url: string) =>
  serve(t, { cwd: await emptyFolder(t), env: production(url) })

test('ASVS 15.2.2: pipelined requests whose answers are not read take no memory', async (t) => {
  const serving = await start(t, await copyTemplate(t))
  const path = '/docs/swagger-ui-bundle.js'
  t.is((await fetch(serving.url + path)).status, 200)
  const before = await memoryMib(serving)
  for (let count = 0; count < 4; count += 1) {
    await unread(t, serving.port, get(path).repeat(400))
  }
  const grown = (await mostMemoryMib(serving)) - before
  t.true(grown < 150, `${Math.round(grown)} MiB more`)
  t.is((await fetch(`${serving.url}/health/live`)).status, 200)
})

test('ASVS 15.2.2: 100 connections that do not read the list of revocations share one copy', async (t) => {
  const url = await copyTemplate(t)
  // With an old transaction id, transactions still open elsewhere in the cluster do not matter.
  await administer(
    url,
    `INSERT INTO revocations (kind, value, revoked_at, expires_at, xid)
     SELECT 'jti', gen_random_uuid(), now(), now() + interval '1 hour', '1' FROM generate_series(1, 250000)`,
  )
  const serving = await start(t, url)
  const path = '/.well-known/revocations'
  const list = await (await fetch(serving.url + path)).text()
  // The kernel buffers some 2.5 MB of an answer; a copy would hold the other 4.5 MB.
  t.true(list.length > 6_900_000, `${list.length} bytes`)
  const before = await memoryMib(serving)
  const readers = Array.from({ length: 100 }, () => unread(t, serving.port, get(path)))
  await Promise.all(readers)
  const answered = () => serving.stdout().split(`"path":"${path}","status":200`).length - 1
  await eventually(() => answered() > 100, 'all are answered')
  const grown = (await mostMemoryMib(serving)) - before
  t.true(grown < 400, `${Math.round(grown)} MiB more`)
})

async function openDoor(t: ExecutionContext, answer: string | Buffer) {
  let asked = 0
  const httpServer = await HttpServer.open({
    host: '127.0.0.1',
    ports: [0],
    variable: 'PORT',
    requestSeconds: 10,
    answerSeconds: 1,
    idleSeconds: 65,
    handler(_request, response) {
      asked += 1
      response.end(answer)
    },
  })
  t.teardown(() => httpServer.close(0))
  return { port: httpServer.port, asked: () => asked }
}

test('an answer is not read in time → its connection is closed', async (t) => {
  const { port } = await openDoor(t, Buffer.alloc(64 * 1024 * 1024))
  const socket = await unread(t, port, get('/'))
  await eventually(async () => {
    const [state = ''] = (await connectionsTo(port)).slice(0, 1)
    return state === ''
  }, 'the server has closed it')
  t.true(socket.bytesRead < 64 * 1024 * 1024)
})

test('pipelined requests are answered in order, one at a time', async (t) => {
  const { port, asked } = await openDoor(t, 'answered')
  const socket = connect(port, '127.0.0.1')
  t.teardown(() => socket.destroy())
  let text = ''
  socket.on('data', (chunk) => {
    text += chunk
  })
  socket.write(get('/').repeat(17))
  await eventually(() => text.split('answered').length === 18, 'all are answered')
  t.is(asked(), 17)
  const slow = await openDoor(t, Buffer.alloc(64 * 1024 * 1024))
  await unread(t, slow.port, get('/').repeat(10))
  await sleep(200)
  t.is(slow.asked(), 1)
})

test('too many pipelined requests → the connection is closed', async (t) => {
  const { port, asked } = await openDoor(t, 'answered')
  const socket = connect(port, '127.0.0.1').resume()
  t.teardown(() => socket.destroy())
  socket.on('error', () => undefined)
  socket.write(get('/').repeat(1000))
  await once(socket, 'close')
  t.true(asked() < 100, `${asked()} were answered`)
})

/** Established connections of this machine to a port, from its side. */
async function connectionsTo(port: number): Promise<string[]> {
  const hex = port.toString(16).toUpperCase().padStart(4, '0')
  const lines = (await readFile('/proc/net/tcp', 'utf8')).split('\n')
  return lines.filter((line) => new RegExp(`^ *\\d+: \\w+:${hex} \\w+:\\w+ 01 `).test(line))
}
