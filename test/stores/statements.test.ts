import test, { type ExecutionContext } from 'ava'
import type pg from 'pg'
import { openPostgres } from '../../src/stores/postgres.ts'
import { Statements, statement } from '../../src/stores/statements.ts'
import { copyTemplate } from '../support/server/start-server.ts'

/** One connection, so that what was prepared is there the next time. */
async function prepare(t: ExecutionContext, prepared = true) {
  const postgres = openPostgres({ url: await copyTemplate(t), poolSize: 1, timeoutSeconds: 10 })
  t.teardown(postgres.close)
  await postgres.db.raw('CREATE TABLE counted (number integer)')
  const told: string[] = []
  const onUnknown = ({ message }: Error) => told.push(message)
  return { ...postgres, told, statements: new Statements({ ...postgres, prepared, onUnknown }) }
}

const count = statement('count', 'INSERT INTO counted VALUES ($1) RETURNING number')

const preparedOn = async (pool: pg.Pool) =>
  (await pool.query('SELECT name FROM pg_prepared_statements')).rows.map(({ name }) => name)

test('a frequent statement → prepared once, with a name derived from its text', async (t) => {
  const { pool, statements } = await prepare(t)
  for (const number of [1, 2]) t.deepEqual(await statements.run(count, [number]), [{ number }])
  t.deepEqual(await preparedOn(pool), [count.name])
  t.regex(count.name, /^signet_count_[0-9a-f]{12}$/)
  t.not(statement('count', `${count.text} `).name, count.name)
  t.true(count.name.length <= 63)
})

test('prepared statements disabled → none is prepared', async (t) => {
  const { pool, statements } = await prepare(t, false)
  t.deepEqual(await statements.run(count, [1]), [{ number: 1 }])
  t.deepEqual(await preparedOn(pool), [])
})

for (const [what, forget] of [
  ['forgets what was prepared', 'DEALLOCATE ALL'],
  ['changes a type under a plan', 'ALTER TABLE counted ALTER number TYPE bigint'],
] as const) {
  test(`a connection that ${what} → no answer is lost, and no statement runs twice`, async (t) => {
    const { db, pool, statements, told } = await prepare(t)
    await statements.run(count, [1])
    await pool.query(forget)
    const both = await Promise.all([2, 3].map((number) => statements.run(count, [number])))
    t.deepEqual(
      both.flat().map(({ number }: { number?: unknown }) => Number(number)),
      [2, 3],
    )
    t.deepEqual((await db('counted').orderBy('number').pluck('number')).map(Number), [1, 2, 3])
    t.is(told.length, 1)
  })
}

test('a statement that fails by itself → fails once and stays prepared', async (t) => {
  const { pool, statements, told } = await prepare(t)
  await t.throwsAsync(statements.run(count, ['no number']), { message: /invalid input syntax/ })
  await statements.run(count, [1])
  t.deepEqual(await preparedOn(pool), [count.name])
  t.deepEqual(told, [])
})
