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
  | 'new_sign_in'

/** Texts for a template. They are untrusted: a stranger who causes a mail may have chosen them. */
export interface MailData {
  /** Address of the request that caused the mail. */
  readonly ip?: string | null | undefined
  /** True if a page waits for the code of the mail. */
  readonly hasCode?: boolean | undefined
  /** BCP 47: the language of a reader who has not chosen one, as that of the page that caused the mail. */
  readonly locale?: string | undefined
  /** The username that was chosen, or is already in use. */
  readonly username?: string | undefined
  /** Shown to the old address, partly hidden. */
  readonly newEmail?: string | undefined
  /** The name that the person, or a thief, gave the key. */
  readonly keyName?: string | undefined
  /** The User-Agent of the device that signed in. */
  readonly userAgent?: string | undefined
  /** The name of the app that it signed in to. */
  readonly app?: string | undefined
  /** True if the API keys survived the change of the password. */
  readonly keysKept?: boolean | undefined
}

/** Templates with a link that acts for a person. */
export type LinkTemplate = 'verify_email' | 'reset_password' | 'new_sign_in'

/** A mail to be sent. It contains no secret. */
export type Mail = {
  readonly to: string
  readonly data?: MailData
} /** Dropped when it has no person, so that a request costs the same for an unknown address. */ & (
  | { readonly template: LinkTemplate; readonly userId: string | undefined }
  /** Deleting a person deletes the rows that name them, so `account_deleted` must not. */
  | { readonly template: Exclude<MailTemplate, LinkTemplate>; readonly userId?: string | undefined }
)

const nobody = '00000000-0000-0000-0000-000000000000'
const reminderSeconds = 3600

/** Stores mails in the transaction that decides on them. They are sent after its commit. */
export class Outbox {
  readonly #now: Now
  #committed: () => void = () => undefined

  constructor(now: Now) {
    this.#now = now
  }

  /** Sets the one listener that is called after each commit with a mail in it. */
  whenCommitted(listener: () => void): void {
    this.#committed = listener
  }

  /** Stores a mail in the language of its person, which the statement itself looks up. */
  async put(db: Db, { template, to, userId, data = {} }: Mail): Promise<void> {
    const { locale = null, ...rest } = data
    const now = this.#now()
    await db.raw(
      `INSERT INTO outgoing_mail (id, template, recipient, user_id, data, created_at, next_attempt_at)
       VALUES (?, ?, ?, ?, ?::jsonb || jsonb_strip_nulls(jsonb_build_object('locale',
         COALESCE((SELECT locale FROM users WHERE id = ?), ?::text))), ?, ?)`,
      [
        uuidv7(),
        template,
        to,
        userId ?? null,
        JSON.stringify(rest),
        userId ?? nobody,
        locale,
        now,
        now,
      ],
    )
    this.wake(db)
  }

  /** Wakes the senders for a mail that another statement has written: after its commit, if there is one. */
  wake(db?: Db): void {
    const commit = db && 'executionPromise' in db ? db.executionPromise : Promise.resolve()
    commit.then(
      () => this.#committed(),
      () => undefined,
    )
  }

  /** The latest mail with a link of a kind that a person caused since a time, sent or not. */
  async latestLink(
    db: Db,
    { template, userId, since }: { template: LinkTemplate; userId: string; since: Date },
  ): Promise<{ readonly to: string; readonly createdAt: Date } | undefined> {
    const row = await db('outgoing_mail')
      .where({ template, user_id: userId })
      .where('created_at', '>', since)
      .orderBy('created_at', 'desc')
      .first('recipient', 'created_at')
    return row && { to: row.recipient, createdAt: row.created_at }
  }

  /** Deletes every mail to an address, sent or not. */
  async withdraw(trx: Knex.Transaction, email: string): Promise<void> {
    await trx('outgoing_mail').whereRaw('lower(recipient) = lower(?)', [email]).delete()
  }

  /**
   * Mails the verification link again, at most once an hour. It is one statement for every account, so
   * that its duration tells nothing: for an unknown or verified person it inserts no row.
   */
  async remindToVerify(trx: Knex.Transaction, userId: string | undefined, ip: string) {
    const now = this.#now()
    const { rowCount } = await trx.raw<{ rowCount: number }>(
      `INSERT INTO outgoing_mail (id, template, recipient, user_id, data, created_at, next_attempt_at)
       SELECT ?, 'verify_email', email, id,
              ?::jsonb || jsonb_strip_nulls(jsonb_build_object('locale', locale)), ?, ? FROM users
        WHERE id = ? AND email IS NOT NULL AND email_verified_at IS NULL AND disabled_at IS NULL
          AND NOT EXISTS (SELECT FROM outgoing_mail WHERE user_id = users.id
                             AND template = 'verify_email' AND created_at > ?)`,
      [uuidv7(), JSON.stringify({ ip }), now, now, userId ?? nobody, later(now, -reminderSeconds)],
    )
    if (rowCount > 0) this.wake(trx)
  }
}
