import { later } from '../clock.ts'
import type { Db } from '../stores/postgres.ts'

/** Deletes sessions that expired or ended before then, up to `limit` of each, oldest first. */
export async function pruneSessions(before: Date, limit: number, db: Db): Promise<number> {
  const { rowCount } = await db.raw(
    `DELETE FROM refresh_families WHERE sid = ANY (ARRAY(
       (SELECT sid FROM refresh_families WHERE expires_at < ? ORDER BY expires_at LIMIT ?)
        UNION
       (SELECT sid FROM refresh_families WHERE revoked_at < ? ORDER BY revoked_at LIMIT ?)))`,
    [before, limit, before, limit],
  )
  return rowCount
}

/**
 * Deletes sessions that were idle for too long, or whose person or client the release before deleted, which
 * relied on a cascade and notes nothing in `deleted_users` or `deleted_clients`. It looks at the next `limit` rows after `cursor`, in the order of
 * their ids: every refresh changes the idle expiry, and an index on it would make each of them write
 * to all indexes. So the table is walked.
 * @returns where to go on; at the end of the table nowhere
 */
export async function sweepIdleSessions(
  db: Db,
  now: Date,
  keepSeconds: number,
  cursor: string | null,
  limit: number,
): Promise<{ rows: number; cursor: string | null; done: boolean }> {
  const { rows } = await db.raw(
    `WITH walked AS MATERIALIZED (
       SELECT sid FROM refresh_families WHERE sid > ? ORDER BY sid LIMIT ?
     ), deleted AS (
       DELETE FROM refresh_families
        WHERE sid = ANY (ARRAY(SELECT sid FROM walked)) AND (idle_expires_at < ?
              OR (SELECT id FROM users WHERE users.id = refresh_families.user_id) IS NULL
              OR (SELECT id FROM clients WHERE clients.id = refresh_families.client_id) IS NULL)
        RETURNING 1
     )
     SELECT (SELECT count(*) FROM walked) AS walked,
            (SELECT max(sid::text) FROM walked) AS last,
            (SELECT count(*) FROM deleted) AS deleted`,
    [cursor ?? '00000000-0000-0000-0000-000000000000', limit, later(now, -keepSeconds)],
  )
  const { walked, last, deleted } = rows[0]
  const done = Number(walked) < limit
  return { rows: Number(deleted), cursor: done ? null : last, done }
}
