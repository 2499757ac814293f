import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { request } from 'node:http'
import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { table } from '../src/cli/output.ts'
import { eventually } from '../test/support/eventually.ts'
import { app } from '../test/support/fixtures.ts'
import { Browser, basic } from '../test/support/requests.ts'
import { startTcpProxy, type TcpProxy } from '../test/support/tcp-proxy.ts'
import { type FloodServer, startFloodServer } from './flood-server.ts'

/** `npx tsx bench/faults.ts [--json]`: what can go wrong around a server is done to it, one by one. */
interface Finding {
  readonly fault: string
  readonly meanwhile: string
  readonly memoryMib: string
  readonly recovery: string
}

const say = (line: string) => process.stderr.write(`• ${line}\n`)
const authorization = basic(app)

interface Answer {
  readonly status: number
  readonly milliseconds: number
}

/** An introspection: without Redis it asks the database each time, and no limit counts it. */
let accessToken = ''

/** A connection for each, without the work that fetch does: it is the server that is looked at. */
function ask(base: string): Promise<Answer> {
  const startedAt = performance.now()
  const body = new URLSearchParams({ token: accessToken }).toString()
  return new Promise((resolve) => {
    const done = (status: number) =>
      resolve({ status, milliseconds: performance.now() - startedAt })
    const headers = {
      ...{ authorization, 'content-length': Buffer.byteLength(body) },
      'content-type': 'application/x-www-form-urlencoded',
    }
    const options = { method: 'POST', agent: false, headers, timeout: 60_000 } as const
    const sent = request(`${base}/oauth/introspect`, options, (response) => {
      response.resume().once('end', () => done(response.statusCode ?? 0))
      response.once('error', () => done(0))
    })
    sent.on('timeout', () => sent.destroy())
    sent.on('error', () => done(0))
    sent.end(body)
  })
}

function summary(answers: readonly Answer[]): string {
  const counts = new Map<number, number>()
  for (const { status } of answers) counts.set(status, (counts.get(status) ?? 0) + 1)
  const times = answers.map(({ milliseconds }) => milliseconds).sort((a, b) => a - b)
  const shares = [...counts].map(([status, count]) => `${count} × ${status || 'broken'}`).join(', ')
  const at = (share: number) => times[Math.min(times.length - 1, Math.floor(share * times.length))]
  return `${shares}; p50 ${at(0.5)?.toFixed(0)} ms, p99 ${at(0.99)?.toFixed(0)} ms, last ${times.at(-1)?.toFixed(0)} ms`
}

const residentMib = ({ pid }: FloodServer): number =>
  Math.round(Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024)

/** How long after its cause has gone until a request is answered as if nothing had been. */
async function recovery(base: string): Promise<string> {
  const startedAt = performance.now()
  await eventually(async () => (await ask(base)).status === 200, 'it has recovered', 60)
  return `${((performance.now() - startedAt) / 1000).toFixed(1)} s`
}

async function observe(server: FloodServer, fault: string, work: () => Promise<string>) {
  say(fault)
  const before = residentMib(server)
  const meanwhile = await work()
  const during = residentMib(server)
  return {
    fault,
    meanwhile,
    memoryMib: `${before} → ${during}`,
    recovery: await recovery(server.url),
  }
}

async function hangingDatabase(
  server: FloodServer,
  proxy: TcpProxy,
  isNew: boolean,
): Promise<Finding> {
  const what = isNew ? 'PostgreSQL hangs, also for new connections' : 'PostgreSQL hangs'
  return observe(server, `${what}: 4,000 introspections at once`, async () => {
    proxy.weather = 'hang'
    if (isNew) proxy.cut()
    const [answers, keys] = await Promise.all([
      Promise.all(Array.from({ length: 4_000 }, () => ask(server.url))),
      sleep(500).then(() => fetch(`${server.url}/.well-known/jwks.json`)),
    ])
    proxy.weather = 'fine'
    return `${summary(answers)}; JWKS ${keys.status}`
  })
}

async function open(port: number, count: number): Promise<{ sockets: Socket[]; failed: number }> {
  const sockets: Socket[] = []
  let failed = 0
  for (let begun = 0; begun < count; begun += 250) {
    const batch = Array.from({ length: Math.min(250, count - begun) }, async () => {
      const socket = connect(port, '127.0.0.1')
      socket.on('error', () => undefined)
      const [isOpen] = await Promise.race([
        once(socket, 'connect').then(() => [true]),
        once(socket, 'close').then(() => [false]),
      ])
      if (isOpen) sockets.push(socket)
      else failed += 1
    })
    await Promise.all(batch)
  }
  return { sockets, failed }
}

/** Ten requests one after another. */
async function few(base: string): Promise<Answer[]> {
  const answers: Answer[] = []
  for (let count = 0; count < 10; count += 1) answers.push(await ask(base))
  return answers
}

async function idle(server: FloodServer): Promise<Finding> {
  return observe(server, '10,000 connections, each idle after one request', async () => {
    const { sockets, failed } = await open(server.port, 10_000)
    let answered = 0
    for (const socket of sockets) {
      socket.on('data', () => {
        answered += 1
      })
      socket.write('GET /health/live HTTP/1.1\r\nhost: x\r\n\r\n')
    }
    await eventually(() => answered >= sockets.length, 'all are answered', 60)
    const alive = sockets.filter(({ destroyed }) => !destroyed).length
    const answers = await few(server.url)
    for (const socket of sockets) socket.destroy()
    return `${alive} open, ${failed} refused; others: ${summary(answers)}`
  })
}

async function slow(server: FloodServer): Promise<Finding> {
  return observe(
    server,
    '500 clients that send a byte a second, half headers, half bodies',
    async () => {
      const { sockets } = await open(server.port, 500)
      const startedAt = performance.now()
      const ends: number[] = []
      for (const [index, socket] of sockets.entries()) {
        socket.resume()
        socket.once('close', () => ends.push((performance.now() - startedAt) / 1000))
        socket.write(
          index % 2
            ? 'GET / HTTP/1.1\r\nx-endless: '
            : 'POST /oauth/token HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-www-form-urlencoded\r\ncontent-length: 9999\r\n\r\n',
        )
      }
      const timer = setInterval(() => {
        for (const socket of sockets) if (socket.writable) socket.write('a')
      }, 1000)
      const answers = await few(server.url)
      await eventually(() => ends.length >= sockets.length, 'all are hung up on', 60)
      clearInterval(timer)
      return `all hung up on after ${Math.min(...ends).toFixed(1)} to ${Math.max(...ends).toFixed(1)} s; others: ${summary(answers)}`
    },
  )
}

async function storm(server: FloodServer): Promise<Finding> {
  return observe(server, 'restarted, and 1,000 clients that come at once', async () => {
    await server.restart()
    const answers = await Promise.all(Array.from({ length: 1_000 }, () => ask(server.url)))
    return summary(answers)
  })
}

let proxy: TcpProxy | undefined
const server = await startFloodServer(1, say, async (env) => {
  const url = new URL(env.DATABASE_URL ?? '')
  proxy = await startTcpProxy(url.hostname, Number(url.port))
  url.host = `127.0.0.1:${proxy.port}`
  return { ...env, DATABASE_URL: url.href }
})
try {
  const wire = proxy as TcpProxy
  const issued = await new Browser(server.url).clientCredentials()
  accessToken = issued.body.access_token
  const findings = [
    await hangingDatabase(server, wire, false),
    await hangingDatabase(server, wire, true),
    await slow(server),
    await idle(server),
    await storm(server),
  ]
  const rows = findings.map(({ fault, meanwhile, memoryMib, recovery: after }) => [
    ...[fault, meanwhile, memoryMib, after],
  ])
  const headings = ['fault', 'meanwhile', 'MiB', 'as before after']
  const isJson = process.argv.includes('--json')
  process.stdout.write(`${isJson ? JSON.stringify(findings, null, 2) : table(headings, rows)}\n`)
} finally {
  await server.close()
  await proxy?.close()
}
