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
  /** Undefined if its client was disabled or deleted, or wants no notifications any more. */
  readonly uri: string | undefined
  /** Including this attempt. */
  readonly attempts: number
  /** How often the client has answered that the token is wrong. */
  readonly refusals: number
}

export interface LogoutBacklog {
  /** Notifications neither delivered nor given up. */
  readonly waiting: number
  readonly oldestSeconds: number
}

const delays = [5, 30, 120, 600, 1800, 3600, 7200, 14_400, 21_600]

/** Seconds until the next attempt: five at first, six hours in the end. */
const delaySeconds = (attempts: number): number =>
  delays[Math.min(attempts, delays.length) - 1] ?? 0

/** Notifications are given up after three days. */
const giveUpSeconds = 3 * 86_400

/** Longer than an attempt can take, so that no other sender starts one meanwhile. */
const leaseSeconds = 30

const isFinished = '(delivered_at IS NOT NULL OR given_up_at IS NOT NULL)'

/** Notifications that were delivered or given up. */
export const finishedLogouts: ExpiringRows = {
  table: 'logout_deliveries',
  columns: ['created_at'],
  where: isFinished,
}

const isWaiting = 'delivered_at IS NULL AND given_up_at IS NULL'

/**
 * Chooses the client whose notification has been due longest, then its notification. It finds the clients by
 * going through the index from one to the next, so that a client with a hundred thousand notifications costs
 * the others nothing.
 */
const lockDue = `
  WITH RECURSIVE waiting AS (
    (SELECT client_id FROM logout_deliveries WHERE ${isWaiting} ORDER BY client_id LIMIT 1)
    UNION ALL
    SELECT (SELECT client_id FROM logout_deliveries
             WHERE ${isWaiting} AND client_id > waiting.client_id ORDER BY client_id LIMIT 1)
      FROM waiting WHERE client_id IS NOT NULL
  ), first AS (
    SELECT client_id, (SELECT min(next_attempt_at) FROM logout_deliveries
                        WHERE ${isWaiting} AND client_id = waiting.client_id) AS due_at
      FROM waiting WHERE client_id <> ALL (?::text[])
  ), due AS (
    SELECT id FROM logout_deliveries
     WHERE ${isWaiting} AND next_attempt_at <= ?
       AND client_id = (SELECT client_id FROM first WHERE due_at <= ? ORDER BY due_at LIMIT 1)
     ORDER BY next_attempt_at LIMIT 1 FOR UPDATE SKIP LOCKED
  )`

const claimNext = `${lockDue}, claimed AS (
    UPDATE logout_deliveries AS delivery SET attempts = attempts + 1, next_attempt_at = ?
      FROM due WHERE delivery.id = due.id
    RETURNING delivery.*
  )
  SELECT claimed.*, backchannel_logout_uri AS uri
    FROM claimed LEFT JOIN clients ON clients.id = client_id AND disabled_at IS NULL`

/** All instances count every few seconds. */
const mostCounted = 100_000

/** The table `logout_deliveries`: the clients that are to be notified that a session has ended. */
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
   * Claims the notification that has been due longest, and counts the attempt before it begins.
   * @param busy clients that are called often enough at the moment
   */
  async claim(busy: readonly string[]): Promise<ClaimedLogout | undefined> {
    const now = this.#now()
    const { rows } = await this.#db.raw(claimNext, [[...busy], now, now, later(now, leaseSeconds)])
    const [row] = rows
    return (
      row && {
        id: row.id,
        clientId: row.client_id,
        sid: row.sid,
        subject: row.subject,
        uri: row.uri ?? undefined,
        attempts: row.attempts,
        refusals: row.refusals,
      }
    )
  }

  async delivered({ id }: ClaimedLogout): Promise<void> {
    await this.#db('logout_deliveries')
      .where({ id })
      .update({ delivered_at: this.#now(), last_error: null })
  }

  /**
   * Tries again later, or gives up after three days. It changes nothing if another sender has claimed the
   * notification meanwhile.
   * @returns true if the notification was given up
   */
  async failed(
    { id, attempts, refusals }: ClaimedLogout,
    reason: string,
    isFinal: boolean,
  ): Promise<boolean> {
    const now = this.#now()
    const [row] = await this.#db('logout_deliveries')
      .where({ id, attempts, delivered_at: null })
      .update({
        last_error: reason,
        refusals,
        next_attempt_at: later(now, delaySeconds(attempts)),
        given_up_at: this.#db.raw('CASE WHEN ? OR created_at < ? THEN ?::timestamptz END', [
          isFinal,
          later(now, -giveUpSeconds),
          now,
        ]),
      })
      .returning('given_up_at')
    return row ? row.given_up_at !== null : false
  }

  /** Counts `mostCounted` at most: a client that is away for days may have millions of them. */
  async backlog(): Promise<LogoutBacklog> {
    const some = this.#db('logout_deliveries')
      .where({ delivered_at: null, given_up_at: null })
      .orderBy('created_at')
      .limit(mostCounted)
      .select('created_at')
      .as('some')
    const [row] = await this.#db
      .from(some)
      .select(this.#db.raw('count(*) AS waiting, min(created_at) AS oldest'))
    const oldestSeconds = row.oldest ? secondsBetween(row.oldest, this.#now()) : 0
    return { waiting: Number(row.waiting), oldestSeconds: Math.max(0, oldestSeconds) }
  }

  /** How many notifications of each client were given up since then; only clients that have some. */
  async givenUpSince(
    since: Date,
  ): Promise<{ readonly clientId: string; readonly count: number }[]> {
    const rows: { client_id: string; count: string }[] = await this.#db('logout_deliveries')
      .where('given_up_at', '>=', since)
      .groupBy('client_id')
      .orderBy('client_id')
      .select('client_id', this.#db.raw('count(*) AS count'))
    return rows.map((row) => ({ clientId: row.client_id, count: Number(row.count) }))
  }
}
