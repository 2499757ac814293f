import type { Now } from '../clock.ts'
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
