import test from 'ava'
import { openPostgres } from '../../src/stores/postgres.ts'
import { isUnavailable } from '../../src/stores/unavailable.ts'
import { eventually } from '../../tools/eventually.ts'
import { copyTemplate } from '../support/server/start-server.ts'

test('ASVS 15.2.2: the queue for a connection is full → the next statement fails, and the queue goes on', async (t) => {
  const url = await copyTemplate(t)
  const postgres = openPostgres({ url, poolSize: 2, timeoutSeconds: 60, maxWaiting: 5 })
  t.teardown(postgres.close)
  const held = await Promise.all([postgres.pool.connect(), postgres.pool.connect()])
  const waiting = Array.from({ length: 5 }, async (_, index) =>
    index % 2 ? postgres.pool.query('SELECT 1 AS one') : postgres.db.raw('SELECT 1 AS one'),
  )
  // knex requests its connection a moment later.
  await eventually(() => postgres.pool.waitingCount === 5, 'all of them wait')
  for (const ask of [
    () => postgres.pool.query('SELECT 1'),
    () => postgres.pool.connect(),
    () => postgres.db.raw('SELECT 1'),
    () => postgres.db.transaction(async (trx) => trx.raw('SELECT 1')),
  ]) {
    const error = await t.throwsAsync(async () => ask())
    t.true(isUnavailable(error), error?.message)
  }
  t.is(postgres.pool.waitingCount, 5, 'those in the queue keep their places')
  for (const client of held) client.release()
  for (const { rows } of await Promise.all(waiting)) t.deepEqual(rows, [{ one: 1 }])
  t.is((await postgres.db.raw('SELECT 2 AS two')).rows[0].two, 2)
})
