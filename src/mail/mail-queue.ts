import type { Knex } from 'knex'
import { later, type Now, secondsBetween } from '../clock.ts'
import type { ExpiringRows } from '../stores/delete-expired.ts'
import type { MailData, MailTemplate } from './outbox.ts'
import { templateNames } from './templates.ts'
import { sendSeconds } from './transport.ts'

/** A mail that this instance has claimed. */
export interface ClaimedMail {
  readonly id: string
  readonly template: MailTemplate
  readonly recipient: string
  readonly userId: string | null
  readonly data: MailData
  readonly createdAt: Date
  /** Including this attempt. */
  readonly attempts: number
}

export interface Backlog {
  /** Mails neither sent nor given up. */
  readonly waiting: number
  readonly oldestSeconds: number
}

interface Row {
  id: string
  template: MailTemplate
  recipient: string
  user_id: string | null
  data: MailData
  created_at: Date
  attempts: number
}

const delays = [60, 120, 300, 900, 1800, 3600, 7200, 14_400, 21_600]

/** Seconds until the next attempt: one minute at first, six hours in the end. */
export const delaySeconds = (attempts: number): number =>
  delays[Math.min(attempts, delays.length) - 1] ?? 0

/** Longer than an attempt can take, so that no other sender starts one meanwhile. */
const leaseSeconds = sendSeconds + 30

const isFinished = '(sent_at IS NOT NULL OR given_up_at IS NOT NULL)'

/** Mails that were sent or given up. */
export const finishedMail: ExpiringRows = {
  table: 'outgoing_mail',
  columns: ['created_at'],
  where: isFinished,
}

/** The table `outgoing_mail`, as its senders see it. */
export class MailQueue {
  readonly #db: Knex
  readonly #now: Now

  constructor(db: Knex, now: Now) {
    this.#db = db
    this.#now = now
  }

  /**
   * Claims the mail that has been due longest, and counts the attempt before it begins: a mail whose
   * sender dies is due again when the lease ends, and later each time, in case the mail kills its
   * senders. Templates of a newer release are left to that release.
   */
  async claim<T>(
    prepare: (trx: Knex.Transaction, mail: ClaimedMail) => Promise<T>,
  ): Promise<{ mail: ClaimedMail; prepared: T } | undefined> {
    return this.#db.transaction(async (trx) => {
      const row: Row | undefined = await trx('outgoing_mail')
        .where('next_attempt_at', '<=', this.#now())
        .where({ sent_at: null, given_up_at: null })
        .whereIn('template', templateNames())
        .orderBy('next_attempt_at')
        .forUpdate()
        .skipLocked()
        .first()
      if (!row) return undefined
      const attempts = row.attempts + 1
      const until = later(this.#now(), Math.max(leaseSeconds, delaySeconds(attempts)))
      await trx('outgoing_mail').where({ id: row.id }).update({ attempts, next_attempt_at: until })
      const mail = claimed({ ...row, attempts })
      return { mail, prepared: await prepare(trx, mail) }
    })
  }

  /** Unconditional: once the mail server accepted it, it counts as sent. */
  async sent(ids: readonly string[]): Promise<void> {
    await this.#db('outgoing_mail')
      .whereIn('id', ids)
      .update({ sent_at: this.#now(), last_error: null })
    await this.#forgetFarewells(ids)
  }

  async retry(mail: ClaimedMail, seconds: number, reason: string): Promise<void> {
    const next_attempt_at = later(this.#now(), seconds)
    await this.#settle(mail, { next_attempt_at, last_error: reason })
  }

  /** Postpones a mail that could not be prepared, without counting the attempt. */
  async putOff(mail: ClaimedMail, seconds: number): Promise<void> {
    const next_attempt_at = later(this.#now(), seconds)
    await this.#settle(mail, { next_attempt_at, attempts: mail.attempts - 1 })
  }

  async giveUp(mail: ClaimedMail, reason: string): Promise<void> {
    await this.#settle(mail, { given_up_at: this.#now(), last_error: reason })
    await this.#forgetFarewells([mail.id])
  }

  async backlog(): Promise<Backlog> {
    const [row] = await this.#db('outgoing_mail')
      .where({ sent_at: null, given_up_at: null })
      .select(this.#db.raw('count(*) AS waiting, min(created_at) AS oldest'))
    const oldestSeconds = row.oldest ? secondsBetween(row.oldest, this.#now()) : 0
    return { waiting: Number(row.waiting), oldestSeconds: Math.max(0, oldestSeconds) }
  }

  /** Deletes the address of a deleted person as soon as their last mail is finished. */
  async #forgetFarewells(ids: readonly string[]): Promise<void> {
    await this.#db('outgoing_mail')
      .whereIn('id', ids)
      .where({ template: 'account_deleted' })
      .whereRaw(isFinished)
      .delete()
  }

  /** Conditional on the claim: a sender that outlived its lease changes nothing. */
  async #settle({ id, attempts }: ClaimedMail, columns: object): Promise<void> {
    await this.#db('outgoing_mail').where({ id, attempts, sent_at: null }).update(columns)
  }
}

const claimed = (row: Row): ClaimedMail => ({
  id: row.id,
  template: row.template,
  recipient: row.recipient,
  userId: row.user_id,
  data: row.data,
  createdAt: row.created_at,
  attempts: row.attempts,
})
