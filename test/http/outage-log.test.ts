import { randomUUID } from 'node:crypto'
import test, { type ExecutionContext } from 'ava'
import pg from 'pg'
import { failureMembers } from '../../src/stores/unavailable.ts'
import { eventually } from '../../tools/eventually.ts'
import { administer } from '../../tools/template.ts'
import { copyTemplate, startServer, type TestServer } from '../support/server/start-server.ts'
import { refuseConnections, wiredDatabase } from '../support/stores/wired-stores.ts'

type Line = Record<string, unknown>

async function loggingServer(t: ExecutionContext<unknown>, database: string) {
  const lines: Line[] = []
  const server = await startServer(t, {
    database,
    environment: { DATABASE_TIMEOUT_SECONDS: '2' },
    logTo: (line) => lines.push(JSON.parse(line)),
  })
  t.is((await server.signIn()).status, 200)
  lines.length = 0
  return { server, lines }
}

const poolOf = ({ db }: TestServer): pg.Pool => db.client.config.connectionPool

/** Six requests in an outage: six lines without a stack, and one with it. */
async function assertCause(
  t: ExecutionContext<unknown>,
  { server, lines }: { server: TestServer; lines: Line[] },
  cause: string,
): Promise<void> {
  const answers = await Promise.all([1, 2, 3, 4, 5, 6].map(() => server.signIn()))
  const ids = answers.map(({ headers }) => headers.get('x-request-id'))
  for (const { status, text } of answers) {
    t.is(status, 503)
    t.false(text.includes(cause))
  }
  const own = lines.filter(({ requestId }) => ids.includes(String(requestId)))
  t.is(own.length, 6)
  for (const line of own) {
    t.like(line, { msg: 'request', status: 503, error: 'temporarily_unavailable', cause })
    t.is(typeof line.advice, 'string')
    t.false('err' in line)
  }
  const outages = lines.filter(({ msg }) => msg === 'requests fail because of the database')
  t.is(outages.length, 1)
  t.like(outages[0], { level: 50, cause, requests: 1 })
  t.regex(String((outages[0]?.err as Line | undefined)?.stack), /error: .*\n +at /i)
}

test('PostgreSQL refuses connections → connection_refused', async (t) => {
  const { proxy, url } = await wiredDatabase(t)
  const logging = await loggingServer(t, url)
  await refuseConnections(proxy, logging.server)
  await assertCause(t, logging, 'connection_refused')
})

test('background jobs while PostgreSQL refuses connections → lines with the cause, and no stack', async (t) => {
  const { proxy, url } = await wiredDatabase(t)
  const { server, lines } = await loggingServer(t, url)
  await proxy.close()
  const failed = () => lines.filter(({ msg }) => /^(rereading|sending|counting)/.test(String(msg)))
  const refused = (job: string) =>
    failed().some(({ msg, cause }) => String(msg).startsWith(job) && cause === 'connection_refused')
  await eventually(() => ['rereading', 'counting'].every(refused), 'the jobs have failed')
  for (const line of failed()) {
    // The first one may have been under way when its connection broke.
    t.true(['connection_refused', 'connection_lost'].includes(String(line.cause)))
    t.is(line.level, 50)
  }
  t.false(
    lines.some((line) => 'err' in line && !/connection to PostgreSQL broke/.test(String(line.msg))),
  )
  await t.throwsAsync(server.services.janitor.run())
})

test('a job that fails because of a bug, perhaps beside an outage → its stack', (t) => {
  const away = Object.assign(new Error('away'), { code: 'ECONNREFUSED' })
  const bug = new TypeError('x is not a function')
  const outage = new Error('deleting mails failed', { cause: away })
  t.like(failureMembers(new AggregateError([outage, outage])), { cause: 'connection_refused' })
  for (const error of [bug, new AggregateError([outage, bug])]) {
    t.deepEqual(failureMembers(error), { err: error })
  }
})

test('every connection of the pool is in use → pool_full', async (t) => {
  const logging = await loggingServer(t, await copyTemplate(t))
  const pool = poolOf(logging.server)
  const held = await Promise.all(Array.from({ length: 10 }, () => pool.connect()))
  await assertCause(t, logging, 'pool_full')
  for (const client of held) client.release()
})

test('a lock is not free within DATABASE_TIMEOUT_SECONDS, and within lock_timeout → statement_timeout, lock_timeout', async (t) => {
  const database = await copyTemplate(t)
  const name = new URL(database).pathname.slice(1)
  for (const [setting, cause] of [
    ['0', 'statement_timeout'],
    ['500ms', 'lock_timeout'],
  ] as const) {
    await administer(database, `ALTER DATABASE ${name} SET lock_timeout = '${setting}'`)
    const logging = await loggingServer(t, database)
    const holder = new pg.Client({ connectionString: database })
    holder.on('error', () => undefined)
    await holder.connect()
    await holder.query('BEGIN; LOCK TABLE users IN ACCESS EXCLUSIVE MODE')
    await assertCause(t, logging, cause)
    await holder.end()
    await logging.server.stop()
  }
})

test('the password in DATABASE_URL has become wrong → wrong_password, which no line contains', async (t) => {
  const database = await copyTemplate(t)
  const role = `signet_test_${randomUUID().replaceAll('-', '')}`
  await administer(database, `CREATE ROLE ${role} LOGIN SUPERUSER PASSWORD 'the-first-secret'`)
  t.teardown(() => administer(database, `DROP ROLE ${role}`))
  const url = Object.assign(new URL(database), { username: role, password: 'the-first-secret' })
  const logging = await loggingServer(t, url.href)
  await administer(database, `ALTER ROLE ${role} PASSWORD 'the-second-secret'`)
  await administer(
    database,
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '${role}'`,
  )
  await eventually(() => poolOf(logging.server).totalCount === 0, 'the connections have ended')
  logging.lines.length = 0
  await assertCause(t, logging, 'wrong_password')
  t.notRegex(JSON.stringify(logging.lines), /the-(first|second)-secret/)
})
