import type { AuditLog } from '../audit/audit-log.ts'
import { later, type Now } from '../clock.ts'
import type { Db } from '../stores/postgres.ts'

/** What was under way when a person was deleted is written by then: a transaction takes seconds. */
const settledSeconds = 60
const peopleAtOnce = 100

interface DeletedUser {
  readonly id: string
  readonly audit_cursor: string
}

/**
 * Erases what is left of people who were deleted: their sessions, and what the audit trail says about
 * them. How far it has come stands in the table, so another instance goes on after a crash.
 */
export const erasingUsers = (audit: AuditLog, now: Now) => ({
  name: 'deleted_users',
  async dueSince(db: Db): Promise<Date | null> {
    return (await db('deleted_users').min({ oldest: 'deleted_at' }))[0]?.oldest ?? null
  },
  async sweep(db: Db, limit: number): Promise<{ rows: number; done: boolean }> {
    const people: DeletedUser[] = await db('deleted_users')
      .where('deleted_at', '<', later(now(), -settledSeconds))
      .orderBy('deleted_at')
      .limit(peopleAtOnce)
    let rows = 0
    for (const person of people) {
      const { erased, finished } = await eraseSome(db, audit, person, limit)
      rows += erased
      if (!finished || rows >= limit) return { rows, done: false }
    }
    return { rows, done: people.length < peopleAtOnce }
  },
})

async function eraseSome(db: Db, audit: AuditLog, person: DeletedUser, limit: number) {
  const { id, audit_cursor: from } = person
  const { rowCount: sessions } = await db.raw(
    `DELETE FROM refresh_families WHERE sid = ANY (ARRAY(
       SELECT sid FROM refresh_families WHERE user_id = ? LIMIT ?))`,
    [id, limit],
  )
  const { seen, cursor } = await audit.erase(id, from, limit, db)
  const finished = sessions < limit && seen < limit
  const row = db('deleted_users').where({ id })
  await (finished ? row.delete() : row.update({ audit_cursor: cursor }))
  return { erased: sessions + seen, finished }
}
