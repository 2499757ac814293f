import type { Knex } from 'knex'
import type { AuditTrail } from '../audit/audit-log.ts'
import { later, type Now } from '../clock.ts'
import type { Outbox } from '../mail/outbox.ts'
import { verificationSeconds } from '../tokens/mail-links.ts'
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

interface VerificationLink {
  readonly user: User
  /** The link verifies the address of a registration; otherwise it changes a verified one. */
  readonly isFirst: boolean
  /** The address that it verifies. */
  readonly email: string
}

/** Verifies and changes email addresses: an address counts once its reader has followed a link. */
export class EmailAddresses {
  readonly #deps: Dependencies

  constructor(deps: Dependencies) {
    this.#deps = deps
  }

  /**
   * Sends the link again if the address belongs to a person and is not verified. The caller cannot tell,
   * because the database does the same work otherwise: it stores a mail to nobody (ASVS 6.3.8).
   */
  async requestVerification(
    email: string,
    ip: string,
    { hasCode, locale }: { readonly hasCode?: boolean; readonly locale?: string } = {},
  ): Promise<void> {
    const { db, users, outbox } = this.#deps
    await db.transaction(async (trx) => {
      const user = await users.findByEmail(email, trx)
      const waiting = user && !user.emailVerifiedAt && !user.disabledAt ? user : undefined
      const holder = { to: waiting?.email ?? '', userId: waiting?.id }
      await outbox.put(trx, { template: 'verify_email', ...holder, data: { ip, hasCode, locale } })
    })
  }

  /**
   * Sends a link to the new address and a notice to the old one. Nothing changes until the link is
   * followed. The password is required again (ASVS 7.5.1).
   * @param repeatSeconds a second request for the same address within this time sends nothing
   * @throws UserError `wrong_password`
   */
  async requestChange(
    user: User,
    email: string,
    password: string,
    ip: string,
    repeatSeconds = 0,
  ): Promise<void> {
    const { db, users, outbox, audit, now } = this.#deps
    await users.requirePassword(user.id, password, { ip })
    const to = normalName(email)
    await db.transaction(async (trx) => {
      if (repeatSeconds > 0) {
        await trx('users').where({ id: user.id }).forNoKeyUpdate().first('id')
        const since = later(now(), -repeatSeconds)
        const link = { template: 'verify_email', userId: user.id, since } as const
        const before = await outbox.latestLink(trx, link)
        if (before && isSameEmail(before.to, to)) return
      }
      // The same row whether the address is free or not; the sender finds out and informs the owner.
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
   * The address that a person wants to change to, while its link is valid. It is told from the mail and not
   * from the link, which an address that belongs to somebody else never gets (ASVS 6.3.8).
   */
  async pendingChange(user: User): Promise<string | undefined> {
    const { db, outbox, now } = this.#deps
    const oldest = later(now(), -verificationSeconds)
    // A new password withdraws every link.
    const since = user.passwordChangedAt > oldest ? user.passwordChangedAt : oldest
    const link = { template: 'verify_email', userId: user.id, since } as const
    const latest = await outbox.latestLink(db, link)
    return latest && !isSameEmail(user.email, latest.to) ? latest.to : undefined
  }

  /**
   * Records a failed sign-in. The right password of an unverified account sends its link again; the
   * database does the same work for a wrong password.
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

  /** The person of a link; undefined when the link is spent, expired or unknown. */
  async linkOf(token: string): Promise<VerificationLink | undefined> {
    const { db, users, oneTimeTokens } = this.#deps
    const holder = await oneTimeTokens.peek(db, { purpose: 'email_verification', token })
    const user = holder && (await users.find(holder.userId))
    if (!user || user.disabledAt) return undefined
    const isFirst = !user.emailVerifiedAt && isSameEmail(user.email, holder.email)
    return { user, isFirst, email: holder.email }
  }

  /**
   * For a person who follows a link without a session. A wrong password leaves an audit event.
   * @throws UserError `wrong_password`
   */
  async requirePassword(userId: string, password: string, ip: string): Promise<void> {
    const { users, audit } = this.#deps
    try {
      await users.requirePassword(userId, password, { ip })
    } catch (error) {
      if (error instanceof UserError) {
        await audit.record({ event: 'user.email_verification_failed', userId, ip })
      }
      throw error
    }
  }

  /** Spends a link with which the password was guessed too often. */
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
   * Verifies the address of a link, which becomes the person's address. The link only shows who reads
   * the address, not who owns the account, so the caller has required a password or a session.
   * @param known the person as the caller saw them; a password that was set meanwhile cancels it
   * @returns undefined when the link is spent, expired or unknown, or the address was taken meanwhile
   */
  async confirm(token: string, ip: string, known?: User): Promise<User | undefined> {
    const { db, oneTimeTokens, now } = this.#deps
    const presented = { purpose: 'email_verification', token } as const
    return db
      .transaction(async (trx) => {
        // Every use case locks the person before the link, so that no two wait for each other.
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
        if (row) await this.#noteVerified(trx, before, row, ip)
        return row && userOf(row)
      })
      .catch((error) => {
        if (isTaken(error)) return undefined
        throw error
      })
  }

  /**
   * Verifies the address of a registration with the code of its mail. The caller has bound the code to the
   * browser in which the person registered, so the code needs no password beside it.
   * @returns undefined when the code is wrong, or its link is spent or expired
   */
  async confirmByCode(userId: string, code: string, ip: string): Promise<User | undefined> {
    const { db, oneTimeTokens, now } = this.#deps
    return db.transaction(async (trx) => {
      const before: UserRow | undefined = await trx('users')
        .where({ id: userId })
        .forUpdate()
        .first()
      const purpose = 'email_verification'
      const spent = await oneTimeTokens.spendByCode(trx, { purpose, userId, code })
      // A link that changes an address is for the person who is signed in, and has no code.
      if (!before || before.disabled_at || !spent || !isSameEmail(before.email, spent.email)) {
        return undefined
      }
      if (before.email_verified_at) return userOf(before)
      const [row]: UserRow[] = await trx('users')
        .where({ id: userId })
        .update({ email_verified_at: now() })
        .returning('*')
      if (row) await this.#noteVerified(trx, before, row, ip)
      return row && userOf(row)
    })
  }

  async #noteVerified(
    trx: Knex.Transaction,
    before: UserRow,
    after: UserRow,
    ip: string,
  ): Promise<void> {
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
