import { setTimeout as sleep } from 'node:timers/promises'
import { endedSessions, Families, signInMany } from './families.ts'
import { type Place, startInstances } from './instances.ts'
import { startReplicatedPostgres } from './replicated-postgres.ts'

const familyCount = 60
const pausedSeconds = 20

/** An instance stands still, as in a paused virtual machine, and then reads what lay in its sockets. */
export async function pausedInstance(place: Place): Promise<string> {
  const postgres = await startReplicatedPostgres(`${place.folder}/paused`, place.closing)
  const instances = await startInstances(place, postgres.url, [{}, {}])
  const families = new Families(instances, await signInMany(postgres.url, instances, familyCount))
  families.start()
  await families.refreshed(2)

  const [paused] = instances
  paused?.signal('SIGSTOP')
  await sleep(pausedSeconds * 1000)
  paused?.signal('SIGCONT')

  await families.refreshed(4)
  await families.stop()
  const ended = await endedSessions(postgres.url)
  const { lost, summary } = families
  if (lost > 0 || ended) throw new Error(`families lost: ${lost} (${ended}); answers: ${summary}`)
  return `families lost: 0 of ${familyCount}; answers: ${summary}`
}
