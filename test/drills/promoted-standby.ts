import { setTimeout as sleep } from 'node:timers/promises'
import { type Cost, costOf, Families, signInMany } from './families.ts'
import { type Place, startInstances } from './instances.ts'
import { startReplicatedPostgres } from './replicated-postgres.ts'

const familyCount = 60

/** An asynchronous standby is so many seconds behind when the primary dies, and takes its place. */
export async function promotedStandby(place: Place, behindSeconds: number): Promise<Cost> {
  const postgres = await startReplicatedPostgres(
    `${place.folder}/promoted-${behindSeconds}`,
    place.closing,
  )
  const { primary, standby, replication, entrance } = postgres
  const instances = await startInstances(place, postgres.url, [{}, {}])
  const families = new Families(instances, await signInMany(postgres.url, instances, familyCount))
  families.start()
  await families.refreshed(2)

  if (behindSeconds > 0) {
    replication.weather = 'refuse'
    replication.cut()
    await sleep(behindSeconds * 1000)
  }
  entrance.weather = 'refuse'
  await primary.crash()
  entrance.cut()
  await standby.query('SELECT pg_promote()')
  entrance.leadTo(standby.port)
  entrance.weather = 'fine'

  await families.refreshed(3)
  return costOf(families, postgres.url)
}
