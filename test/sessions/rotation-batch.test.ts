import { randomBytes } from 'node:crypto'
import test, { type ExecutionContext } from 'ava'
import { v7 as uuidv7 } from 'uuid'
import {
  type Advanced,
  RotationBatch,
  type RotationRequest,
} from '../../src/sessions/rotation-batch.ts'
import { openPostgres } from '../../src/stores/postgres.ts'
import { Statements } from '../../src/stores/statements.ts'
import { copyTemplate } from '../support/server/start-server.ts'

const day = 86_400_000

/** Instances with a pool each on one database, and sessions of one person in it. */
async function prepare(t: ExecutionContext, { instances = 1, sessions = 20 } = {}) {
  const url = await copyTemplate(t)
  const opened = Array.from({ length: instances }, () => {
    const postgres = openPostgres({ url, poolSize: 4, timeoutSeconds: 20 })
    t.teardown(postgres.close)
    const statements = new Statements({ ...postgres, prepared: true })
    const asked: number[] = []
    const run: Statements['run'] = (statement, values) => {
      asked.push(Array.isArray(values[0]) ? values[0].length : 1)
      return statements.run(statement, values)
    }
    return { ...postgres, asked, batch: new RotationBatch({ run } as Statements, 20) }
  })
  const [{ db }] = opened as [(typeof opened)[0]]
  const [user] = await db('users').pluck('id')
  const digest = randomBytes(32)
  const now = new Date()
  const sids = Array.from({ length: sessions }, () => uuidv7())
  await db('refresh_families').insert(
    sids.map((sid) => ({
      ...{ sid, user_id: user, client_id: 'app', seed_digest: digest, generation: 0 },
      ...{ scope: ['read'], audience: ['x'], amr: ['pwd'], auth_time: now },
      ...{ idle_expires_at: new Date(now.getTime() + day) },
      ...{ expires_at: new Date(now.getTime() + 30 * day) },
    })),
  )
  const requestOf = (
    sid: string,
    generation = 0,
    different: Partial<RotationRequest> = {},
  ): RotationRequest => ({
    ...{ sid, generation, digest, clientId: 'app', now },
    idleExpiresAt: new Date(now.getTime() + 2 * day),
    ...different,
  })
  return {
    opened,
    db,
    sids,
    requestOf,
    batch: opened[0]?.batch as RotationBatch,
    asked: opened[0]?.asked,
  }
}

const generations = (rows: (Advanced | undefined)[]) => rows.map((row) => row?.generation)

test('rotations that arrive together are one statement, and each gets its own outcome', async (t) => {
  const { batch, sids, requestOf, asked, db } = await prepare(t)
  const wrong: Partial<RotationRequest>[] = [
    { generation: 1 },
    { digest: Buffer.alloc(32) },
    { clientId: 'other' },
    { now: new Date(Date.now() + 40 * day) },
    { sid: uuidv7() },
  ]
  const rows = await Promise.all(
    sids.map((sid, at) => batch.rotate(requestOf(sid, 0, wrong[at - 1] ?? {}))),
  )
  t.deepEqual(asked, [1, 19])
  t.deepEqual(generations(rows), [1, ...Array(5).fill(undefined), ...Array(14).fill(1)])
  t.deepEqual(
    rows.map((row, at) => row?.sid ?? sids[at]),
    sids,
  )
  const stored = await db('refresh_families').whereIn('sid', sids.slice(1, 6)).pluck('generation')
  t.deepEqual(stored, Array(5).fill(0))
})

test('a rotation in a batch does what a rotation alone does', async (t) => {
  const { batch, sids, requestOf, db } = await prepare(t, { sessions: 3 })
  const last = new Date(Date.now() + 90 * day)
  await db('refresh_families').update({ amr: ['pwd', 'otp'] })
  const rows = await Promise.all(
    sids.map((sid) => batch.rotate(requestOf(sid, 0, { idleExpiresAt: last }))),
  )
  const plain = rows.map((row) => ({ ...row, sid: undefined, at: undefined }))
  t.deepEqual(plain[1], plain[0])
  t.deepEqual(plain[2], plain[0])
  t.deepEqual(rows[1]?.idle_expires_at, rows[1]?.expires_at, 'the whole session ends first')
  const stored = await db('refresh_families').orderBy('sid').pluck('rotated_at')
  t.deepEqual(stored, Array(3).fill(requestOf('').now))
})

test('RFC 9700 §4.14.2: each generation has one winner, in batches and over two instances', async (t) => {
  const { opened, sids, requestOf, db } = await prepare(t, { instances: 2 })
  for (let round = 0; round < 60; round += 1) {
    const callers = Array.from({ length: 6 }, (_, at) => opened[at % 2]?.batch as RotationBatch)
    const mixed = round % 2 === 0 ? sids : [...sids].reverse()
    const outcomes = await Promise.all(
      callers.flatMap((batch, at) =>
        (at % 3 === 0 ? sids : mixed).map((sid) => batch.rotate(requestOf(sid, round))),
      ),
    )
    const winners = outcomes.flatMap((row) => row?.sid ?? []).sort()
    t.deepEqual(winners, [...sids].sort())
  }
  t.deepEqual(await db('refresh_families').distinct('generation'), [{ generation: 60 }])
  const together = opened.flatMap(({ asked }) => asked).filter((count) => count > 1)
  t.true(together.length > 60, 'the race was one of batches')
})

test('another client in the same batch does not prevent the rotation of the right one', async (t) => {
  const { batch, sids, requestOf } = await prepare(t, { sessions: 5 })
  const clients = ['other', 'app', 'other']
  const rows = await Promise.all(
    sids.flatMap((sid) => clients.map((clientId) => batch.rotate(requestOf(sid, 0, { clientId })))),
  )
  t.deepEqual(
    generations(rows),
    sids.flatMap(() => [undefined, 1, undefined]),
  )
})

test('a locked row delays no other; a rotation alone waits for it', async (t) => {
  const { batch, sids, requestOf, db } = await prepare(t)
  const [locked = ''] = sids.slice(-1)
  const waiting = await db.transaction(async (trx) => {
    await trx('refresh_families').where({ sid: locked }).forUpdate().first()
    const rows = await Promise.all(sids.map((sid) => batch.rotate(requestOf(sid))))
    t.deepEqual(generations(rows), [...Array(19).fill(1), undefined])
    return { row: batch.rotateAlone(requestOf(locked)) }
  })
  t.is((await waiting.row)?.generation, 1)
})

test('a row that cannot be written fails only its own caller', async (t) => {
  const { batch, sids, requestOf, db } = await prepare(t)
  const poisoned = sids[7]
  await db.raw(`
    CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN RAISE EXCEPTION 'poisoned'; END $$;
    CREATE TRIGGER refuse BEFORE UPDATE ON refresh_families FOR EACH ROW
      WHEN (OLD.sid = '${poisoned}') EXECUTE FUNCTION refuse()`)
  // PostgreSQL reports an error a moment before it releases the row locks.
  const turn = async (request: RotationRequest) =>
    (await batch.rotate(request)) ?? batch.rotateAlone(request)
  const settled = await Promise.allSettled(sids.map((sid) => turn(requestOf(sid))))
  const refused = settled.flatMap(({ status }, at) => (status === 'rejected' ? sids[at] : []))
  t.deepEqual(refused, [poisoned])
  t.is((await db('refresh_families').where({ generation: 1 })).length, 19)
})

test('a person or client is disabled in its row alone → no statement rotates a session', async (t) => {
  const { batch, sids, requestOf, db } = await prepare(t, { sessions: 4 })
  const [spent = '', ...fresh] = sids
  const [alone = '', ...together] = fresh
  t.is((await batch.rotate(requestOf(spent)))?.generation, 1)
  const { now } = requestOf(spent)
  for (const [table, which] of [
    ['users', {}],
    ['clients', { id: 'app' }],
  ] as const) {
    await db(table).where(which).update({ disabled_at: now })
    const rows = await Promise.all([
      batch.rotate(requestOf(alone)),
      ...together.map((sid) => batch.rotate(requestOf(sid))),
      batch.rotateAlone(requestOf(alone)),
      batch.rotateAgain(requestOf(spent), now),
    ])
    t.deepEqual(generations(rows), Array(5).fill(undefined), table)
    await db(table).where(which).update({ disabled_at: null })
  }
  t.is((await batch.rotateAgain(requestOf(spent), now))?.generation, 1)
  t.is((await batch.rotateAlone(requestOf(alone)))?.generation, 1)
})
