import type { Knex } from 'knex'
import type { AuditTrail } from '../audit/audit-log.ts'
import { later, type Now } from '../clock.ts'
import type { Outbox } from '../mail/outbox.ts'
import type { Passwords } from '../passwords/passwords.ts'
import { insertUser, newUserRow } from './new-user.ts'
import { normalName, type User, userOf } from './user.ts'
import type { Users } from './users.ts'

interface Dependencies {
  readonly db: Knex
  readonly users: Users
  readonly passwords: Passwords
  readonly outbox: Outbox
  readonly audit: AuditTrail
  readonly now: Now
  /** People who have not verified their address after this many days are deleted; 0: never. */
  readonly unverifiedDays: number
}

interface RegistrationRequest {
  /** The same for two copies of a form, so that the second one is no attempt on a taken address. */
  readonly id?: string | undefined
  readonly username?: string | undefined
  readonly email: string
  readonly fullName?: string | undefined
  readonly password: string
  /** BCP 47: the language in which they register. */
  readonly locale?: string | undefined
  /** True if a page waits for the code of the mail. */
  readonly hasCode?: boolean | undefined
  readonly ip: string
}

interface Registered {
  /** For the answer, which looks the same for an address that is taken. */
  readonly user: User
  /** False when the address or the username was taken: then a mail informs the owner of the address. */
  readonly isNew: boolean
}

/** People register themselves. */
export class Registration {
  readonly #deps: Dependencies

  constructor(deps: Dependencies) {
    this.#deps = deps
  }

  /**
   * Registers a person and sends them a link. The answer does not reveal whether an address or a
   * username is taken (ASVS 6.3.8); the mail tells the reader of that address.
   * @throws PasswordError when the policy refuses the password
   * @throws UserError `malformed`
   */
  async register(request: RegistrationRequest): Promise<Registered> {
    const { db, users, passwords, outbox, audit, now, unverifiedDays } = this.#deps
    const { password, ip, hasCode, ...input } = request
    const personal = [input.username, input.email, input.fullName].filter(
      (text) => text !== undefined,
    )
    const hash = await passwords.hash(password, personal, ip)
    return db.transaction(async (trx) => {
      // Looked up in either case, so that both answers take the same time.
      const owner = await users.findByEmail(request.email, trx)
      const verifyBy = unverifiedDays === 0 ? null : later(now(), unverifiedDays * 86_400)
      const row = newUserRow({ ...input, verifyBy }, hash, now())
      const isNew = await insertUser(trx, row)
      if (isNew) {
        const to = normalName(request.email)
        await outbox.put(trx, {
          template: 'verify_email',
          to,
          userId: row.id,
          data: { ip, hasCode },
        })
        await audit.record({ event: 'user.registered', userId: row.id, ip }, trx)
      } else if (owner === undefined || owner.id !== request.id) {
        await this.#notifyOwner(trx, owner, request)
      }
      return { user: userOf(row), isNew }
    })
  }

  async #notifyOwner(
    trx: Knex.Transaction,
    owner: User | undefined,
    { email, username, locale, ip }: RegistrationRequest,
  ): Promise<void> {
    const { outbox, audit } = this.#deps
    const template = owner ? 'registration_attempt' : 'username_taken'
    const to = owner?.email ?? normalName(email)
    const data = { ip, username, locale }
    await outbox.put(trx, { template, to, ...(owner && { userId: owner.id }), data })
    await audit.record({ event: 'user.registration_repeated', userId: owner?.id, ip }, trx)
  }
}
