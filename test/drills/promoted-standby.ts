import { setTimeout as sleep } from 'node:timers/promises'
import { endedSessions, Families, signInMany } from './families.ts'
import { type Place, startInstances } from './instances.ts'
import { startReplicatedPostgres } from './replicated-postgres.ts'

const familyCount = 60
const behindSeconds = 4

/** An asynchronous standby is some seconds behind when the primary dies, and takes its place. */
export async function promotedStandby(place: Place): Promise<string> {
  const postgres = await startReplicatedPostgres(`${place.folder}/promoted`, place.closing)
  const { primary, standby, replication, entrance } = postgres
  const instances = await startInstances(place, postgres.url, [{}, {}])
  const families = new Families(instances, await signInMany(postgres.url, instances, familyCount))
  families.start()
  await families.refreshed(2)

  replication.weather = 'refuse'
  replication.cut()
  await sleep(behindSeconds * 1000)
  entrance.weather = 'refuse'
  await primary.crash()
  entrance.cut()
  await standby.query('SELECT pg_promote()')
  entrance.leadTo(standby.port)
  entrance.weather = 'fine'

  await families.refreshed(3)
  await families.stop()
  const ended = await endedSessions(postgres.url)
  const { lost, summary } = families
  if (lost > 0 || ended) throw new Error(`families lost: ${lost} (${ended}); answers: ${summary}`)
  return `families lost: 0 of ${familyCount}; ${behindSeconds} s of the database lost; answers: ${summary}`
}
