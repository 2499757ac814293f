import { importPeople, type RefusedLine } from '../../../src/users/transfer.ts'
import { testEnvironment } from '../../../tools/fixtures.ts'
import type { TestServer } from '../server/start-server.ts'

/** Brings people in as `users import` does; what is refused comes back. */
export async function bringIn(
  { db, services, clock }: TestServer,
  people: readonly object[],
): Promise<RefusedLine[]> {
  async function* lines() {
    for (const [index, person] of people.entries()) {
      yield { number: index + 1, text: JSON.stringify(person) }
    }
  }
  const own = {
    memoryKib: Number(testEnvironment.ARGON2_MEMORY_KIB),
    passes: Number(testEnvironment.ARGON2_TIME_COST),
    lanes: 1,
  }
  const refused: RefusedLine[] = []
  const runtime = { db, audit: services.audit, now: clock.now, own }
  for await (const batch of importPeople(runtime, lines())) refused.push(...batch.refused)
  return refused
}
