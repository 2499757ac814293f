import type { Knex } from 'knex'
import type { AuditTrail } from '../audit/audit-log.ts'
import { type Actor, byActor } from '../audit/audit-log.ts'
import type { Now } from '../clock.ts'
import type { Outbox } from '../mail/outbox.ts'
import type { Passwords } from '../passwords/passwords.ts'
import type { Revocations } from '../revocations/revocations.ts'
import type { Kept, RefreshFamilies } from '../sessions/refresh-families.ts'
import type { ApiKeys } from '../tokens/api-keys.ts'
import type { OneTimeTokens, TokenPurpose } from '../tokens/one-time-tokens.ts'
import type { Changed } from './administration.ts'
import { isSameEmail, type User, UserError, type UserRow, unknownUser, userOf } from './user.ts'
import type { Users } from './users.ts'

interface Dependencies {
  readonly db: Knex
  readonly users: Users
  readonly passwords: Passwords
  readonly families: RefreshFamilies
  readonly revocations: Revocations
  readonly outbox: Outbox
  readonly oneTimeTokens: OneTimeTokens
  readonly apiKeys: ApiKeys
  readonly audit: AuditTrail
  readonly now: Now
}

interface PasswordChanged extends Changed {
  /** Number of ended API keys. */
  readonly apiKeys: number
}

/** Sets, changes and resets passwords. Everybody who knew the old password is signed out. */
export class Credentials {
  readonly #deps: Dependencies

  constructor(deps: Dependencies) {
    this.#deps = deps
  }

  /** For the command line: ends every session and API key. */
  async set(user: User, password: string): Promise<PasswordChanged> {
    const hash = await this.#deps.passwords.hash(password, personal(user))
    return this.#replace(user, hash, {})
  }

  /**
   * For the person, who knows the current password (ASVS 6.2.3). This session continues; the others end,
   * and so do the API keys, unless they are kept: somebody who knew the old password may have created one.
   * @param onConfirmed called when the current password is right; its error cancels the change
   * @throws UserError `wrong_password`
   */
  async change(
    user: User,
    { current, next, keepKeys = false }: { current: string; next: string; keepKeys?: boolean },
    { keep, onConfirmed, ...actor }: Actor & { keep: Kept; onConfirmed(): Promise<unknown> },
  ): Promise<PasswordChanged> {
    const { users, passwords } = this.#deps
    await users.requirePassword(user.id, current, { ip: actor.ip, message: wrongPassword })
    await onConfirmed()
    const hash = await passwords.hash(next, personal(user), actor.ip)
    return this.#replace(user, hash, {
      ...actor,
      keep,
      keepKeys,
      permit: unchangedSince(user),
    })
  }

  /**
   * For a person who has just given the right password and must replace it.
   * @throws PasswordError when the policy refuses the password
   * @throws UserError `wrong_password` if the password was set meanwhile
   */
  async replaceOwed(user: User, password: string, actor: Actor): Promise<PasswordChanged> {
    const hash = await this.#deps.passwords.hash(password, personal(user), actor.ip)
    return this.#replace(user, hash, { ...actor, permit: unchangedSince(user) })
  }

  /**
   * Sends a link if the address belongs to a person. The caller cannot tell, because the database does
   * the same work otherwise: it stores a mail to nobody (ASVS 6.3.8).
   * @param locale the language of the mail, unless the person has chosen one
   */
  async requestReset(email: string, ip: string, locale?: string): Promise<void> {
    const { db, users, outbox, audit } = this.#deps
    await db.transaction(async (trx) => {
      const known = await users.findByEmail(email, trx)
      const user = known?.disabledAt ? undefined : known
      const holder = { to: user?.email ?? '', userId: user?.id }
      await outbox.put(trx, { template: 'reset_password', ...holder, data: { ip, locale } })
      await audit.record({ event: 'user.password_reset_requested', userId: user?.id, ip }, trx)
    })
  }

  /** Finds the person of a reset link, without spending it. */
  async personOfReset(token: string): Promise<User | undefined> {
    const { db, users, oneTimeTokens } = this.#deps
    const holder = await oneTimeTokens.peek(db, { purpose: 'password_reset', token })
    const user = holder && (await users.find(holder.userId))
    return user?.disabledAt === null ? user : undefined
  }

  /**
   * For the reader of a mail: ends every session and API key, and verifies the address as well. The link
   * of a first verification can do this too, so that a stranger's password does not stay valid.
   * @param onLink called when the link is valid, before the password is checked; its error cancels the reset
   * @returns undefined when the link is spent, expired or unknown
   */
  async reset(
    token: string,
    password: string,
    ip: string,
    purpose: TokenPurpose = 'password_reset',
    onLink?: (userId: string) => Promise<unknown>,
  ): Promise<User | undefined> {
    const { db, users, oneTimeTokens, passwords } = this.#deps
    const presented = { purpose, token }
    // Read first, so that a refused password does not spend the link.
    const holder = await oneTimeTokens.peek(db, presented)
    const known = holder && (await users.find(holder.userId))
    if (!holder || !known || known.disabledAt) return undefined
    await onLink?.(known.id)
    const hash = await passwords.hash(password, personal(known), ip)
    try {
      const { user } = await this.#replace(known, hash, {
        ip,
        verifiesAddress: true,
        async permit(trx, { email, disabled_at }) {
          const spent = await oneTimeTokens.spend(trx, presented)
          // A link to an address that was replaced meanwhile is worth nothing.
          const isTheirs = isSameEmail(email, holder.email)
          if (!spent || !isTheirs || disabled_at) throw new LinkSpentError()
        },
      })
      return user
    } catch (error) {
      if (error instanceof LinkSpentError) return undefined
      throw error
    }
  }

  async #replace(
    user: User,
    passwordHash: string,
    { keep, keepKeys = false, actorId, ip, verifiesAddress, permit }: Replacement,
  ): Promise<PasswordChanged> {
    const { revocations, families, apiKeys, oneTimeTokens, audit, outbox, now } = this.#deps
    return revocations.decide(async (change) => {
      const { trx } = change
      // Every use case locks the person before their links, so that no two wait for each other.
      const before: UserRow | undefined = await trx('users')
        .where({ id: user.id })
        .forUpdate()
        .first()
      if (before) await permit?.(trx, before)
      const [row]: UserRow[] = await trx('users')
        .where({ id: user.id })
        .update({
          password_hash: passwordHash,
          // Always differs from the old value: a running sign-in with the old password must notice.
          password_changed_at: trx.raw(
            `GREATEST(?, password_changed_at + interval '1 millisecond')`,
            [now()],
          ),
          must_change_password: false,
          ...(verifiesAddress && { email_verified_at: before?.email_verified_at ?? now() }),
        })
        .returning('*')
      if (!row) throw unknownUser()
      await this.#withdrawLinks(trx, row)
      // The reader of the mails has chosen a password: a stranger who signed in before is out.
      if (verifiesAddress) await oneTimeTokens.withdraw(trx, row.id, 'disowned_sign_in')
      const endedKeys = keepKeys ? 0 : await apiKeys.end(change, { user_id: user.id })
      if (verifiesAddress && !before?.email_verified_at) {
        await audit.record({ event: 'user.email_verified', userId: user.id, ip }, trx)
      }
      const ended = await families.end(change, { user_id: user.id }, 'password_set', keep)
      const detail = { sessions: ended.length, apiKeys: endedKeys, ...byActor({ actorId }) }
      await audit.record({ event: 'user.password_set', userId: user.id, ip, detail }, trx)
      if (row.email) {
        const mail = { template: 'password_changed', to: row.email, userId: user.id } as const
        await outbox.put(trx, { ...mail, data: { ip: ip ?? null, keysKept: keepKeys } })
      }
      return { user: userOf(row), sessions: ended.length, apiKeys: endedKeys }
    })
  }

  /** Somebody who knew the old password may have requested links to an address of their own. */
  async #withdrawLinks(trx: Knex.Transaction, { id, email }: UserRow): Promise<void> {
    const { oneTimeTokens } = this.#deps
    await oneTimeTokens.withdraw(trx, id, 'password_reset')
    await oneTimeTokens.withdraw(trx, id, 'email_verification', email)
  }
}

interface Replacement extends Actor {
  /** The session that continues. */
  readonly keep?: Kept
  readonly keepKeys?: boolean
  readonly verifiesAddress?: boolean
  /** Throws when the locked row forbids the change. */
  permit?(trx: Knex.Transaction, before: UserRow): Promise<void>
}

const wrongPassword = 'The current password is wrong.'

/** If two changes use the same old password, the first wins: for the second it is wrong by now. */
const unchangedSince =
  (user: User) =>
  async (_trx: Knex.Transaction, before: UserRow): Promise<void> => {
    if (before.password_changed_at.getTime() === user.passwordChangedAt.getTime()) return
    throw new UserError('wrong_password', wrongPassword)
  }

/** Another concurrent request with the same link was first: this one is rolled back. */
class LinkSpentError extends Error {
  override readonly name = 'LinkSpentError'
}

/** Names and addresses that a password must not consist of. */
const personal = (user: User): string[] =>
  [user.username, user.email, user.fullName].filter((text) => text !== null)
