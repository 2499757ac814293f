import type { Knex } from 'knex'
import type { Revocation, RevocationLog } from './revocation-log.ts'

interface Dependencies {
  readonly db: Knex
  readonly log: RevocationLog
  /** Part of the transaction: ends what these revocations had ended. */
  readonly end: (trx: Knex.Transaction, revocations: readonly Revocation[]) => Promise<void>
}

/**
 * Writes to the log again what it has forgotten and Redis still holds: revocations of the seconds that
 * a failover or a restore has lost (ADR 26). Each keeps its expiry. Done twice, it changes nothing.
 * @returns how many came back
 */
export async function recover(
  { db, log, end }: Dependencies,
  held: AsyncIterable<readonly Revocation[]>,
): Promise<number> {
  let sum = 0
  for await (const page of held) {
    const lost = await log.lackedOf(page)
    if (lost.length === 0) continue
    await db.transaction(async (trx) => {
      await log.append(trx, lost, { areRecovered: true })
      await end(trx, lost)
    })
    sum += lost.length
  }
  return sum
}
