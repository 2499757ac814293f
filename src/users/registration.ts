import type { Knex } from 'knex'
import { v7 as uuidv7 } from 'uuid'
import type { AuditTrail } from '../audit/audit-log.ts'
import { later, type Now } from '../clock.ts'
import type { Outbox } from '../mail/outbox.ts'
import type { Passwords } from '../passwords/passwords.ts'
import { insertUser } from './new-user.ts'
import { normalName, type User } from './user.ts'
import type { Users } from './users.ts'

interface Dependencies {
  readonly db: Knex
  readonly users: Users
  readonly passwords: Passwords
  readonly outbox: Outbox
  readonly audit: AuditTrail
  readonly now: Now
  /** After so many days without a proof the person is deleted; 0: never. */
  readonly unverifiedDays: number
}

export interface RegistrationRequest {
  readonly username?: string | undefined
  readonly email: string
  readonly fullName?: string | undefined
  readonly password: string
  readonly ip: string
}

export interface Registered {
  /** What the caller is shown: the same for an address that is somebody's already. */
  readonly user: User
  /** False when the address or the username was taken: the owner of the address is told by mail. */
  readonly fresh: boolean
}

/** People who add themselves. */
export class Registration {
  readonly #deps: Dependencies

  constructor(deps: Dependencies) {
    this.#deps = deps
  }

  /**
   * Registers a person and sends them a link. Nobody learns from the answer whether an address or a
   * username is taken (ASVS 6.3.8): the mail tells whoever reads that address.
   * @throws PasswordRefused
   */
  async register(request: RegistrationRequest): Promise<Registered> {
    const { db, users, passwords, outbox, audit, now, unverifiedDays } = this.#deps
    const { password, ip, ...input } = request
    const personal = [input.username, input.email, input.fullName].filter(
      (text) => text !== undefined,
    )
    const hash = await passwords.hash(password, personal, ip)
    return db.transaction(async (trx) => {
      // Looked up in either case, so that both answers have the same to do.
      const owner = await users.findByEmail(request.email, trx)
      const verifyBy = unverifiedDays === 0 ? null : later(now(), unverifiedDays * 86_400)
      const user = await insertUser(trx, { ...input, password, verifyBy }, hash, now())
      if (user) {
        const to = normalName(request.email)
        await outbox.put(trx, { template: 'verify_email', to, userId: user.id, data: { ip } })
        await audit.record({ event: 'user.registered', userId: user.id, ip }, trx)
        return { user, fresh: true }
      }
      await this.#tellOwner(trx, owner, request)
      return { user: this.#asIfRegistered(request), fresh: false }
    })
  }

  async #tellOwner(
    trx: Knex.Transaction,
    owner: User | undefined,
    { email, username, ip }: RegistrationRequest,
  ): Promise<void> {
    const { outbox, audit } = this.#deps
    const template = owner ? 'registration_attempt' : 'username_taken'
    const to = owner?.email ?? normalName(email)
    const data = { ip, username }
    await outbox.put(trx, { template, to, ...(owner && { userId: owner.id }), data })
    await audit.record({ event: 'user.registration_repeated', userId: owner?.id, ip }, trx)
  }

  #asIfRegistered({ username, email, fullName }: RegistrationRequest): User {
    const now = this.#deps.now()
    return {
      id: uuidv7(),
      username: username === undefined ? null : normalName(username),
      email: normalName(email),
      emailVerifiedAt: null,
      fullName: fullName?.trim() || null,
      roles: [],
      mustChangePassword: false,
      passwordChangedAt: now,
      createdAt: now,
      disabledAt: null,
    }
  }
}
