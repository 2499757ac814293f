import type { Knex } from 'knex'
import type { AuditTrail } from '../audit/audit-log.ts'
import { type Actor, byActor } from '../audit/audit-log.ts'
import type { Now } from '../clock.ts'
import type { Outbox } from '../mail/outbox.ts'
import type { Passwords } from '../passwords/passwords.ts'
import type { Revocations } from '../revocations/revocations.ts'
import type { RefreshFamilies } from '../sessions/refresh-families.ts'
import type { ApiKeys } from '../tokens/api-keys.ts'
import type { OneTimeTokens, TokenPurpose } from '../tokens/one-time-tokens.ts'
import type { Changed } from './administration.ts'
import { isSameEmail, type User, UserError, type UserRow, userOf } from './user.ts'
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

export interface PasswordChanged extends Changed {
  /** How many API keys ended. */
  readonly apiKeys: number
}

/** Setting, changing and recovering passwords. Whoever knew the old one is out. */
export class Credentials {
  readonly #deps: Dependencies

  constructor(deps: Dependencies) {
    this.#deps = deps
  }

  /** By the command line: ends every session and API key. */
  async set(user: User, password: string): Promise<PasswordChanged> {
    const hash = await this.#deps.passwords.hash(password, personal(user))
    return this.#replace(user, hash, {})
  }

  /**
   * By the person, who knows the current one (ASVS 6.2.3): this session goes on, the others end, and
   * with them the API keys, unless they are kept: whoever knew the old password may have made one.
   * @param onConfirmed called when the current one was right; its throw ends the change
   * @throws UserRefused `wrong_password`
   */
  async change(
    user: User,
    { current, wanted, keepKeys = false }: { current: string; wanted: string; keepKeys?: boolean },
    { sid, onConfirmed, ...actor }: Actor & { sid: string; onConfirmed(): Promise<unknown> },
  ): Promise<PasswordChanged> {
    const { users, passwords } = this.#deps
    await users.demand(user.id, current, { ip: actor.ip, message: wrongPassword })
    await onConfirmed()
    const hash = await passwords.hash(wanted, personal(user), actor.ip)
    return this.#replace(user, hash, {
      ...{ ...actor, keep: sid, keepKeys },
      // Of two who know the old password the first decides: for the second it is wrong by now.
      async permit(_trx, before) {
        if (before.password_changed_at.getTime() === user.passwordChangedAt.getTime()) return
        throw new UserError('wrong_password', wrongPassword)
      },
    })
  }

  /**
   * Sends a link if the address is somebody's. The caller learns nothing of it, and the database has
   * the same to do: a mail to nobody is written down too (ASVS 6.3.8).
   */
  async requestReset(email: string, ip: string): Promise<void> {
    const { db, users, outbox, audit } = this.#deps
    await db.transaction(async (trx) => {
      const known = await users.findByEmail(email, trx)
      const user = known?.disabledAt ? undefined : known
      const holder = { to: user?.email ?? '', userId: user?.id }
      await outbox.put(trx, { template: 'reset_password', ...holder, data: { ip } })
      await audit.record({ event: 'user.password_reset_requested', userId: user?.id, ip }, trx)
    })
  }

  /**
   * By whoever reads the mail: ends every session and API key, and proves the address as well. A link
   * of the first verification can do it too, so that the password of a stranger does not count.
   * @param onLink called when the link is good, before the password is looked at; its throw ends it
   * @returns undefined when the link is spent, expired or never was
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
    // Looked at first, so that a refused password does not spend the link.
    const holder = await oneTimeTokens.peek(db, presented)
    const known = holder && (await users.find(holder.userId))
    if (!holder || !known || known.disabledAt) return undefined
    await onLink?.(known.id)
    const hash = await passwords.hash(password, personal(known), ip)
    try {
      const { user } = await this.#replace(known, hash, {
        ...{ ip, provesAddress: true },
        async permit(trx, { email, disabled_at }) {
          const spent = await oneTimeTokens.spend(trx, presented)
          // Sent to an address that was given up meanwhile: whoever reads that one gets nothing by it.
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
    { keep, keepKeys = false, actorId, ip, provesAddress, permit }: Replacement,
  ): Promise<PasswordChanged> {
    const { revocations, families, apiKeys, audit, outbox, now } = this.#deps
    return revocations.decide(async (change) => {
      const { trx } = change
      // The person is locked first and their links after, as by everybody: no two wait for each other.
      const before: UserRow | undefined = await trx('users')
        .where({ id: user.id })
        .forUpdate()
        .first()
      if (before) await permit?.(trx, before)
      const [row]: UserRow[] = await trx('users')
        .where({ id: user.id })
        .update({
          password_hash: passwordHash,
          // Always another moment than before: a sign-in under way with the old one must notice.
          password_changed_at: trx.raw(
            `GREATEST(?, password_changed_at + interval '1 millisecond')`,
            [now()],
          ),
          must_change_password: false,
          ...(provesAddress && { email_verified_at: before?.email_verified_at ?? now() }),
        })
        .returning('*')
      if (!row) throw new UserError('unknown', 'There is no such user.')
      await this.#withdrawLinks(trx, row)
      const endedKeys = keepKeys ? 0 : await apiKeys.end(change, { user_id: user.id })
      if (provesAddress && !before?.email_verified_at) {
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

  /** Whoever knew the old password may have asked for links: to another address, to take it over. */
  async #withdrawLinks(trx: Knex.Transaction, { id, email }: UserRow): Promise<void> {
    const { oneTimeTokens } = this.#deps
    await oneTimeTokens.withdraw(trx, id, 'password_reset')
    await oneTimeTokens.withdraw(trx, id, 'email_verification', email)
  }
}

interface Replacement extends Actor {
  /** The session that goes on. */
  readonly keep?: string
  readonly keepKeys?: boolean
  readonly provesAddress?: boolean
  /** Throws where the change may not be, by what the person is now. */
  permit?(trx: Knex.Transaction, before: UserRow): Promise<void>
}

const wrongPassword = 'The current password is wrong.'

/** Of many that came with one link at once, this one was not the first: nothing of it remains. */
class LinkSpentError extends Error {
  override readonly name = 'LinkSpentError'
}

/** What a password must not be made of. */
const personal = (user: User): string[] =>
  [user.username, user.email, user.fullName].filter((text) => text !== null)
