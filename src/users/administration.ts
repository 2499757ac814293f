import type { Knex } from 'knex'
import type { Actor, AuditEventName, AuditTrail } from '../audit/audit-log.ts'
import type { Now } from '../clock.ts'
import type { Outbox } from '../mail/outbox.ts'
import type { Revocations } from '../revocations/revocations.ts'
import type { RefreshFamilies } from '../sessions/refresh-families.ts'
import type { EndReason } from '../sessions/session.ts'
import type { ApiKeys } from '../tokens/api-keys.ts'
import {
  adminRole,
  checkRoles,
  type User,
  UserError,
  type UserRow,
  unknownUser,
  userOf,
} from './user.ts'

interface Dependencies {
  readonly families: RefreshFamilies
  readonly revocations: Revocations
  readonly apiKeys: ApiKeys
  readonly outbox: Outbox
  readonly audit: AuditTrail
  readonly now: Now
}

/** The person after a change, and the number of sessions that it ended. */
export interface Changed {
  readonly user: User
  readonly sessions: number
}

/** Changes that an administrator can request together. */
interface UserChanges {
  readonly roles?: readonly string[] | undefined
  readonly disabled?: boolean | undefined
  readonly mustChangePassword?: true | undefined
  readonly endSessions?: true | undefined
}

/** Changes of people by administrators, each in one transaction with its audit trail and revocations. */
export class UserAdministration {
  readonly #deps: Dependencies

  constructor(deps: Dependencies) {
    this.#deps = deps
  }

  /**
   * Refuses every sign-in and refresh from now on and revokes every access token. Sessions and API keys
   * end for good: a person who is enabled again signs in and creates new keys.
   */
  disable(id: string, actor: Actor = {}): Promise<Changed> {
    return this.change(id, { disabled: true }, actor)
  }

  /**
   * Makes all requested changes or none. New roles are in the next access token; the API for
   * administrators reads them from the table, so there they count at once.
   * @throws UserError
   */
  async change(id: string, requested: UserChanges, actor: Actor = {}): Promise<Changed> {
    if (requested.roles) checkRoles(requested.roles)
    const { revocations, families, apiKeys, audit, now } = this.#deps
    return revocations.decide(async (change) => {
      const { trx } = change
      const before = await lock(trx, id)
      const changes = effectiveChanges(before, requested)
      const { roles, disabled, mustChangePassword } = changes
      if (disabled || (roles && !roles.includes(adminRole))) {
        await assertAdminRemains(trx, actor, before)
      }
      const columns = {
        ...(roles && { roles: [...roles] }),
        ...(disabled !== undefined && { disabled_at: disabled ? now() : null }),
        ...(mustChangePassword && { must_change_password: true }),
      }
      const hasChanged = Object.keys(columns).length > 0
      if (hasChanged) await trx('users').where({ id }).update(columns)
      let sessions = 0
      for (const { event, ends, detail } of eventsOf(changes)) {
        const ended = ends ? await families.end(change, { user_id: id }, ends) : []
        if (event === 'user.sessions_ended' && ended.length === 0 && !hasChanged) continue
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

  async noteUnlocked(id: string, { actorId, ip }: Actor): Promise<void> {
    const detail = { by: actorId }
    await this.#deps.audit.record({ event: 'user.unlocked', userId: id, ip, detail })
  }

  /**
   * Deletes a person and their sessions and API keys. The audit trail stays; cleanup.ts later removes
   * from it what could name the person.
   * @param isExpected whether the row is still to be deleted, once it is locked
   * @throws UserError `unknown` or `last_admin`
   */
  async delete(
    id: string,
    actor: Actor = {},
    isExpected: (row: UserRow) => boolean = () => true,
  ): Promise<Changed> {
    const { revocations, families, apiKeys, audit, now } = this.#deps
    return revocations.decide(async (change) => {
      const { trx } = change
      const before = await lock(trx, id)
      if (!isExpected(before)) throw new UserError('unknown', 'The person has changed meanwhile.')
      await assertAdminRemains(trx, actor, before)
      const user = userOf(before)
      const { length: sessions } = await families.end(change, { user_id: id }, 'user_deleted')
      await apiKeys.end(change, { user_id: id })
      await trx('users').where({ id }).delete()
      const deleted = { id, deleted_at: now() }
      await trx('deleted_users').insert(deleted).onConflict('id').merge()
      const event = { event: 'user.deleted', userId: id } as const
      if (actor.actorId === id) await audit.record(event, trx)
      else await audit.recordChange(change, { ...event, detail: { sessions } })
      await this.#notifyDeleted(trx, user, actor)
      return { user, sessions }
    }, actor)
  }

  /** ASVS 6.3.7. Mails to the address that name no person are deleted as well. */
  async #notifyDeleted(trx: Knex.Transaction, user: User, actor: Actor) {
    const { id, email, emailVerifiedAt } = user
    if (!email) return
    await this.#deps.outbox.withdraw(trx, email)
    if (!emailVerifiedAt) return
    // The mail names no person, in whose row its language could be looked up.
    const data = {
      ip: actor.actorId === id ? actor.ip : undefined,
      locale: user.locale ?? undefined,
    }
    await this.#deps.outbox.put(trx, { template: 'account_deleted', to: email, data })
  }
}

/** Locks the row before anything else of the person, so that no two changes wait for each other. */
async function lock(trx: Knex.Transaction, id: string): Promise<UserRow> {
  const row: UserRow | undefined = await trx('users').where({ id }).forUpdate().first()
  if (!row) throw unknownUser()
  return row
}

/** The requested changes without those that change nothing. */
function effectiveChanges(before: UserRow, requested: UserChanges): UserChanges {
  const roles = requested.roles && [...new Set(requested.roles)]
  const sameRoles =
    roles?.length === before.roles.length && roles.every((role) => before.roles.includes(role))
  const isDisabled = before.disabled_at !== null
  return {
    roles: sameRoles ? undefined : roles,
    disabled: requested.disabled === isDisabled ? undefined : requested.disabled,
    mustChangePassword: before.must_change_password ? undefined : requested.mustChangePassword,
    endSessions: requested.endSessions,
  }
}

interface ChangeEvent {
  readonly event: AuditEventName
  /** Why the change ends all sessions, if it does. */
  readonly ends?: EndReason
  readonly detail?: Record<string, unknown>
}

/** One audit event for each change. */
function eventsOf({ roles, disabled, mustChangePassword, endSessions }: UserChanges) {
  const events: ChangeEvent[] = []
  if (roles) events.push({ event: 'user.roles_changed', detail: { roles } })
  if (disabled) events.push({ event: 'user.disabled', ends: 'user_disabled' })
  if (disabled === false) events.push({ event: 'user.enabled' })
  if (mustChangePassword) {
    events.push({ event: 'user.password_change_required', ends: 'password_change_required' })
  }
  if (endSessions) events.push({ event: 'user.sessions_ended', ends: 'ended_by_admin' })
  return events
}

/** Any number that no other program on this database is likely to lock. */
const adminsLock = 7_468_387

/**
 * Keeps the last administrator from being demoted, disabled or deleted. The transaction has locked the
 * row of an administrator; one such transaction at a time looks for another administrator, so that of
 * two who demote each other at once the second sees what the first did. The command line may demote
 * the last one: the next administrator is created there, and the last account may be stolen.
 * @throws UserError `last_admin`
 */
async function assertAdminRemains(
  trx: Knex.Transaction,
  { actorId }: Actor,
  leaving: UserRow,
): Promise<void> {
  const isAdmin = leaving.disabled_at === null && leaving.roles.includes(adminRole)
  if (actorId === undefined || !isAdmin) return
  await trx.raw('SELECT pg_advisory_xact_lock(?)', [adminsLock])
  const other = await trx('users')
    .whereRaw(`roles @> ARRAY[?] AND roles <> '{}'`, [adminRole])
    .whereNull('disabled_at')
    .whereNot({ id: leaving.id })
    .first('id')
  if (other) return
  throw new UserError('last_admin', 'This is the last administrator. Create another one first.')
}
