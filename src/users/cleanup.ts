import type { AuditLog } from '../audit/audit-log.ts'
import { later, type Now } from '../clock.ts'
import { deleteSessionsOf } from '../sessions/ended-sessions.ts'
import type { Db } from '../stores/postgres.ts'
import type { UserAdministration } from './administration.ts'
import { adminRole, UserError, type UserRow } from './user.ts'

/** Transactions that were open when a person was deleted have ended by then. */
const settledSeconds = 60
const deletedPerRun = 100

interface DeletedUser {
  readonly id: string
  readonly audit_cursor: string
}

/**
 * Erases the remains of deleted people: their sessions, and what the audit trail says about them. The
 * table keeps the progress, so that another instance continues after a crash.
 */
export const eraseDeletedUsers = (audit: AuditLog, now: Now) => ({
  name: 'deleted_users',
  async dueSince(db: Db): Promise<Date | null> {
    return (await db('deleted_users').min({ oldest: 'deleted_at' }))[0]?.oldest ?? null
  },
  async sweep(db: Db, limit: number): Promise<{ rows: number; done: boolean }> {
    const people: DeletedUser[] = await db('deleted_users')
      .where('deleted_at', '<', later(now(), -settledSeconds))
      .orderBy('deleted_at')
      .limit(deletedPerRun)
    let rows = 0
    for (const person of people) {
      const { erased, finished } = await eraseSome(db, audit, person, limit)
      rows += erased
      if (!finished || rows >= limit) return { rows, done: false }
    }
    return { rows, done: people.length < deletedPerRun }
  },
})

async function eraseSome(db: Db, audit: AuditLog, person: DeletedUser, limit: number) {
  const { id, audit_cursor: from } = person
  const sessions = await deleteSessionsOf(db, id, limit)
  const { seen, cursor } = await audit.erase(id, from, limit, db)
  const finished = sessions < limit && seen < limit
  const row = db('deleted_users').where({ id })
  await (finished ? row.delete() : row.update({ audit_cursor: cursor }))
  return { erased: sessions + seen, finished }
}

/** Each is a transaction of its own, which also ends their sessions. */
const unverifiedPerRun = 50

/**
 * Deletes people who have not verified their address in time, so that nobody occupies a name or the
 * address of somebody else for ever.
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
    .limit(unverifiedPerRun)
    .pluck('id')
  let rows = 0
  for (const id of due) {
    try {
      await administration.delete(id, {}, isUnverified)
      rows += 1
    } catch (error) {
      // The person verified their address or deleted their account at this moment.
      if (!(error instanceof UserError)) throw error
    }
  }
  return { rows, done: due.length < unverifiedPerRun }
}

const isUnverified = (row: UserRow): boolean => row.email_verified_at === null
