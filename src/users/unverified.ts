import type { Db } from '../stores/postgres.ts'
import type { UserAdministration } from './administration.ts'
import { adminRole, UserError, type UserRow } from './user.ts'

/** Each is a transaction of its own, in which their sessions end as well. */
const peopleAtOnce = 50

/**
 * Deletes people who registered and let the time to verify their address pass, so that nobody keeps a
 * name or the address of somebody else for ever.
 */
export async function deleteUnverified(
  db: Db,
  administration: UserAdministration,
  now: Date,
): Promise<{ rows: number; done: boolean }> {
  const due: string[] = await db('users')
    .where('verify_by', '<', now)
    .whereNull('email_verified_at')
    .whereRaw('NOT (? = ANY (roles))', [adminRole])
    .orderBy('verify_by')
    .limit(peopleAtOnce)
    .pluck('id')
  let rows = 0
  for (const id of due) {
    try {
      await administration.delete(id, {}, isUnverified)
      rows += 1
    } catch (error) {
      // They have verified their address, or deleted themselves, in this moment.
      if (!(error instanceof UserError)) throw error
    }
  }
  return { rows, done: due.length < peopleAtOnce }
}

const isUnverified = (row: UserRow): boolean => row.email_verified_at === null
