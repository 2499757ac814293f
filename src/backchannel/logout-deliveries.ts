import type { Knex } from 'knex'
import { later, type Now, secondsBetween } from '../clock.ts'
import type { ExpiringRows } from '../stores/delete-expired.ts'

/** A session of a client that has ended. */
interface EndedSession {
  readonly sid: string
  readonly user_id: string
  readonly client_id: string
}

/** A notification that this instance has claimed: OpenID Connect Back-Channel Logout 1.0. */
export interface ClaimedLogout {
  /** Also the `jti` of its tokens, so that a client can drop the second copy. */
  readonly id: string
  readonly clientId: string
  readonly sid: string
  readonly subject: string
  readonly uri: string
  /** Including this attempt. */
  readonly attempts: number
}

interface Backlog {
  readonly waiting: number
  readonly oldestSeconds: number
  readonly givenUp: number
}

const delays = [5, 30, 120, 600, 1800, 3600, 7200, 14_400, 21_600]

/** Seconds until the next attempt: five at first, six hours in the end. */
export const delaySeconds = (attempts: number): number =>
  delays[Math.min(attempts, delays.length) - 1] ?? 0

/** Notifications are given up after three days. */
export const giveUpSeconds = 3 * 86_400

/** Longer than an attempt can take, so that no other sender starts one meanwhile. */
const leaseSeconds = 30

const isFinished = '(delivered_at IS NOT NULL OR given_up_at IS NOT NULL)'

/** Notifications that were delivered or given up. */
export const finishedLogouts: ExpiringRows = {
  table: 'logout_deliveries',
  columns: ['created_at'],
  where: isFinished,
}

/** The table `logout_deliveries`: who is to be told that a session has ended. */
export class LogoutDeliveries {
  readonly #db: Knex
  readonly #now: Now
  #committed: () => void = () => undefined

  constructor(db: Knex, now: Now) {
    this.#db = db
    this.#now = now
  }

  /** Sets the one listener that is called after each commit with a notification in it. */
  whenCommitted(listener: () => void): void {
    this.#committed = listener
  }

  /** Stores a notification for each session whose client wants one, in the transaction that ends it. */
  async put(trx: Knex.Transaction, ended: readonly EndedSession[]): Promise<void> {
    if (ended.length === 0) return
    const { rowCount } = await trx.raw<{ rowCount: number }>(
      `INSERT INTO logout_deliveries (id, client_id, sid, subject, created_at, next_attempt_at)
       SELECT gen_random_uuid(), clients.id, ended.sid, ended.subject, ?, ?
         FROM unnest(?::text[], ?::uuid[], ?::uuid[]) AS ended (client_id, sid, subject)
         JOIN clients ON clients.id = ended.client_id AND backchannel_logout_uri IS NOT NULL
                     AND disabled_at IS NULL`,
      [
        this.#now(),
        this.#now(),
        ended.map((one) => one.client_id),
        ended.map((one) => one.sid),
        ended.map((one) => one.user_id),
      ],
    )
    if (rowCount === 0) return
    trx.executionPromise.then(
      () => this.#committed(),
      () => undefined,
    )
  }

  /**
   * Claims the notification that has been due longest, and counts the attempt before it begins. One whose
   * client has no URI any more is given up.
   */
  async claim(): Promise<ClaimedLogout | undefined> {
    const now = this.#now()
    const { rows } = await this.#db.raw(
      `WITH due AS (
         SELECT id FROM logout_deliveries
          WHERE next_attempt_at <= ? AND delivered_at IS NULL AND given_up_at IS NULL
          ORDER BY next_attempt_at LIMIT 1 FOR UPDATE SKIP LOCKED
       ), claimed AS (
         UPDATE logout_deliveries AS delivery SET attempts = attempts + 1, next_attempt_at = ?
           FROM due WHERE delivery.id = due.id
         RETURNING delivery.*
       )
       SELECT claimed.*, backchannel_logout_uri AS uri
         FROM claimed LEFT JOIN clients ON clients.id = client_id AND disabled_at IS NULL`,
      [now, later(now, leaseSeconds)],
    )
    const [row] = rows
    return (
      row && {
        id: row.id,
        clientId: row.client_id,
        sid: row.sid,
        subject: row.subject,
        uri: row.uri ?? '',
        attempts: row.attempts,
      }
    )
  }

  async delivered({ id }: ClaimedLogout): Promise<void> {
    await this.#db('logout_deliveries')
      .where({ id })
      .update({ delivered_at: this.#now(), last_error: null })
  }

  /** Tries again later, or gives up after three days. */
  async failed({ id, attempts }: ClaimedLogout, reason: string, isFinal: boolean): Promise<void> {
    const now = this.#now()
    const oldest = later(now, -giveUpSeconds)
    await this.#db('logout_deliveries')
      .where({ id, attempts, delivered_at: null })
      .update({
        last_error: reason,
        next_attempt_at: later(now, delaySeconds(attempts)),
        given_up_at: isFinal
          ? now
          : this.#db.raw('CASE WHEN created_at < ? THEN ?::timestamptz END', [oldest, now]),
      })
  }

  async backlog(): Promise<Backlog> {
    const { rows } = await this.#db.raw(
      `SELECT count(*) FILTER (WHERE NOT ${isFinished}) AS waiting,
              min(created_at) FILTER (WHERE NOT ${isFinished}) AS oldest,
              count(*) FILTER (WHERE given_up_at IS NOT NULL) AS given_up
         FROM logout_deliveries`,
    )
    const [{ waiting, oldest, given_up: givenUp }] = rows
    const oldestSeconds = oldest ? Math.max(0, secondsBetween(oldest, this.#now())) : 0
    return { waiting: Number(waiting), oldestSeconds, givenUp: Number(givenUp) }
  }
}
