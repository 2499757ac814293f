import type { Knex } from 'knex'
import type { AuditTrail } from '../audit/audit-log.ts'
import type { Now } from '../clock.ts'
import type { Outbox } from '../mail/outbox.ts'
import type { OneTimeTokens } from '../tokens/one-time-tokens.ts'
import {
  emailColumns,
  isSameEmail,
  isTaken,
  normalName,
  type User,
  UserError,
  type UserRow,
  userOf,
} from './user.ts'
import type { Users } from './users.ts'

interface Dependencies {
  readonly db: Knex
  readonly users: Users
  readonly outbox: Outbox
  readonly oneTimeTokens: OneTimeTokens
  readonly audit: AuditTrail
  readonly now: Now
}

export interface VerificationLink {
  readonly user: User
  /** For the address of a registration, which was never verified; otherwise for a change. */
  readonly isFirst: boolean
}

/** Verifying and changing email addresses: an address counts when its reader has followed a link. */
export class EmailAddresses {
  readonly #deps: Dependencies

  constructor(deps: Dependencies) {
    this.#deps = deps
  }

  /**
   * Sends the link again if the address is somebody's and not proven. The caller learns nothing of it,
   * and the database has the same to do: a mail to nobody is written down too (ASVS 6.3.8).
   */
  async requestVerification(email: string, ip: string): Promise<void> {
    const { db, users, outbox } = this.#deps
    await db.transaction(async (trx) => {
      const user = await users.findByEmail(email, trx)
      const waiting = user && !user.emailVerifiedAt && !user.disabledAt ? user : undefined
      const holder = { to: waiting?.email ?? '', userId: waiting?.id }
      await outbox.put(trx, { template: 'verify_email', ...holder, data: { ip } })
    })
  }

  /**
   * Sends a link to the new address and tells the old one; until the link is followed nothing changes
   * (ASVS 7.5.1: the password was asked for again).
   * @throws UserRefused `wrong_password`
   */
  async requestChange(user: User, email: string, password: string, ip: string): Promise<void> {
    const { db, users, outbox, audit } = this.#deps
    await users.demand(user.id, password, { ip })
    const to = normalName(email)
    await db.transaction(async (trx) => {
      // The same row whether the address is free or not: its sender finds out, and tells the owner.
      await outbox.put(trx, { template: 'verify_email', to, userId: user.id, data: { ip } })
      if (user.email) {
        const notice = {
          template: 'email_change_requested',
          to: user.email,
          userId: user.id,
        } as const
        await outbox.put(trx, { ...notice, data: { ip, newEmail: to } })
      }
      await audit.record({ event: 'user.email_change_requested', userId: user.id, ip }, trx)
    })
  }

  /**
   * A sign-in that failed. With the right password of an unverified account its link is mailed again;
   * the database has the same to do for a wrong one.
   */
  async noteFailedSignIn(
    unverified: User | undefined,
    clientId: string,
    ip: string,
  ): Promise<void> {
    const { db, outbox, audit } = this.#deps
    await db.transaction(async (trx) => {
      await audit.record({ event: 'user.sign_in_failed', clientId, ip }, trx)
      await outbox.remindToVerify(trx, unverified?.id, ip)
    })
  }

  /** Whose link it is; undefined when it is spent, expired or never was. */
  async linkOf(token: string): Promise<VerificationLink | undefined> {
    const { db, users, oneTimeTokens } = this.#deps
    const holder = await oneTimeTokens.peek(db, { purpose: 'email_verification', token })
    const user = holder && (await users.find(holder.userId))
    if (!user || user.disabledAt) return undefined
    return { user, isFirst: !user.emailVerifiedAt && isSameEmail(user.email, holder.email) }
  }

  /**
   * For whoever follows a link without a session. A wrong one leaves an audit event.
   * @throws UserRefused `wrong_password`
   */
  async demandPassword(userId: string, password: string, ip: string): Promise<void> {
    const { users, audit } = this.#deps
    try {
      await users.demand(userId, password, { ip })
    } catch (error) {
      if (error instanceof UserError) {
        await audit.record({ event: 'user.email_verification_failed', userId, ip })
      }
      throw error
    }
  }

  /** The password was guessed at too often with this link: nobody goes on with it. */
  async spendGuessed(token: string, ip: string): Promise<void> {
    const { db, oneTimeTokens, audit } = this.#deps
    await db.transaction(async (trx) => {
      const spent = await oneTimeTokens.spend(trx, { purpose: 'email_verification', token })
      if (!spent) return
      const event = { event: 'user.email_verification_failed', userId: spent.userId, ip } as const
      await audit.record({ ...event, detail: { link: 'spent' } }, trx)
    })
  }

  /**
   * The address of the link is verified, and becomes the person's if it was not. The link alone says
   * who reads the address, and not whose account it is: the caller has asked for that.
   * @param known the person as they were then; a password set meanwhile spoils it
   * @returns undefined when the link is spent, expired or never was, or somebody else was quicker
   */
  async confirm(token: string, ip: string, known?: User): Promise<User | undefined> {
    const { db, oneTimeTokens, now } = this.#deps
    const presented = { purpose: 'email_verification', token } as const
    return db
      .transaction(async (trx) => {
        // The person is locked first and the link after, as by everybody: no two wait for each other.
        const holder = await oneTimeTokens.peek(trx, presented)
        const before: UserRow | undefined =
          holder && (await trx('users').where({ id: holder.userId }).forUpdate().first())
        if (!before || before.disabled_at) return undefined
        if (known && before.password_changed_at.getTime() !== known.passwordChangedAt.getTime()) {
          return undefined
        }
        const spent = await oneTimeTokens.spend(trx, presented)
        if (!spent) return undefined
        const [row]: UserRow[] = await trx('users')
          .where({ id: spent.userId })
          .update({ ...emailColumns(spent.email), email_verified_at: now() })
          .returning('*')
        if (row) await this.#tell(trx, before, row, ip)
        return row && userOf(row)
      })
      .catch((error) => {
        if (isTaken(error)) return undefined
        throw error
      })
  }

  async #tell(trx: Knex.Transaction, before: UserRow, after: UserRow, ip: string): Promise<void> {
    const { outbox, oneTimeTokens, audit } = this.#deps
    const isNew = !isSameEmail(before.email, after.email ?? '')
    const event = isNew ? 'user.email_changed' : 'user.email_verified'
    await audit.record({ event, userId: after.id, ip }, trx)
    if (!isNew || !before.email) return
    await oneTimeTokens.withdraw(trx, after.id, 'password_reset')
    const notice = { template: 'email_changed', to: before.email, userId: after.id } as const
    await outbox.put(trx, { ...notice, data: { ip, newEmail: after.email ?? undefined } })
  }
}
