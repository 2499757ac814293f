// Alone: it measures how long answers take.
import test, { type ExecutionContext } from 'ava'
import pg from 'pg'
import { clientStaleSeconds } from '../../src/clients/client-cache.ts'
import { eventually } from '../../tools/eventually.ts'
import type { Answer } from '../../tools/http-client.ts'
import type { TcpProxy, Weather } from '../../tools/tcp-proxy.ts'
import { addWebApp, answerOf, signIn } from '../support/clients/web-app.ts'
import { FlowBrowser } from '../support/http/flow-browser.ts'
import {
  Clock,
  type ServerOptions,
  startServer,
  type TestServer,
} from '../support/server/start-server.ts'
import { wiredDatabase } from '../support/stores/wired-stores.ts'

/** A bound that a busy machine keeps as well: with DATABASE_TIMEOUT_SECONDS at 2 it is about 4. */
const boundSeconds = 30

async function wiredServer(t: ExecutionContext, options: ServerOptions = {}) {
  const { proxy, url: database, directUrl } = await wiredDatabase(t)
  const logged: Record<string, unknown>[] = []
  const server = await startServer(t, {
    ...options,
    ...{ database, environment: { DATABASE_TIMEOUT_SECONDS: '2' } },
    logTo: (line) => logged.push(JSON.parse(line)),
  })
  const { body } = await server.signIn()
  return { server, proxy, logged, directUrl, body }
}

function strike(proxy: TcpProxy, weather: Weather, isCut: boolean): void {
  proxy.weather = weather
  if (isCut) proxy.cut()
}

function isTryLater(t: ExecutionContext, answer: Answer, what: string): void {
  t.is(answer.status, 503, `${what}: ${answer.text}`)
  t.is(answer.body.error, 'temporarily_unavailable')
  t.regex(answer.headers.get('retry-after') ?? '', /^[1-9]\d*$/)
  t.is(answer.headers.get('cache-control'), 'no-store')
  t.notRegex(answer.text, /select|postgres|ECONN|127\.0\.0\.1/i)
}

/** Everything that needs the database, each as one request. */
const requests = (server: TestServer, { access_token, refresh_token }: Answer['body']) => ({
  signIn: () => server.signIn(),
  refresh: () => server.refresh(refresh_token),
  clientCredentials: () => server.clientCredentials(),
  introspect: () => server.introspect(access_token),
  revoke: () => server.revoke(access_token),
})

const storms: [string, Weather, boolean][] = [
  ['refuses connections', 'refuse', true],
  ['hangs', 'hang', false],
  ['hangs for new connections', 'hang', true],
]

for (const [name, weather, isCut] of storms) {
  test(`while PostgreSQL ${name} callers get 503 in bounded time, and then it goes on`, async (t) => {
    const { server, proxy, logged, body } = await wiredServer(t)
    strike(proxy, weather, isCut)
    // A cached client is used this long without the database.
    server.clock.advance({ seconds: clientStaleSeconds })
    const startedAt = performance.now()
    const answers = await Promise.all(
      Object.entries(requests(server, body)).map(async ([what, ask]) => ({
        what,
        is: await ask(),
      })),
    )
    for (const { what, is } of answers) isTryLater(t, is, what)
    t.true(performance.now() - startedAt < boundSeconds * 1000)

    t.is((await server.get('/.well-known/jwks.json')).body.keys.length, 2)
    t.is((await server.get('/.well-known/oauth-authorization-server')).status, 200)
    t.is((await server.get('/health/live')).status, 200)
    const ready = await server.get('/health/ready')
    t.is(ready.status, 503)
    t.like(ready.body.checks, { accepting: 'ok', keys: 'ok' })
    t.not(ready.body.checks.database, 'ok')
    t.true(logged.some(({ advice }) => String(advice).includes('check that it runs')))

    proxy.weather = 'fine'
    await eventually(async () => (await server.get('/health/ready')).status === 200, 'it is ready')
    t.is((await server.refresh(body.refresh_token)).status, 200)
    t.is((await server.signIn()).status, 200)
  })
}

test('connections cut under load → 200 or 503, never 500 or a crash', async (t) => {
  const { server, proxy, logged, body } = await wiredServer(t)
  const statuses = new Set<number>()
  let working = true
  const work = async (ask: () => Promise<Answer>) => {
    while (working) statuses.add((await ask()).status)
  }
  const { signIn, clientCredentials, introspect } = requests(server, body)
  const workers = [signIn, clientCredentials, introspect, introspect].map(work)
  for (let round = 0; round < 25; round += 1) {
    await server.introspect(body.access_token)
    proxy.cut()
  }
  working = false
  await Promise.all(workers)
  t.deepEqual(
    [...statuses].filter((status) => status !== 200 && status !== 503),
    [],
  )
  const bugs = logged.filter(({ msg }) => String(msg).includes('bug in this server'))
  t.deepEqual(bugs, [])
  await eventually(async () => (await server.signIn()).status === 200, 'it goes on')
})

/** The actions of a database operator. */
async function administer(url: string, sql: string): Promise<void> {
  const client = new pg.Client({
    connectionString: url,
    options: '-c default_transaction_read_only=off',
  })
  await client.connect()
  await client.query(sql).finally(() => client.end())
}

const disconnectAll = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                        WHERE datname = current_database() AND pid <> pg_backend_pid()`

test('a PostgreSQL that became read-only → 503, and the log has advice', async (t) => {
  const { server, logged, directUrl, body } = await wiredServer(t)
  const name = new URL(directUrl).pathname.slice(1)
  const readOnly = (is: 'on' | 'off') =>
    administer(
      directUrl,
      `ALTER DATABASE ${name} SET default_transaction_read_only = ${is}; ${disconnectAll}`,
    )
  await readOnly('on')
  await eventually(
    async () => (await server.refresh(body.refresh_token)).status === 503,
    'the connections are new ones',
  )
  isTryLater(t, await server.refresh(body.refresh_token), 'refresh')
  t.true(logged.some(({ advice }) => String(advice).includes('point DATABASE_URL at the primary')))
  await readOnly('off')
  await eventually(
    async () => (await server.refresh(body.refresh_token)).status === 200,
    'it goes on',
  )
})

test('an error of a statement → none of its values is logged', async (t) => {
  const { server, logged, body } = await wiredServer(t)
  await server.db.raw('ALTER TABLE refresh_families RENAME COLUMN amr TO gone')
  const answer = await server.signIn()
  t.is(answer.status, 500)
  t.deepEqual(answer.body, {
    error: 'server_error',
    error_description: 'the server met an unexpected condition',
  })
  const lines = logged.filter(({ level }) => level === 50)
  t.is(lines.filter(({ msg }) => String(msg).includes('bug in this server')).length, 1)
  const { id, password_hash } = await server.db('users').first()
  const text = JSON.stringify(lines)
  t.regex(text, /column .*amr.* does not exist/)
  for (const value of [id, password_hash, body.refresh_token, 'offline_access']) {
    t.false(text.includes(value), value)
  }
})

test('RFC 6749 §4.1.2.1: prompt=none while PostgreSQL is away → the client is told if it is known, otherwise a page', async (t) => {
  // It stands still, so that the client stays in the cache until the test moves it.
  const { server, proxy } = await wiredServer(t, { clock: new Clock(new Date()) })
  const app = await addWebApp(server)
  const silent = app.authorizeUrl({ prompt: 'none' })
  const browser = new FlowBrowser(server.url)
  await signIn(browser, app)
  t.truthy(answerOf(await browser.open(silent)).code)

  strike(proxy, 'refuse', true)
  const { error, iss, state } = answerOf(await browser.open(silent))
  t.deepEqual([error, iss], ['temporarily_unavailable', server.app.issuer])
  t.truthy(state)
  const shown = await browser.open(app.authorizeUrl())
  t.deepEqual([shown.status, shown.location], [503, ''], 'a person sees a page that leads on')

  server.clock.advance({ seconds: clientStaleSeconds })
  const unknown = await browser.open(silent)
  t.deepEqual(
    [unknown.status, unknown.location],
    [503, ''],
    'its redirect URI may have been removed',
  )
  t.truthy(unknown.headers.get('retry-after'))

  proxy.weather = 'fine'
  await eventually(async () => Boolean(answerOf(await browser.open(silent)).code), 'it goes on')
})
