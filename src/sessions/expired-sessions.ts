import type { Knex } from 'knex'
import type { LogoutDeliveries } from '../backchannel/logout-deliveries.ts'
import { later, type Now } from '../clock.ts'
import { deleteExpired, type ExpiringRows, oldestExpiry } from '../stores/delete-expired.ts'
import type { Db } from '../stores/postgres.ts'

interface Dependencies {
  readonly logoutDeliveries: LogoutDeliveries
  readonly now: Now
  /** How long a row is kept after its end: until the last access token has expired. */
  readonly keepSeconds: number
}

interface Deleted {
  readonly sid: string
  readonly user_id: string
  readonly client_id: string
  readonly is_news: boolean
}

const table = 'refresh_families'
const both: ExpiringRows = { table, columns: ['expires_at', 'revoked_at'] }
const ended: ExpiringRows = { table, columns: ['revoked_at'] }

/**
 * Live rows ended because time has passed, so no client was told. A session without a browser notifies none,
 * however it ends.
 */
const unannounced =
  'sid, user_id, client_id, revoked_at IS NULL AND browser_session_id IS NOT NULL AS is_news'

/**
 * Deletes sessions that ended or reached their absolute limit. Clients are notified of the latter in the
 * same transaction: OpenID Connect Back-Channel Logout 1.0.
 */
export const expiredSessions = ({ logoutDeliveries, now, keepSeconds }: Dependencies) => ({
  name: 'sessions',
  async dueSince(db: Db): Promise<Date | null> {
    const oldest = await oldestExpiry(db, both)
    const due = oldest && later(oldest, keepSeconds)
    return due && due < now() ? due : null
  },
  async sweep(trx: Knex.Transaction, limit: number): Promise<{ rows: number; done: boolean }> {
    const before = later(now(), -keepSeconds)
    const endedCount = await deleteExpired(trx, ended, before, limit)
    const { rows: expired } = await trx.raw<{ rows: Deleted[] }>(
      `DELETE FROM ${table} WHERE ctid = ANY (ARRAY(
         SELECT ctid FROM ${table} WHERE expires_at < ? ORDER BY expires_at LIMIT ?))
       RETURNING ${unannounced}`,
      [before, limit],
    )
    await announce(trx, logoutDeliveries, expired)
    return { rows: endedCount + expired.length, done: endedCount < limit && expired.length < limit }
  },
})

/**
 * Deletes sessions that were idle for too long, and notifies their clients, or whose person or client the
 * previous release deleted: it relied on a cascade and records nothing in `deleted_users` or
 * `deleted_clients`. It looks at the next `limit` rows after a cursor in the order of their ids. There is no
 * index on the idle expiry, because every refresh changes it and would have to write to all indexes.
 */
export const idleSessions = ({ logoutDeliveries, now, keepSeconds }: Dependencies) => ({
  name: 'idle_sessions',
  async sweep(
    trx: Knex.Transaction,
    limit: number,
    cursor: string | null,
  ): Promise<{ rows: number; cursor: string | null; done: boolean }> {
    const { rows } = await trx.raw(
      `WITH walked AS MATERIALIZED (
         SELECT sid FROM refresh_families WHERE sid > ? ORDER BY sid LIMIT ?
       ), deleted AS (
         DELETE FROM refresh_families
          WHERE sid = ANY (ARRAY(SELECT sid FROM walked)) AND (idle_expires_at < ?
                OR (SELECT id FROM users WHERE users.id = refresh_families.user_id) IS NULL
                OR (SELECT id FROM clients WHERE clients.id = refresh_families.client_id) IS NULL)
          RETURNING ${unannounced}
       )
       SELECT (SELECT count(*) FROM walked) AS walked,
              (SELECT max(sid::text) FROM walked) AS last,
              (SELECT coalesce(json_agg(deleted), '[]') FROM deleted) AS deleted`,
      [cursor ?? '00000000-0000-0000-0000-000000000000', limit, later(now(), -keepSeconds)],
    )
    const { walked, last, deleted } = rows[0]
    await announce(trx, logoutDeliveries, deleted)
    const done = Number(walked) < limit
    return { rows: deleted.length, cursor: done ? null : last, done }
  },
})

const announce = (
  trx: Knex.Transaction,
  logoutDeliveries: LogoutDeliveries,
  deleted: readonly Deleted[],
): Promise<void> =>
  logoutDeliveries.put(
    trx,
    deleted.filter(({ is_news }) => is_news),
  )
