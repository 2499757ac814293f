import type { Knex } from 'knex'
import { later } from '../clock.ts'
import { digestSecret } from '../oauth/opaque-token.ts'
import { inShardOf } from '../shard.ts'
import { type Statements, statement } from '../stores/statements.ts'
import { newDeviceParts, newDeviceValues, noticedColumns, type SignInOrigin } from './new-device.ts'
import type { SessionRow } from './session.ts'

export interface NewSession extends SignInOrigin {
  readonly user: { readonly id: string; readonly passwordChangedAt: Date }
  readonly clientId: string
  readonly scope: readonly string[]
  readonly audience: readonly string[]
  /** When and how the person signed in. */
  readonly authTime: Date
  readonly amr: readonly string[]
  readonly idleSeconds: number
  readonly absoluteSeconds: number
}

export function rowOf(request: NewSession, seed: Buffer, now: Date): SessionRow {
  return {
    sid: inShardOf(request.user.id),
    user_id: request.user.id,
    client_id: request.clientId,
    scope: [...request.scope],
    audience: [...request.audience],
    seed_digest: digestSecret(seed),
    browser_session_id: null,
    outlives_browser: false,
    acr: null,
    claims: null,
    generation: 0,
    auth_time: request.authTime,
    amr: [...request.amr],
    rotated_at: null,
    idle_expires_at: later(now, Math.min(request.idleSeconds, request.absoluteSeconds)),
    expires_at: later(now, request.absoluteSeconds),
    revoked_at: null,
    revoked_reason: null,
    ip: request.ip ?? null,
    user_agent: request.userAgent?.slice(0, 300) ?? null,
  }
}

/** A device that was known before its person said that a sign-in was not theirs takes the transaction. */
const isReset = 'COALESCE(users.devices_reset_at >= $16, false) AS is_reset'

/**
 * A sign-in in one round trip, with its audit event and the mail about a new device. It locks the rows of
 * person and client before it writes the session: a transaction that disables one of them or sets the
 * password either finds this session or prevents it. Live sessions are counted as of the start of the
 * statement, which is why it keeps a margin below the limit.
 */
const beginText = (isNewDevice: boolean): string => `
   WITH welcome AS MATERIALIZED (
     SELECT users.id AS user_id, clients.id AS client_id,
            ${isNewDevice ? noticedColumns : isReset} FROM users, clients
      WHERE users.id = $1 AND users.disabled_at IS NULL
        AND date_trunc('milliseconds', password_changed_at) = $2
        AND clients.id = $3 AND clients.disabled_at IS NULL
        FOR NO KEY UPDATE OF users FOR SHARE OF clients
   ), live AS (
     SELECT 1 FROM refresh_families
      WHERE user_id = $1 AND revoked_at IS NULL AND expires_at > $4 AND idle_expires_at > $4
      LIMIT $5
   ), begun AS (
     INSERT INTO refresh_families (sid, user_id, client_id, scope, audience, seed_digest, auth_time,
                                   amr, idle_expires_at, expires_at, ip, user_agent)
     SELECT $6, user_id, client_id, $7, $8, $9, $15, $10, $11, $12, $13, $14
       FROM welcome WHERE (SELECT count(*) FROM live) < $5 ${isNewDevice ? '' : 'AND NOT is_reset'}
     RETURNING user_id, client_id, sid, ip
   ), noted AS (
     INSERT INTO audit_events (at, event, user_id, client_id, sid, ip)
     SELECT $4, 'user.signed_in', user_id, client_id, sid, ip FROM begun
   ) ${isNewDevice ? `, ${newDeviceParts(placeholders)}` : ''}
   SELECT EXISTS (SELECT FROM welcome) AS welcome, EXISTS (SELECT FROM begun) AS begun,
          ${isNewDevice ? 'EXISTS (SELECT FROM mailed)' : 'false'} AS mailed`

const placeholders = {
  user: '$1',
  at: '$4',
  knownSince: '$16',
  origin: '$17',
  mail: '$18',
  data: '$19',
} as const

const onKnownDevice = statement('begin_session', beginText(false))
const onNewDevice = statement('begin_session_on_new_device', beginText(true))

/** Concurrent sign-ins that may not see each other; the next one ends the surplus. */
const margin = 20

/** As many live sessions are near the limit: from then on they are counted in a transaction. */
export const nearLimit = (sessionsPerUser: number): number => Math.max(0, sessionsPerUser - margin)

/**
 * The outcome: begun, also with a mail about the new device; `full` if sessions may have to end for this one,
 * which needs a transaction.
 */
export type Beginning = 'begun' | 'mailed' | 'unwelcome' | 'full'

export async function beginAtOnce(
  statements: Statements,
  row: SessionRow,
  request: NewSession,
  now: Date,
  sessionsPerUser: number,
): Promise<Beginning> {
  const limit = nearLimit(sessionsPerUser)
  if (limit === 0) return 'full'
  const { knownSince, origin, mail, data } = newDeviceValues(request)
  const values = [
    row.user_id,
    request.user.passwordChangedAt,
    row.client_id,
    now,
    limit,
    row.sid,
    row.scope,
    row.audience,
    row.seed_digest,
    row.amr,
    row.idle_expires_at,
    row.expires_at,
    row.ip,
    row.user_agent,
    row.auth_time,
    knownSince,
  ]
  const [found] =
    knownSince === null
      ? await statements.run<Found>(onNewDevice, [...values, origin, mail, data])
      : await statements.run<Found>(onKnownDevice, values)
  if (found?.begun) return found.mailed ? 'mailed' : 'begun'
  return found?.welcome ? 'full' : 'unwelcome'
}

interface Found {
  readonly welcome: boolean
  readonly begun: boolean
  readonly mailed: boolean
}

/** Takes the locks of the statement above in a transaction. */
export async function isWelcome(
  trx: Knex.Transaction,
  { user, clientId }: NewSession,
): Promise<boolean> {
  const { rows } = await trx.raw(
    `SELECT 1 FROM users, clients
      WHERE users.id = ? AND users.disabled_at IS NULL
        AND date_trunc('milliseconds', password_changed_at) = ?
        AND clients.id = ? AND clients.disabled_at IS NULL
        FOR NO KEY UPDATE OF users FOR SHARE OF clients`,
    [user.id, user.passwordChangedAt, clientId],
  )
  return rows.length > 0
}
