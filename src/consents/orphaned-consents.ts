import type { Db } from '../stores/postgres.ts'

/** Before every id, so that the first batch begins at the first row. */
const start = '00000000-0000-0000-0000-000000000000 '

/**
 * Deletes consents of people and clients that were deleted, and those for an earlier client of the same id.
 * They count for nothing already. It looks at the next `limit` rows after `cursor`, in the order of the key:
 * nothing else says which consents a deletion has left behind.
 */
export const orphanedConsents = {
  name: 'consents',
  needsClock: false,
  async sweep(db: Db, limit: number, cursor: string | null) {
    const [, userId = '', clientId = ''] = /^(\S+) (.*)$/.exec(cursor ?? start) ?? []
    const { rows } = await db.raw(
      `WITH walked AS MATERIALIZED (
         SELECT user_id, client_id FROM consents WHERE (user_id, client_id) > (?::uuid, ?)
          ORDER BY user_id, client_id LIMIT ?
       ), deleted AS (
         DELETE FROM consents USING walked
          WHERE consents.user_id = walked.user_id AND consents.client_id = walked.client_id
            AND (NOT EXISTS (SELECT FROM users WHERE users.id = consents.user_id)
                 OR NOT EXISTS (SELECT FROM clients WHERE clients.id = consents.client_id
                                   AND clients.created_at <= consents.granted_at))
         RETURNING 1
       )
       SELECT (SELECT count(*) FROM walked) AS walked, (SELECT count(*) FROM deleted) AS deleted,
              (SELECT user_id || ' ' || client_id FROM walked
                ORDER BY user_id DESC, client_id DESC LIMIT 1) AS last`,
      [userId, clientId, limit],
    )
    const { walked, deleted, last } = rows[0]
    const done = Number(walked) < limit
    return { rows: Number(deleted), cursor: done ? null : String(last), done }
  },
}
