import type { Knex } from 'knex'
import type { Actor } from '../audit/audit-log.ts'
import { adminRole, UserError, type UserRow } from './user.ts'

/** Any number that no other program on this database is likely to lock. */
const adminsLock = 7_468_387

/**
 * The last administrator stays one. Called when an administrator, whose row this transaction has locked, is
 * about to be demoted, disabled or deleted: one such transaction at a time looks for another administrator,
 * so that of two who take each other's role at once the second sees what the first did. The command line
 * may: it is where the next administrator comes from, and a stolen account may be the last one.
 * @throws UserRefused `last_admin`
 */
export async function assertAdminRemains(
  trx: Knex.Transaction,
  { actorId }: Actor,
  leaving: UserRow,
): Promise<void> {
  if (actorId === undefined || !isAdmin(leaving)) return
  await trx.raw('SELECT pg_advisory_xact_lock(?)', [adminsLock])
  const other = await trx('users')
    .whereRaw(`roles @> ARRAY[?] AND roles <> '{}'`, [adminRole])
    .whereNull('disabled_at')
    .whereNot({ id: leaving.id })
    .first('id')
  if (other) return
  throw new UserError('last_admin', 'This is the last administrator: make another one first.')
}

const isAdmin = ({ roles, disabled_at }: UserRow): boolean =>
  disabled_at === null && roles.includes(adminRole)
