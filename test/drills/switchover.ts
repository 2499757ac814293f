import pg from 'pg'
import { eventually } from '../../tools/eventually.ts'
import { startPgBouncer } from '../support/stores/pgbouncer.ts'
import { type Cost, costOf, Families, signInMany } from './families.ts'
import { type Place, startInstances } from './instances.ts'
import { startReplicatedPostgres } from './replicated-postgres.ts'

const familyCount = 60

/** The steps of docs/failover.md for a planned change of the primary. */
export async function switchover(place: Place): Promise<Cost> {
  const postgres = await startReplicatedPostgres(`${place.folder}/switchover`, place.closing)
  const { primary, standby, entrance } = postgres
  const bouncer = await startPgBouncer(place.closing.test, postgres.url)
  const environment = { DATABASE_PREPARED_STATEMENTS: 'false' }
  const instances = await startInstances(place, bouncer.url, [environment, environment])
  const families = new Families(instances, await signInMany(postgres.url, instances, familyCount))
  families.start()
  await families.refreshed(2)

  await primary.query('CHECKPOINT')
  await pgBouncerCommand(bouncer.url, 'PAUSE')
  const [end] = await primary.query('SELECT pg_current_wal_lsn() AS lsn')
  await eventually(async () => {
    const [row] = await standby.query(
      `SELECT pg_last_wal_replay_lsn() >= '${end?.lsn}' AS is_complete`,
    )
    return row?.is_complete === true
  }, 'the standby has everything')
  await primary.crash()
  await standby.query('SELECT pg_promote()')
  entrance.leadTo(standby.port)
  await pgBouncerCommand(bouncer.url, 'RESUME')

  await families.refreshed(3)
  return costOf(families, postgres.url)
}

/** At the console of PgBouncer, which knows simple statements only. */
export async function pgBouncerCommand(url: string, sql: string): Promise<void> {
  const console = new pg.Client(Object.assign(new URL(url), { pathname: '/pgbouncer' }).href)
  await console.connect()
  await console.query(sql)
  await console.end()
}
