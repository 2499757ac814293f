import type { Knex } from 'knex'
import type { Actor } from '../audit/actor.ts'
import { adminRole, UserRefused } from './user.ts'

/**
 * Nobody locks the last administrator out. All rows of administrators are locked first, so that of
 * two who take each other's role at once the second sees what the first did. The command line may:
 * it is where the next administrator comes from, and a stolen account may be the last one.
 */
export async function keepingAnAdmin<T>(
  trx: Knex.Transaction,
  { actorId }: Actor,
  change: () => Promise<T>,
): Promise<T> {
  if (actorId === undefined) return change()
  const admins = () =>
    trx('users').whereRaw('? = ANY (roles)', [adminRole]).whereNull('disabled_at').orderBy('id')
  const before = await admins().forUpdate().pluck('id')
  const result = await change()
  if (before.length > 0 && (await admins().pluck('id')).length === 0) {
    throw new UserRefused('last_admin', 'This is the last administrator: make another one first.')
  }
  return result
}
