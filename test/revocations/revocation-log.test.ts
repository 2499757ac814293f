import { randomUUID } from 'node:crypto'
import test from 'ava'
import type { Knex } from 'knex'
import { LogReader } from '../../src/revocations/log-reader.ts'
import { RevocationLog } from '../../src/revocations/revocation-log.ts'
import { eventually } from '../../tools/eventually.ts'
import { startServer, type TestServer } from '../support/server/start-server.ts'

async function readerOf(server: TestServer): Promise<LogReader> {
  const reader = new LogReader(logOf(server))
  await reader.begin()
  return reader
}

const logOf = (server: TestServer) => new RevocationLog(server.db, server.clock.now)

const entry = (server: TestServer, value: string) => ({
  ...{ kind: 'jti' as const, value },
  expiresAt: new Date(server.clock.now().getTime() + 600_000),
})

const valuesOf = (entries: readonly { value: string }[]) => entries.map(({ value }) => value)

async function openTransaction(server: TestServer, value: string): Promise<Knex.Transaction> {
  const trx = await server.db.transaction()
  await logOf(server).append(trx, [entry(server, value)])
  return trx
}

test('a reader never skips an entry whose transaction committed late', async (t) => {
  const server = await startServer(t, { redis: false })
  const log = logOf(server)
  const reader = await readerOf(server)
  const late = await openTransaction(server, 'late')
  const early = await openTransaction(server, 'early')
  await early.commit()
  const first = await reader.next()
  t.deepEqual(valuesOf(first.fresh), ['early'])
  await log.append(server.db, [entry(server, 'between')])
  const second = await reader.next()
  t.deepEqual(valuesOf(second.fresh), ['between'])
  t.deepEqual(valuesOf(second.entries), ['early', 'between'], 'what is open is told again')
  await late.commit()
  t.deepEqual(valuesOf((await reader.next()).fresh), ['late'])
  // Transactions of other databases of this PostgreSQL count as well, so this may take a moment.
  await eventually(async () => (await reader.next()).entries.length === 0, 'all is settled')
})

test('an entry that was rolled back is never seen', async (t) => {
  const server = await startServer(t, { redis: false })
  const reader = await readerOf(server)
  const trx = await openTransaction(server, 'undone')
  await trx.rollback()
  t.deepEqual((await reader.next()).entries, [])
  t.false(await server.services.revocations.isRevokedAny([{ kind: 'jti', value: 'undone' }]))
})

test('a reader among writers that commit in any order sees every entry', async (t) => {
  const server = await startServer(t, { redis: false })
  const reader = await readerOf(server)
  const seen: string[] = []
  const written: string[] = []
  let writing = true
  const read = async () => {
    seen.push(...valuesOf((await reader.next()).fresh))
  }
  const reading = (async () => {
    while (writing) await read()
  })()
  const writer = async () => {
    for (let turn = 0; turn < 40; turn += 1) {
      const value = randomUUID()
      const trx = await openTransaction(server, value)
      await trx.raw('SELECT pg_sleep(? * random())', [0.02])
      await trx.commit()
      written.push(value)
    }
  }
  await Promise.all([writer(), writer(), writer(), writer(), writer()])
  writing = false
  await reading
  await read()
  t.deepEqual(seen.sort(), written.sort(), 'each of them once')
})

test('an entry counts until it expires, by kind and value', async (t) => {
  const server = await startServer(t, { redis: false })
  const log = logOf(server)
  const { revocations } = server.services
  await log.append(server.db, [entry(server, 'one'), entry(server, 'two')])
  await log.append(server.db, [])
  t.true(await revocations.isRevokedAny([{ kind: 'jti', value: 'one' }]))
  t.true(
    await revocations.isRevokedAny([
      { kind: 'sid', value: 'x' },
      { kind: 'jti', value: 'two' },
    ]),
  )
  t.false(
    await revocations.isRevokedAny([
      { kind: 'sid', value: 'one' },
      { kind: 'jti', value: 'two ' },
    ]),
  )
  server.clock.advance({ minutes: 11 })
  t.false(await revocations.isRevokedAny([{ kind: 'jti', value: 'one' }]))
})

test('concurrent questions each get their own answer, from the log as it was when they were asked', async (t) => {
  const server = await startServer(t, { redis: false })
  const { revocations } = server.services
  const values = Array.from({ length: 300 }, (_, n) => `value ${n}`)
  const isOdd = (_: string, n: number) => n % 2 === 1
  const odd = values.filter(isOdd).map((value) => entry(server, value))
  const before = values.map((value) => revocations.isRevokedAny([{ kind: 'jti', value }]))
  t.false((await Promise.all(before)).includes(true))
  await logOf(server).append(server.db, odd)
  const after = values.map((value) =>
    revocations.isRevokedAny([
      { kind: 'jti', value },
      { kind: 'client', value: 'app' },
    ]),
  )
  t.deepEqual(await Promise.all(after), values.map(isOdd))
})

test('a question that PostgreSQL refuses fails alone; others in its batch are answered', async (t) => {
  const server = await startServer(t, { redis: false })
  const { revocations } = server.services
  await logOf(server).append(server.db, [entry(server, 'revoked')])
  const ask = (value: string) => revocations.isRevokedAny([{ kind: 'jti', value }])
  const values = ['first', ...Array.from({ length: 40 }, (_, n) => `good ${n}`), 'a\0b', 'revoked']
  const answers = await Promise.allSettled(values.map(ask))
  const refused = answers.flatMap(({ status }, at) => (status === 'rejected' ? [values[at]] : []))
  t.deepEqual(refused, ['a\0b'])
  t.like(answers.at(-1), { status: 'fulfilled', value: true })
})

test('all live entries are read, page by page, and no expired one', async (t) => {
  const server = await startServer(t, { redis: false })
  const log = logOf(server)
  await log.append(server.db, [entry(server, 'old')])
  server.clock.advance({ minutes: 11 })
  const values = Array.from({ length: 25 }, (_, at) => `value ${at}`)
  await log.append(
    server.db,
    values.map((value) => entry(server, value)),
  )
  for (const pageSize of [1, 5, 24, 25, 26, 1000]) {
    const pages: string[][] = []
    for await (const page of log.live(pageSize)) pages.push(valuesOf(page))
    t.deepEqual(pages.flat(), values)
    t.true(pages.every(({ length }) => length <= pageSize))
  }
})

test('while a long transaction is open, a reader reads each of 12,000 entries once', async (t) => {
  const server = await startServer(t, { redis: false })
  const elsewhere = await server.db.transaction()
  const { rows } = await elsewhere.raw('SELECT pg_current_xact_id() AS xid')
  const xid = BigInt(rows[0].xid)
  const reader = await readerOf(server)
  await addMany(server, 12_000)
  const first = await reader.next()
  t.is(new Set(valuesOf(first.fresh)).size, 12_000)
  t.true(first.watermark <= xid)
  const second = await reader.next()
  t.is(second.fresh.length, 0)
  t.is(second.entries.length, 12_000, 'told again: an earlier one may still commit')
  await elsewhere.rollback()
  await eventually(async () => (await reader.next()).entries.length === 0, 'all is settled')
})

test('an entry expires while a long transaction is open → it is dropped, others are kept', async (t) => {
  const server = await startServer(t, { redis: false })
  const elsewhere = await server.db.transaction()
  await elsewhere.raw('SELECT pg_current_xact_id()')
  const reader = await readerOf(server)
  await logOf(server).append(server.db, [entry(server, 'short')])
  server.clock.advance({ minutes: 5 })
  await logOf(server).append(server.db, [entry(server, 'long')])
  t.deepEqual(valuesOf((await reader.next()).entries), ['short', 'long'])
  server.clock.advance({ minutes: 7 })
  t.deepEqual(valuesOf((await reader.next()).entries), ['long'])
  await elsewhere.rollback()
})

test('a log restored from another cluster is read once, and nothing is lost as numbers catch up', async (t) => {
  const server = await startServer(t, { redis: false })
  const reader = await readerOf(server)
  // As pg_restore brings them: one number that this cluster reaches soon, and many that it does not.
  await addMany(server, 12_000, '9000000000000')
  await server.db.raw(
    `UPDATE revocations SET xid = (pg_current_xact_id()::text::bigint + 20)::text::xid8
      WHERE value = 'many 1'`,
  )
  await reader.next()
  t.is((await reader.next()).fresh.length, 12_000)
  await eventually(async () => (await reader.next()).entries.length === 0, 'all is settled')
  for (let n = 0; n < 30; n += 1) await server.db.raw('SELECT pg_current_xact_id()')
  t.is((await reader.next()).fresh.length, 0)
  const another = await readerOf(server)
  t.is((await another.next()).fresh.length, 0)
  await server.services.feed.follow()
  await eventually(() => server.services.feed.size === 12_000, 'the list has each of them once')
})

const addMany = (server: TestServer, count: number, xid?: string) =>
  server.db.raw(
    `INSERT INTO revocations (kind, value, revoked_at, expires_at, xid)
     SELECT 'jti', 'many ' || n, now(), ?::timestamptz, COALESCE(?::xid8, pg_current_xact_id())
       FROM generate_series(1, ?::int) AS n`,
    [entry(server, 'any').expiresAt, xid ?? null, count],
  )
