// Alone: it watches processes that it starts, side by side.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import { fileURLToPath } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import { eventually } from '../../tools/eventually.ts'
import { audience, type EvilIssuer, outcome, startIssuer, verifierOf } from './evil-issuer.ts'
import type { HostJob, HostReport } from './host-program.ts'
import { frameworks } from './middleware-frameworks.ts'

const program = fileURLToPath(new URL('./host-program.js', import.meta.url))
const nothing = {
  paths: [],
  targets: [],
  replaceFetch: false,
  closed: 0,
  again: false,
  timeoutSeconds: 60,
}

/** An issuer on the clock of the other process. */
async function issuerOf(t: ExecutionContext): Promise<EvilIssuer> {
  const issuer = await startIssuer(t)
  issuer.advance(Math.floor(Date.now() / 1000) - issuer.seconds)
  return issuer
}

const named = (issuers: Readonly<Record<string, EvilIssuer>>): HostJob['issuers'] =>
  Object.fromEntries(
    Object.entries(issuers).map(([name, it]) => [name, { issuer: it.issuer, token: it.token() }]),
  )

/**
 * Runs a service whose verifiers are never closed, until its process ends by itself: nothing kills it, and a crash
 * is an exit code.
 */
async function host(
  t: ExecutionContext,
  job: Partial<HostJob> & Pick<HostJob, 'framework' | 'issuers'>,
  meanwhile: () => Promise<void> = async () => undefined,
): Promise<HostReport> {
  const args = [program, JSON.stringify({ ...nothing, audience, ...job })]
  const child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'pipe'] })
  t.teardown(() => child.kill('SIGKILL'))
  let said = ''
  let failed = ''
  child.stdout.on('data', (chunk) => {
    said += chunk
  })
  child.stderr.on('data', (chunk) => {
    failed += chunk
  })
  const over = once(child, 'close')
  const isOver = () => child.exitCode !== null || child.signalCode !== null
  if (job.again) {
    await eventually(() => isOver() || said.includes('asks again'), 'the service has answered', 60)
    await meanwhile()
    child.stdin.end('go\n')
  }
  await eventually(isOver, 'its process ends by itself', 60)
  await over
  t.is(failed, '')
  t.is(child.exitCode, 0)
  return JSON.parse(said.trim().split('\n').at(-1) ?? '') as HostReport
}

const chunk = 'x'.repeat(16_384)

/** Writes until the other side has enough. */
function flood({ socket }: ServerResponse, first: string, more: string): void {
  const go = () => {
    while (socket && !socket.destroyed && socket.write(more));
  }
  socket?.on('error', () => undefined)
  socket?.on('drain', go)
  socket?.write(first)
  go()
}

const ok = 'HTTP/1.1 200 OK\r\n'
const nonsense: Readonly<Record<string, (response: ServerResponse) => void>> = {
  huge: (response) => flood(response, `${ok}\r\n`, chunk),
  'endless headers': (response) => flood(response, ok, `x: ${chunk}\r\n`),
  'endless short headers': (response) => flood(response, ok, 'x: y\r\n'.repeat(1000)),
  'endless informational answers': (response) =>
    flood(response, '', 'HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n'.repeat(100)),
  slow: (response) => {
    response.write('{')
    const drip = setInterval(() => response.write(' '), 100)
    response.on('close', () => clearInterval(drip))
  },
  silent: () => undefined,
  truncated: (response) => {
    response.writeHead(200, { 'content-length': 1000 })
    response.write('{"issuer":')
    setTimeout(() => response.socket?.destroy(), 20)
  },
  'wrong types': (response) =>
    response.end('{"issuer":7,"jwks_uri":[],"keys":"no","revocations_uri":{"x":1}}'),
  'no HTTP': (response) => response.socket?.end('SSH-2.0-OpenSSH_9.2\r\n'),
  'another protocol': (response) =>
    response.socket?.write(
      'HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n',
    ),
  'an encoding': (response) => response.writeHead(200, { 'content-encoding': 'br' }).end('x'),
}

for (const framework of ['koa', 'express', 'fastify']) {
  test(`${framework}: any requested paths → the process keeps running`, async (t) => {
    const it = await issuerOf(t)
    const targets = ['//', '//x', 'http://', 'http://x.example//', '*']
    const report = await host(t, {
      ...{ framework, issuers: named({ it }), again: true },
      ...{ paths: ['//', '//x', '/%', '//:::/'], targets },
    })
    t.deepEqual(report.statuses, { it: 200 })
    t.is(report.odd.length, 4 + targets.length)
    for (const line of report.odd) t.regex(line, /^HTTP\/1\.1 [45]/)
    t.deepEqual(report.again, { it: 200 })
  })

  test(`${framework}: a service that replaced fetch → the verifier does not use it`, async (t) => {
    const it = await issuerOf(t)
    const report = await host(t, { framework, issuers: named({ it }), replaceFetch: true })
    t.deepEqual(report.statuses, { it: 200 })
    t.is(report.globalFetches, 0)
    t.deepEqual(report.listeners, report.listenersBefore)
    t.false(report.subscribed)
  })

  test(`${framework}: 100 verifiers opened and closed → no socket or timer remains`, async (t) => {
    const it = await issuerOf(t)
    const report = await host(t, { framework, issuers: named({ it }), closed: 100 })
    t.deepEqual(report.left, [])
    t.deepEqual(report.statuses, { it: 200 })
    t.deepEqual(report.listeners, report.listenersBefore)
  })

  test(`${framework}: an issuer that is away or killed during a poll → the service keeps answering`, async (t) => {
    const it = await issuerOf(t)
    const away = { ...named({ it }).it, issuer: 'http://127.0.0.1:9' }
    const issuers = { ...named({ it }), away: { issuer: away.issuer, token: it.token() } }
    const report = await host(t, { framework, issuers, again: true }, async () => {
      await eventually(() => it.waiting.size > 0, 'the poll hangs')
      it.answers.feed = (_request, response) => response.socket?.destroy()
      for (const response of it.waiting) response.socket?.resetAndDestroy()
      const { length } = it.calls
      await eventually(() => it.calls.length > length, 'it is tried again')
    })
    t.deepEqual(report.statuses, { it: 200, away: 503 })
    t.deepEqual(report.again, { it: 200, away: 503 })
  })

  test(`${framework}: an issuer with invalid responses → only 503 or a stale list`, async (t) => {
    // A busy machine needs time for metadata and keys before the feed is asked for.
    const places = { metadata: 1, keys: 1, feed: 15 } as const
    for (const [place, timeoutSeconds] of Object.entries(places)) {
      const issuers: Record<string, EvilIssuer> = {}
      for (const [name, answer] of Object.entries(nonsense)) {
        const it = await issuerOf(t)
        it.answers[place as keyof typeof places] = (_request, response) => answer(response)
        issuers[name] = it
      }
      const { statuses } = await host(t, { framework, issuers: named(issuers), timeoutSeconds })
      const status = place === 'feed' ? 200 : 503
      const wanted = Object.keys(issuers).map((name) => [name, status])
      t.deepEqual(statuses, Object.fromEntries(wanted), place)
    }
  })
}

test('a custom fetch → gets every request, and its errors stay in the call', async (t) => {
  const it = await startIssuer(t)
  const asked: string[] = []
  const good: typeof fetch = (url, init) => {
    asked.push(new URL(String(url)).pathname)
    return fetch(url, init)
  }
  t.is(await outcome(verifierOf(t, it, { fetch: good }), it.token()), 'accepted')
  t.deepEqual(asked.slice(0, 3), ['/.well-known/oauth-authorization-server', '/keys', '/feed'])
  const endless = new ReadableStream({ pull: (to) => to.enqueue(new Uint8Array(16_384)) })
  const odd: Readonly<Record<string, () => unknown>> = {
    throws: () => {
      throw new Error('it throws')
    },
    rejects: () => Promise.reject(new Error('it rejects')),
    'never answers': () => new Promise(() => undefined),
    'answers undefined': () => undefined,
    'answers a number': () => Promise.resolve(7),
    'has no body': () => Promise.resolve(new Response(null)),
    'has no end': () => Promise.resolve(new Response(endless)),
  }
  for (const [name, answer] of Object.entries(odd)) {
    const verifier = verifierOf(t, it, { fetch: answer as typeof fetch, timeoutSeconds: 0.3 })
    t.is(await outcome(verifier, it.token()), 'keys_unavailable', name)
  }
})

test('callbacks that throw or reject → the service continues', async (t) => {
  const it = await startIssuer(t)
  const rejecting = async () => {
    throw new Error('the log is away')
  }
  const verifier = verifierOf(t, it, { onEvent: rejecting })
  t.is(await outcome(verifier, it.token()), 'accepted')
  let isBroken = false
  const now = () => {
    if (isBroken) throw new Error('no clock')
    return it.now()
  }
  const withClock = verifierOf(t, it, { now, onEvent: () => rejecting() })
  t.is(await outcome(withClock, it.token()), 'accepted')
  await eventually(() => it.waiting.size === 2, 'both wait')
  isBroken = true
  it.revoke('client', 'app')
  await t.throwsAsync(withClock.verify(it.token()), { message: 'no clock' })
  isBroken = false
  const isRevoked = async () => (await outcome(withClock, it.token())) === 'token_revoked'
  await eventually(isRevoked, 'the feed goes on when there is a clock again')
})

test('onRefusal rejects → the caller still gets the response', async (t) => {
  for (const start of Object.values(frameworks)) {
    const service = await start(
      { verify: () => Promise.reject(new Error('not asked')) },
      { onRefusal: async () => Promise.reject(new Error('the log is away')) },
    )
    t.teardown(() => service.close())
    t.is((await fetch(`${service.url}/user`)).status, 401)
  }
})
