import { setTimeout as sleep } from 'node:timers/promises'
import { signet } from '../support/server/signet.ts'
import { type Cost, costOf, Families, signInMany } from './families.ts'
import { environmentOf, type Place, startInstances } from './instances.ts'
import { query, startReplicatedPostgres } from './replicated-postgres.ts'

const familyCount = 60
const hangingSeconds = 45
const poolSize = 10
/** The connections of the drill itself, of the walsender, and of statements that cancel others. */
const others = 6

/** Commits wait for a synchronous standby that does not answer, longer than any grace. */
export async function hangingStandby(place: Place): Promise<Cost> {
  const postgres = await startReplicatedPostgres(`${place.folder}/hanging`, place.closing)
  const { primary, replication } = postgres
  const environment = { DATABASE_POOL_SIZE: String(poolSize) }
  const instances = await startInstances(place, postgres.url, [environment, environment])
  const families = new Families(instances, await signInMany(postgres.url, instances, familyCount))
  await primary.query(`ALTER SYSTEM SET synchronous_standby_names = '*'`)
  await primary.query(`ALTER SYSTEM SET synchronous_commit = 'remote_apply'`)
  await primary.query('SELECT pg_reload_conf()')
  families.start()
  await families.refreshed(2)

  replication.weather = 'hang'
  const [mostBackends] = await Promise.all([
    watchBackends(primary.url, hangingSeconds),
    assertDoctorSees(place, postgres.url),
  ])
  replication.weather = 'fine'
  replication.cut()

  await families.refreshed(3)
  const cost = await costOf(families, postgres.url)
  const bound = instances.length * poolSize + others
  if (mostBackends > bound) {
    throw new Error(`${mostBackends} backends of PostgreSQL were in use, at most ${bound} may be`)
  }
  return { ...cost, answers: `${cost.answers}; at most ${mostBackends} connections in use` }
}

/** The doctor says why no commit is answered, while they are not. */
async function assertDoctorSees({ folder }: Place, databaseUrl: string): Promise<void> {
  const options = { cwd: folder, env: environmentOf(databaseUrl) }
  const { json, stderr } = await signet(['doctor', '--deep', '--json'], options)
  const findings: { check: string; message: string }[] = json().findings
  const commit = findings.find(({ check }) => check === 'commit')
  if (!commit?.message.includes('gets no answer; synchronous_standby_names is')) {
    throw new Error(`the doctor does not see it: ${JSON.stringify(findings)} ${stderr}`)
  }
}

async function watchBackends(url: string, seconds: number): Promise<number> {
  let most = 0
  const deadline = performance.now() + seconds * 1000
  while (performance.now() < deadline) {
    const sql = `SELECT count(*)::int AS count FROM pg_stat_activity WHERE backend_type = 'client backend'`
    const [row] = await query(url, sql)
    most = Math.max(most, Number(row?.count))
    await sleep(1000)
  }
  return most
}
