import type { Knex } from 'knex'
import type { Actor, AuditTrail } from '../audit/audit-log.ts'
import type { Now } from '../clock.ts'
import type { Outbox } from '../mail/outbox.ts'
import type { Revocations } from '../revocations/revocations.ts'
import type { RefreshFamilies } from '../sessions/refresh-families.ts'
import type { ApiKeys } from '../tokens/api-keys.ts'
import { assertAdminRemains } from './last-admin.ts'
import { adminRole, isRole, type User, UserError, type UserRow, userOf } from './user.ts'
import { changesOf, stepsOf, type UserChanges } from './user-changes.ts'

interface Dependencies {
  readonly families: RefreshFamilies
  readonly apiKeys: ApiKeys
  readonly revocations: Revocations
  readonly outbox: Outbox
  readonly audit: AuditTrail
  readonly now: Now
}

/** What was done and how many sessions it ended. */
export interface Changed {
  readonly user: User
  readonly sessions: number
}

/** What administrators do to people, each one transaction with its trail and its revocations. */
export class UserAdministration {
  readonly #deps: Dependencies

  constructor(deps: Dependencies) {
    this.#deps = deps
  }

  /**
   * No sign-in and no refresh from now on; every access token is revoked at once. API keys are gone for
   * good, as sessions are: whoever comes back makes new ones.
   */
  disable(id: string, actor: Actor = {}): Promise<Changed> {
    return this.change(id, { disabled: true }, actor)
  }

  /** Ends every session; signing in is refused until the password was reset by mail or command line. */
  requireNewPassword(id: string, actor: Actor = {}): Promise<Changed> {
    return this.change(id, { mustChangePassword: true }, actor)
  }

  /**
   * All of it or nothing. The next token has new roles; an administrator's request asks the table, so
   * there they count at once.
   * @throws UserRefused
   */
  async change(id: string, wished: UserChanges, actor: Actor = {}): Promise<Changed> {
    if (wished.roles && !wished.roles.every(isRole)) {
      throw new UserError('malformed', 'A role is 1 to 64 letters, digits or . _ : -')
    }
    const { revocations, families, apiKeys, audit, now } = this.#deps
    return revocations.decide(async (change) => {
      const { trx } = change
      const before = await locked(trx, id)
      const changes = changesOf(before, wished)
      const { roles, disabled, mustChangePassword } = changes
      if (disabled || (roles && !roles.includes(adminRole))) {
        await assertAdminRemains(trx, actor, before)
      }
      const columns = {
        ...(roles && { roles: [...roles] }),
        ...(disabled !== undefined && { disabled_at: disabled ? now() : null }),
        ...(mustChangePassword && { must_change_password: true }),
      }
      const changed = Object.keys(columns).length > 0
      if (changed) await trx('users').where({ id }).update(columns)
      let sessions = 0
      for (const { event, ends, detail } of stepsOf(changes)) {
        const ended = ends ? await families.end(change, { user_id: id }, ends) : []
        if (event === 'user.sessions_ended' && ended.length === 0 && !changed) continue
        await audit.recordChange(change, {
          event,
          userId: id,
          detail: { ...detail, sessions: ended.length },
        })
        sessions += ended.length
      }
      if (disabled) await apiKeys.end(change, { user_id: id })
      return { user: userOf({ ...before, ...columns }), sessions }
    }, actor)
  }

  async noteUnlocked(id: string, actor: Actor): Promise<void> {
    const { actorId, ip } = actor
    const detail = { by: actorId }
    await this.#deps.audit.record({ event: 'user.unlocked', userId: id, ip, detail })
  }

  /**
   * The person is gone with this transaction, and so is every session. The trail stays; what could name
   * the person is taken out of it afterwards, in pieces: erasure.ts.
   */
  async delete(
    id: string,
    actor: Actor = {},
    still: (row: UserRow) => boolean = () => true,
  ): Promise<Changed> {
    const { revocations, families, apiKeys, audit, now } = this.#deps
    return revocations.decide(async (change) => {
      const { trx } = change
      const before = await locked(trx, id)
      if (!still(before)) throw new UserError('unknown', 'They verified their address.')
      await assertAdminRemains(trx, actor, before)
      const user = userOf(before)
      const { length: sessions } = await families.end(change, { user_id: id }, 'user_deleted')
      await apiKeys.end(change, { user_id: id })
      await trx('users').where({ id }).delete()
      const deleted = { id, deleted_at: now() }
      await trx('deleted_users').insert(deleted).onConflict('id').merge()
      if (actor.actorId === id) await audit.record({ event: 'user.deleted', userId: id }, trx)
      else
        await audit.recordChange(change, {
          event: 'user.deleted',
          userId: id,
          detail: { sessions },
        })
      await this.#sayFarewell(trx, user, actor)
      return { user, sessions }
    }, actor)
  }

  /** ASVS 6.3.7. Mails that named no person but went to their address go with them. */
  async #sayFarewell(trx: Knex.Transaction, { id, email, emailVerifiedAt }: User, actor: Actor) {
    if (!email) return
    await trx('outgoing_mail').whereRaw('lower(recipient) = lower(?)', [email]).delete()
    if (!emailVerifiedAt) return
    const data = actor.actorId === id ? { ip: actor.ip } : {}
    await this.#deps.outbox.put(trx, { template: 'account_deleted', to: email, data })
  }
}

/** The row is locked, whatever changes: the order is the person first, then what is theirs. */
async function locked(trx: Knex.Transaction, id: string): Promise<UserRow> {
  const row: UserRow | undefined = await trx('users').where({ id }).forUpdate().first()
  if (!row) throw new UserError('unknown', 'There is no such user.')
  return row
}
