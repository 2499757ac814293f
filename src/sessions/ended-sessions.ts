import { later, type Now } from '../clock.ts'
import type { ExpiringRows } from '../stores/delete-expired.ts'
import type { Db } from '../stores/postgres.ts'

/** Sessions that end in one statement; the janitor ends the rest, as many at a time. */
const sessionsAtOnce = 1000

/**
 * Ends sessions of a client, at most `sessionsAtOnce`, without waiting for those that are being
 * refreshed. It revokes none by itself: the revocation of the client covers all of their access tokens.
 */
export async function endSomeOfClient(
  db: Db,
  clientId: string,
  now: Date,
): Promise<{ sessions: number; more: boolean }> {
  const { rowCount: sessions } = await db.raw(
    `UPDATE refresh_families SET revoked_at = ?, revoked_reason = 'client_disabled'
      WHERE revoked_at IS NULL AND sid = ANY (ARRAY(
        SELECT sid FROM refresh_families AS live WHERE ${liveOf('?')} LIMIT ?
           FOR NO KEY UPDATE SKIP LOCKED))`,
    [now, clientId, clientId, sessionsAtOnce],
  )
  const { rows } = await db.raw(`SELECT ${hasLive('?')} AS more`, [clientId, clientId])
  return { sessions, more: rows[0].more }
}

/**
 * Ends sessions of clients that are disabled or deleted. They are refused already, because a refresh
 * checks the client. When none is left, the id of a deleted client may be given to another one.
 */
export const endingClients = (now: Now) => ({
  name: 'client_sessions',
  needsClock: false,
  async dueSince(db: Db): Promise<Date | null> {
    const { rows } = await db.raw(
      `SELECT min(ended_at) AS oldest FROM ${endedClients} WHERE ${hasLive('ended.id')}`,
    )
    return rows[0].oldest
  },
  async sweep(db: Db, limit: number): Promise<{ rows: number; done: boolean }> {
    const { rowCount: rows } = await db.raw(
      `UPDATE refresh_families SET revoked_at = ?, revoked_reason = 'client_disabled'
        WHERE revoked_at IS NULL AND sid = ANY (ARRAY(
          SELECT family.sid FROM ${endedClients} CROSS JOIN LATERAL (
                 SELECT sid FROM refresh_families AS live WHERE ${liveOf('ended.id')} LIMIT ?
                    FOR NO KEY UPDATE SKIP LOCKED) AS family
           LIMIT ?))`,
      [now(), limit, limit],
    )
    const done = rows < limit
    if (done) {
      await db.raw(
        `DELETE FROM deleted_clients AS ended WHERE ${isEnabled} OR NOT ${hasLive('ended.id')}`,
      )
    }
    return { rows, done }
  },
})

/** The previous release reuses the id of a deleted client without waiting: the new client keeps its sessions. */
const isEnabled = `EXISTS (SELECT FROM clients WHERE clients.id = ended.id AND clients.disabled_at IS NULL)`

const endedClients = `(SELECT id, disabled_at AS ended_at FROM clients WHERE disabled_at IS NOT NULL
                       UNION ALL
                       SELECT id, deleted_at FROM deleted_clients AS ended WHERE NOT ${isEnabled}) AS ended`

/**
 * In SQL, the live sessions of a client, in the order of an index. With `=` and without an order
 * PostgreSQL would read the whole table if nearly all sessions belong to one client.
 */
const liveOf = (clientId: string): string =>
  `live.client_id BETWEEN ${clientId} AND ${clientId} AND live.revoked_at IS NULL ORDER BY live.client_id`

/** In SQL, whether a client has a live session. */
export const hasLive = (clientId: string): string =>
  `((SELECT live.sid FROM refresh_families AS live WHERE ${liveOf(clientId)} LIMIT 1) IS NOT NULL)`

/** Sessions that expired or ended. */
export const endedSessions: ExpiringRows = {
  table: 'refresh_families',
  columns: ['expires_at', 'revoked_at'],
}

/**
 * Deletes sessions that were idle for too long, or whose person or client the previous release deleted:
 * it relied on a cascade and records nothing in `deleted_users` or `deleted_clients`. It looks at the
 * next `limit` rows after `cursor` in the order of their ids. There is no index on the idle expiry,
 * because every refresh changes it and would have to write to all indexes.
 * @returns where to go on; null at the end of the table
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

/**
 * Deletes sessions of a deleted person, in browsers and of clients, live or not.
 * @returns how many, at most `limit` of each
 */
export async function deleteSessionsOf(db: Db, userId: string, limit: number): Promise<number> {
  const { rowCount: sessions } = await db.raw(
    `DELETE FROM refresh_families WHERE sid = ANY (ARRAY(
       SELECT sid FROM refresh_families WHERE user_id = ? LIMIT ?))`,
    [userId, limit],
  )
  const { rowCount: browsers } = await db.raw(
    `DELETE FROM browser_sessions WHERE id = ANY (ARRAY(
       SELECT id FROM browser_sessions WHERE user_id = ? LIMIT ?))`,
    [userId, limit],
  )
  return Math.max(sessions, browsers)
}
