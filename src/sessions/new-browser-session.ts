import type { Knex } from 'knex'
import { later } from '../clock.ts'
import { inShardOf } from '../shard.ts'
import type { BrowserSessionRow } from './browser-session.ts'
import type { SignInOrigin } from './new-device.ts'

/** A person who has just authenticated in a browser. */
export interface NewBrowserSession extends SignInOrigin {
  /**
   * Chosen by the page that was shown, so that a form that is sent twice begins one session. The session
   * gets it with the shard number of the person.
   */
  readonly id: string
  readonly user: { readonly id: string; readonly passwordChangedAt: Date }
  readonly authTime: Date
  readonly amr: readonly string[]
  readonly acr: string
  /** The authorization request for which the person signed in. */
  readonly requestId: string | undefined
  readonly remembered: boolean
  readonly ip: string
  /** The cookie that the browser had: its session ends. */
  readonly replaces: string | undefined
}

interface Lifetimes {
  readonly idleSeconds: number
  readonly absoluteSeconds: number
}

export function rowOf(
  request: NewBrowserSession,
  at: Date,
  { idleSeconds, absoluteSeconds }: Lifetimes,
): BrowserSessionRow {
  return {
    id: inShardOf(request.user.id, request.id),
    user_id: request.user.id,
    version: 0,
    created_at: at,
    auth_time: request.authTime,
    amr: [...request.amr],
    acr: request.acr,
    authenticated_for: request.requestId ?? null,
    chosen_for: null,
    answered: [],
    remembered: request.remembered,
    idle_expires_at: later(at, Math.min(idleSeconds, absoluteSeconds)),
    expires_at: later(at, absoluteSeconds),
    revoked_at: null,
    revoked_reason: null,
    ip: request.ip,
    user_agent: request.userAgent?.slice(0, 300) ?? null,
  }
}

export async function insertOnce(
  trx: Knex.Transaction,
  row: BrowserSessionRow,
): Promise<BrowserSessionRow | undefined> {
  const [inserted]: BrowserSessionRow[] = await trx('browser_sessions')
    .insert(row)
    .onConflict('id')
    .ignore()
    .returning('*')
  return inserted
}

/** Locks the person, unless they were disabled or their password was set since they were checked. */
export async function lockWelcome(
  trx: Knex.Transaction,
  user: NewBrowserSession['user'],
): Promise<WelcomeRow | undefined> {
  const { rows } = await trx.raw<{ rows: WelcomeRow[] }>(
    `SELECT id, devices_reset_at AS "resetAt" FROM users
      WHERE id = ? AND disabled_at IS NULL AND date_trunc('milliseconds', password_changed_at) = ?
        FOR NO KEY UPDATE`,
    [user.id, user.passwordChangedAt],
  )
  return rows[0]
}

interface WelcomeRow {
  readonly id: string
  /** Devices that were known before are new. */
  readonly resetAt: Date | null
}
