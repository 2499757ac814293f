import type { Knex } from 'knex'
import type { AuditTrail } from '../audit/audit-log.ts'
import type { Now } from '../clock.ts'
import type { Outbox } from '../mail/outbox.ts'
import { noPassword } from '../passwords/passwords.ts'
import type { Change, Revocations } from '../revocations/revocations.ts'
import type { RefreshFamilies } from '../sessions/refresh-families.ts'
import type { ApiKeys } from '../tokens/api-keys.ts'
import type { OneTimeTokens } from '../tokens/one-time-tokens.ts'
import { isSameEmail, type User, type UserRow, userOf } from './user.ts'

interface Dependencies {
  readonly db: Knex
  readonly families: RefreshFamilies
  readonly revocations: Revocations
  readonly apiKeys: ApiKeys
  readonly oneTimeTokens: OneTimeTokens
  readonly outbox: Outbox
  readonly audit: AuditTrail
  readonly now: Now
}

type ResetRow = UserRow & { readonly devices_reset_at: Date | null }

/** The link of a mail about a sign-in. */
interface DisownedSignIn {
  readonly user: User
  /** The person has followed the link before. */
  readonly isSecured: boolean
}

/** The reader of a mail says that a sign-in was not theirs (ASVS 6.3.5), so a stranger knows the password. */
export class DisownedSignIns {
  readonly #deps: Dependencies

  constructor(deps: Dependencies) {
    this.#deps = deps
  }

  /** Finds the person of a link; undefined when it is expired or unknown, or the person's no longer. */
  find(token: string): Promise<DisownedSignIn | undefined> {
    return this.#find(this.#deps.db, token)
  }

  /**
   * Ends every session and API key, makes the password unusable, and mails a link to choose a new one. The
   * old password cannot choose it, as it could if it merely had to be changed. A link that is used again
   * changes nothing and succeeds.
   * @param locale the language of the mail, unless the person has chosen one
   */
  async secure(token: string, ip: string, locale?: string): Promise<User | undefined> {
    const { revocations } = this.#deps
    return revocations.decide(async (change) => {
      const { trx } = change
      const seen = await this.#find(trx, token)
      if (!seen) return undefined
      // Every use case locks the person before their links, so that no two wait for each other.
      await trx('users').where({ id: seen.user.id }).forUpdate().first('id')
      const found = await this.#find(trx, token)
      if (found && !found.isSecured) await this.#secure(change, found.user, ip, locale)
      return found?.user
    })
  }

  async #find(db: Knex, token: string): Promise<DisownedSignIn | undefined> {
    const { oneTimeTokens } = this.#deps
    const holder = await oneTimeTokens.peek(db, { purpose: 'disowned_sign_in', token })
    if (!holder) return undefined
    const row: ResetRow | undefined = await db('users').where({ id: holder.userId }).first()
    // The new password is chosen by mail: a link to an address that was replaced meanwhile helps nobody.
    if (!row || row.disabled_at || !isSameEmail(row.email, holder.email)) return undefined
    const { devices_reset_at: resetAt } = row
    return { user: userOf(row), isSecured: resetAt !== null && resetAt >= holder.issuedAt }
  }

  async #secure(
    change: Change,
    { id, email }: User,
    ip: string,
    locale: string | undefined,
  ): Promise<void> {
    const { families, apiKeys, oneTimeTokens, outbox, audit, now } = this.#deps
    const { trx } = change
    await trx('users')
      .where({ id })
      .update({
        password_hash: noPassword,
        // Always differs from the old value: a running sign-in with the old password must notice.
        password_changed_at: trx.raw(
          `GREATEST(?, password_changed_at + interval '1 millisecond')`,
          [now()],
        ),
        must_change_password: false,
        devices_reset_at: now(),
      })
    // A stranger with the password may have requested links to an address of their own.
    await oneTimeTokens.withdraw(trx, id, 'password_reset')
    await oneTimeTokens.withdraw(trx, id, 'email_verification', email)
    const endedKeys = await apiKeys.end(change, { user_id: id })
    const { length: sessions } = await families.end(change, { user_id: id }, 'disowned')
    const detail = { sessions, apiKeys: endedKeys }
    await audit.record({ event: 'user.sign_in_disowned', userId: id, ip, detail }, trx)
    const mail = { template: 'reset_password', to: email ?? '', userId: id } as const
    await outbox.put(trx, { ...mail, data: { ip, locale } })
  }
}
