import { randomUUID } from 'node:crypto'
import test from 'ava'
import type { Knex } from 'knex'
import { RevocationLog } from '../../src/revocations/revocation-log.ts'
import { eventually } from '../support/eventually.ts'
import { startServer, type TestServer } from '../support/start-server.ts'

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

test('a reader of changes never skips an entry whose transaction committed late', async (t) => {
  const server = await startServer(t, { redis: false })
  const log = logOf(server)
  const start = (await log.position()).watermark
  const late = await openTransaction(server, 'late')
  const early = await openTransaction(server, 'early')
  await early.commit()
  const first = await log.changes(start)
  t.deepEqual(valuesOf(first.entries), ['early'])
  await log.append(server.db, [entry(server, 'between')])
  const second = await log.changes(first.watermark)
  t.deepEqual(valuesOf(second.entries), ['early', 'between'])
  await late.commit()
  const third = await log.changes(second.watermark)
  t.true(valuesOf(third.entries).includes('late'))
  // Transactions of other databases of this PostgreSQL count as well, so that may take a moment.
  await eventually(async () => {
    const { watermark } = await log.changes(third.watermark)
    return (await log.changes(watermark)).entries.length === 0
  }, 'once all have ended nothing is read twice')
})

test('an entry that was rolled back is never seen', async (t) => {
  const server = await startServer(t, { redis: false })
  const log = logOf(server)
  const start = (await log.position()).watermark
  const trx = await openTransaction(server, 'undone')
  await trx.rollback()
  t.deepEqual((await log.changes(start)).entries, [])
  t.false(await server.rooms.revocations.holdAny([{ kind: 'jti', value: 'undone' }]))
})

test('a reader among writers that commit in any order sees every entry', async (t) => {
  const server = await startServer(t, { redis: false })
  const log = logOf(server)
  let watermark = (await log.position()).watermark
  const seen = new Set<string>()
  const written: string[] = []
  let writing = true
  const read = async () => {
    const changes = await log.changes(watermark)
    for (const { value } of changes.entries) seen.add(value)
    watermark = changes.watermark
  }
  const reader = (async () => {
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
  await reader
  await read()
  t.is(seen.size, 200)
  t.deepEqual([...seen].sort(), written.sort())
})

test('an entry is held until it expires, by kind and value', async (t) => {
  const server = await startServer(t, { redis: false })
  const log = logOf(server)
  const { revocations } = server.rooms
  await log.append(server.db, [entry(server, 'one'), entry(server, 'two')])
  await log.append(server.db, [])
  t.true(await revocations.holdAny([{ kind: 'jti', value: 'one' }]))
  t.true(
    await revocations.holdAny([
      { kind: 'sid', value: 'x' },
      { kind: 'jti', value: 'two' },
    ]),
  )
  t.false(
    await revocations.holdAny([
      { kind: 'sid', value: 'one' },
      { kind: 'jti', value: 'two ' },
    ]),
  )
  server.clock.advance({ minutes: 11 })
  t.false(await revocations.holdAny([{ kind: 'jti', value: 'one' }]))
})

test('many who ask at once each get their own answer, of the log as it was when they asked', async (t) => {
  const server = await startServer(t, { redis: false })
  const { revocations } = server.rooms
  const values = Array.from({ length: 300 }, (_, n) => `value ${n}`)
  const isOdd = (_: string, n: number) => n % 2 === 1
  const odd = values.filter(isOdd).map((value) => entry(server, value))
  const before = values.map((value) => revocations.holdAny([{ kind: 'jti', value }]))
  t.false((await Promise.all(before)).includes(true))
  await logOf(server).append(server.db, odd)
  const after = values.map((value) =>
    revocations.holdAny([
      { kind: 'jti', value },
      { kind: 'client', value: 'app' },
    ]),
  )
  t.deepEqual(await Promise.all(after), values.map(isOdd))
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

test('a long transaction elsewhere makes a reader see an entry twice and never hides one', async (t) => {
  const server = await startServer(t, { redis: false })
  const log = logOf(server)
  const elsewhere = await server.db.transaction()
  const { rows } = await elsewhere.raw('SELECT pg_current_xact_id() AS xid')
  const xid = BigInt(rows[0].xid)
  const start = (await log.position()).watermark
  await log.append(server.db, [entry(server, 'one')])
  const changes = await log.changes(start)
  t.deepEqual(valuesOf(changes.entries), ['one'], 'seen although the other still runs')
  t.true(start <= changes.watermark && changes.watermark <= xid)
  t.deepEqual(valuesOf((await log.changes(changes.watermark)).entries), ['one'], 'and again')
  await elsewhere.rollback()
  await eventually(async () => (await log.position()).watermark > xid, 'the reader gets on')
})
