// Alone: it measures how long answers take under load.
import { setTimeout as sleep } from 'node:timers/promises'
import test, { type ExecutionContext } from 'ava'
import pg from 'pg'
import { eventually } from '../../tools/eventually.ts'
import { ada } from '../../tools/fixtures.ts'
import { accountApi, enter, goodPassword } from '../support/people/account-api.ts'
import { copyTemplate, startServer } from '../support/server/start-server.ts'
import { startPgBouncer } from '../support/stores/pgbouncer.ts'

const poolSize = 10

/** One connection that locks tables, and one that counts the backends of all others. */
async function operator(t: ExecutionContext, url: string) {
  const connect = async (name: string) => {
    const client = new pg.Client({ connectionString: url, application_name: name })
    await client.connect()
    t.teardown(() => client.end())
    return client
  }
  const [locker, counter] = [await connect('locker'), await connect('counter')]
  const backends = async (which = '') => {
    const { rows } = await counter.query(
      `SELECT count(*)::int AS n FROM pg_stat_activity WHERE datname = current_database()
          AND application_name NOT IN ('locker', 'counter') AND backend_type = 'client backend' ${which}`,
    )
    return rows[0].n as number
  }
  return { locker, counter, backends }
}

const ways = {
  'PostgreSQL itself': async (_: ExecutionContext, url: string) => url,
  'PgBouncer in transaction mode': async (t: ExecutionContext, url: string) =>
    (await startPgBouncer(t, url)).url,
}

for (const [name, way] of Object.entries(ways)) {
  test(`ASVS 15.2.2: a table is locked under load, ${name} → no more backends than the pool, and no late statements`, async (t) => {
    const direct = await copyTemplate(t)
    const database = await way(t, direct)
    const environment = { DATABASE_TIMEOUT_SECONDS: '1', DATABASE_PREPARED_STATEMENTS: 'false' }
    const patient = await startServer(t, { database: direct })
    const { tokens } = await enter(patient, ada.username, ada.password)
    await patient.stop()
    const beside = { beside: patient, database, environment, unthrottled: true }
    const server = await startServer(t, beside)
    const { locker, counter, backends } = await operator(t, direct)
    const me = () => accountApi(server, tokens.access_token).get('me')
    const register = (email: string) =>
      accountApi(server).post('register', { email, password: goodPassword })

    await locker.query('BEGIN; LOCK TABLE users IN ACCESS EXCLUSIVE MODE')
    let isOver = false
    const statuses = new Map<number, number>()
    const callers = Array.from({ length: 40 }, async (_, caller) => {
      for (let round = 0; !isOver; round += 1) {
        const answer = await (caller % 2 ? me() : register(`late-${caller}-${round}@example.org`))
        statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1)
      }
    })
    let most = 0
    for (const end = performance.now() + 6000; performance.now() < end; await sleep(20)) {
      most = Math.max(most, await backends())
    }
    isOver = true
    await Promise.all(callers)
    t.true(most <= poolSize, `${most} backends`)
    t.deepEqual([...statuses.keys()], [503], JSON.stringify([...statuses]))
    await eventually(async () => (await backends(`AND state = 'active'`)) === 0, 'all is cancelled')
    await locker.query('COMMIT')
    await eventually(async () => (await me()).status === 200, 'it goes on')
    const { rows } = await counter.query(
      `SELECT count(*)::int AS n FROM users WHERE email LIKE 'late-%'`,
    )
    t.is(rows[0].n, 0)
  })
}
