import test, { type ExecutionContext } from 'ava'
import { openPostgres } from '../../src/stores/postgres.ts'
import { isUnavailable, whatToDo } from '../../src/stores/unavailable.ts'
import { eventually } from '../../tools/eventually.ts'
import { copyTemplate } from '../support/server/start-server.ts'
import { startPgBouncer } from '../support/stores/pgbouncer.ts'
import { wiredDatabase } from '../support/stores/wired-stores.ts'

/** In which a busy machine opens a connection as well. */
const patience = 8

function open(t: ExecutionContext, url: string, poolSize = 2, timeoutSeconds = 2) {
  const postgres = openPostgres({ url, poolSize, timeoutSeconds })
  t.teardown(postgres.close)
  // As a server does: a connection that is being ended does not keep a process alive by itself.
  const alive = setInterval(() => undefined, 1000)
  t.teardown(() => clearInterval(alive))
  return postgres
}

/** A bound that a busy machine keeps as well: nothing of this may take longer. */
const boundSeconds = 30

async function bounded<T>(t: ExecutionContext, work: Promise<T>): Promise<T> {
  const startedAt = performance.now()
  const result = await work
  t.true(performance.now() - startedAt < boundSeconds * 1000)
  return result
}

async function failure(work: PromiseLike<unknown>): Promise<Error | undefined> {
  try {
    await work
  } catch (error) {
    return error as Error
  }
  return undefined
}

for (const [name, weather, isCut] of [
  ['refuses', 'refuse', true],
  ['hangs', 'hang', false],
  ['hangs for new connections', 'hang', true],
] as const) {
  test(`a database that ${name} → unavailable in bounded time, and used again afterwards`, async (t) => {
    const { proxy, url } = await wiredDatabase(t)
    const { db } = open(t, url)
    await db.raw('SELECT 1')
    proxy.weather = weather
    if (isCut) proxy.cut()
    const work = Promise.all([1, 2, 3, 4].map(() => failure(db.raw('SELECT 1'))))
    for (const error of await bounded(t, work)) {
      t.true(isUnavailable(error), String(error))
      t.regex(whatToDo(error), /check that (it runs|PostgreSQL is not slow)/)
    }
    const inside = await bounded(t, failure(db.transaction((trx) => trx.raw('SELECT 1'))))
    t.true(isUnavailable(inside), String(inside))
    proxy.weather = 'fine'
    await eventually(async () => !(await failure(db.raw('SELECT 1'))), 'it answers again')
    await Promise.all([1, 2, 3, 4].map(() => db.raw('SELECT 1')))
  })
}

test('a statement that takes too long → given up without poisoning a connection', async (t) => {
  const postgres = open(t, await copyTemplate(t), 1, patience)
  for (let round = 0; round < 2; round += 1) {
    const error = await failure(postgres.db.raw('SELECT pg_sleep(30)'))
    t.true(isUnavailable(error), String(error))
    const { rows } = await postgres.db.raw('SELECT 1 AS one')
    t.is(rows[0].one, 1)
  }
  t.is(postgres.pool.waitingCount, 0)
  t.true(postgres.pool.totalCount <= 1)
})

test('a hanging statement in a transaction → rolled back, and its connection is returned', async (t) => {
  const postgres = open(t, await copyTemplate(t), 1, patience)
  for (let round = 0; round < 2; round += 1) {
    const error = await failure(
      postgres.db.transaction(async (trx) => {
        await trx('users').update({ roles: ['changed'] })
        await trx.raw('SELECT pg_sleep(30)')
      }),
    )
    t.true(isUnavailable(error), String(error))
    t.deepEqual(await postgres.db('users').pluck('roles'), [['admin']])
  }
  t.is(postgres.pool.waitingCount, 0)
})

test('the wait for a connection → bounded, and the connection goes to the next one', async (t) => {
  const postgres = open(t, await copyTemplate(t), 1)
  const holder = await postgres.db.transaction()
  const errors = await bounded(
    t,
    Promise.all([1, 2, 3].map(() => failure(postgres.db.raw('SELECT 1')))),
  )
  t.true(errors.every(isUnavailable), String(errors))
  await holder.rollback()
  t.is((await postgres.db.raw('SELECT 1 AS one')).rows[0].one, 1)
})

test('a connection that breaks while idle → replaced without a crash', async (t) => {
  const { proxy, url } = await wiredDatabase(t)
  const { db, pool } = open(t, url, 4, patience)
  for (let round = 0; round < 5; round += 1) {
    await Promise.all([1, 2, 3, 4].map(() => db.raw('SELECT pg_sleep(0.02)')))
    proxy.cut()
    await eventually(() => pool.totalCount === 0, 'the loss is noticed')
    t.is(await failure(db.raw('SELECT 1')), undefined)
  }
})

test('SQLSTATEs and network errors → distinguished from bugs', (t) => {
  const error = (code: string) => Object.assign(new Error('x'), { code })
  const passing = [
    '08006',
    '28P01',
    '3D000',
    '53100',
    '53200',
    '53300',
    '57P01',
    '57P02',
    '57P03',
    '57014',
  ]
  const locks = [
    '55P03',
    '55000',
    '25006',
    '40001',
    '40P01',
    'ECONNREFUSED',
    'ECONNRESET',
    'ETIMEDOUT',
  ]
  for (const code of [...passing, ...locks, 'ENOTFOUND', 'EPIPE']) {
    t.true(isUnavailable(error(code)), code)
    t.true(isUnavailable(new Error('outer', { cause: error(code) })), `${code} as a cause`)
    t.true(isUnavailable(new AggregateError([error(code)])), `${code} of several tries`)
  }
  const pooler = Object.assign(error('08P01'), { severity: 'FATAL' })
  t.true(isUnavailable(pooler), 'PgBouncer says everything with it')
  for (const code of [
    '08P01',
    '23505',
    '23514',
    '22P02',
    '42601',
    '42P01',
    '42703',
    '22021',
    'ENOENT',
  ]) {
    t.false(isUnavailable(error(code)), code)
  }
  for (const value of [undefined, null, 'ECONNREFUSED', {}, new Error('x'), new TypeError('x')]) {
    t.false(isUnavailable(value))
  }
})

test('an unavailable database → advice for the operator', (t) => {
  const advice = (code: string) => whatToDo(Object.assign(new Error('x'), { code }))
  t.regex(advice('53100'), /disk .* full/)
  t.regex(advice('53300'), /DATABASE_POOL_SIZE/)
  t.regex(advice('25006'), /primary/)
  t.regex(advice('28P01'), /password in DATABASE_URL/)
  t.regex(advice('55P03'), /lock .* pg_blocking_pids/)
  t.regex(advice('57014'), /statement_timeout/)
  t.regex(advice('08P01'), /pooler/)
  t.regex(whatToDo(new Error('timeout exceeded when trying to connect')), /DATABASE_POOL_SIZE/)
  t.regex(whatToDo(new Error('Query read timeout')), /pg_stat_activity/)
  t.regex(advice('ECONNREFUSED'), /DATABASE_URL/)
  t.regex(whatToDo(undefined), /DATABASE_URL/)
})

test('a statement with too many parameters → a bug with a short message', async (t) => {
  const { db } = open(t, await copyTemplate(t))
  const rows = Array.from({ length: 40_000 }, (_, n) => ({ task: `x${n}`, ran_at: new Date() }))
  const inside = () => db.transaction((trx) => trx('janitor_runs').insert(rows))
  for (const work of [() => db('janitor_runs').insert(rows), inside]) {
    const error = await failure(work())
    t.false(isUnavailable(error))
    t.true((error?.message.length ?? 0) < 1100)
    t.regex(error?.message ?? '', /bind message has \d+ parameter formats/)
  }
})

test('a PgBouncer that cannot reach PostgreSQL → unavailable, with its message', async (t) => {
  const { proxy, url } = await wiredDatabase(t)
  const bouncer = await startPgBouncer(t, url)
  const { db } = open(t, bouncer.url)
  await db.raw('SELECT 1')
  proxy.weather = 'refuse'
  proxy.cut()
  await eventually(async () => {
    const error = await failure(db.raw('SELECT 1'))
    t.true(isUnavailable(error), String(error))
    return /pooler/.test(whatToDo(error))
  }, 'PgBouncer says that it cannot')
  proxy.weather = 'fine'
  await eventually(async () => !(await failure(db.raw('SELECT 1'))), 'it answers again')
})
