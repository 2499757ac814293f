import type { Knex } from 'knex'
import { v7 as uuidv7 } from 'uuid'
import { later, type Now } from '../clock.ts'
import type { Db } from '../stores/postgres.ts'

export type MailTemplate =
  | 'verify_email'
  | 'reset_password'
  | 'registration_attempt'
  | 'username_taken'
  | 'password_changed'
  | 'email_change_requested'
  | 'email_changed'
  | 'account_deleted'
  | 'api_key_created'
  | 'username_changed'

/** What a template may tell beside the time. Whoever causes a mail may have chosen these texts. */
export interface MailData {
  /** Where the request came from that caused the mail. */
  readonly ip?: string | null | undefined
  /** The name that was taken. */
  readonly username?: string | undefined
  /** Told to the old address, partly hidden. */
  readonly newEmail?: string | undefined
  /** As the person, or a thief, has called it. */
  readonly keyName?: string | undefined
  /** With the new password the API keys were kept. */
  readonly keysKept?: boolean | undefined
}

/** Mails with a link that does something for a person. */
export type LinkTemplate = 'verify_email' | 'reset_password'

/** A mail that a use case decides on; no secret is in it. */
export type Mail = {
  readonly to: string
  readonly data?: MailData
} /** Without a person it is dropped: so asking for a link costs the same for an unknown address. */ & (
  | { readonly template: LinkTemplate; readonly userId: string | undefined }
  /** The row goes when its person goes, so a farewell must not name them. */
  | { readonly template: Exclude<MailTemplate, LinkTemplate>; readonly userId?: string | undefined }
)

const nobody = '00000000-0000-0000-0000-000000000000'
const reminderSeconds = 3600

/** Mail is written in the transaction that decides on it, and sent after the commit. */
export class Outbox {
  readonly #now: Now
  #committed: () => void = () => undefined

  constructor(now: Now) {
    this.#now = now
  }

  /** Told of each commit with mail in it. A sender listens, so that no use case has to think of it. */
  whenCommitted(listener: () => void): void {
    this.#committed = listener
  }

  async put(db: Db, { template, to, userId, data = {} }: Mail): Promise<void> {
    await db('outgoing_mail').insert({
      id: uuidv7(),
      template,
      recipient: to,
      user_id: userId,
      data: JSON.stringify(data),
      created_at: this.#now(),
      next_attempt_at: this.#now(),
    })
    const commit = 'executionPromise' in db ? db.executionPromise : Promise.resolve()
    commit.then(
      () => this.#committed(),
      () => undefined,
    )
  }

  /**
   * Mails the link once more to somebody whose address is not verified, at most once in an hour. One
   * statement, whoever it is: for nobody and for somebody verified it inserts nothing.
   */
  async remindToVerify(trx: Knex.Transaction, userId: string | undefined, ip: string) {
    const now = this.#now()
    const { rowCount } = await trx.raw<{ rowCount: number }>(
      `INSERT INTO outgoing_mail (id, template, recipient, user_id, data, created_at, next_attempt_at)
       SELECT ?, 'verify_email', email, id, ?, ?, ? FROM users
        WHERE id = ? AND email IS NOT NULL AND email_verified_at IS NULL AND disabled_at IS NULL
          AND NOT EXISTS (SELECT FROM outgoing_mail WHERE user_id = users.id
                             AND template = 'verify_email' AND created_at > ?)`,
      [uuidv7(), JSON.stringify({ ip }), now, now, userId ?? nobody, later(now, -reminderSeconds)],
    )
    if (rowCount === 0) return
    trx.executionPromise.then(
      () => this.#committed(),
      () => undefined,
    )
  }
}
