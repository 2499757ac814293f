import type { AuditEventName } from '../audit/audit-log.ts'
import type { EndReason } from '../sessions/session.ts'
import type { UserRow } from './user.ts'

/** What can be wished for in one go. */
export interface UserChanges {
  readonly roles?: readonly string[] | undefined
  readonly disabled?: boolean | undefined
  readonly mustChangePassword?: true | undefined
  readonly endSessions?: true | undefined
}

/** A part of a change: what the trail calls it, and why it ends the sessions, if it does. */
interface Step {
  readonly event: AuditEventName
  readonly ends?: EndReason
  readonly detail?: Record<string, unknown>
}

/** Of the wishes those that change something. */
export function changesOf(before: UserRow, wished: UserChanges): UserChanges {
  const roles = wished.roles && [...new Set(wished.roles)]
  const sameRoles =
    roles?.length === before.roles.length && roles.every((role) => before.roles.includes(role))
  const isDisabled = before.disabled_at !== null
  return {
    roles: sameRoles ? undefined : roles,
    disabled: wished.disabled === isDisabled ? undefined : wished.disabled,
    mustChangePassword: before.must_change_password ? undefined : wished.mustChangePassword,
    endSessions: wished.endSessions,
  }
}

/** What the wishes come to, each with its own place in the trail. */
export function* stepsOf({ roles, disabled, mustChangePassword, endSessions }: UserChanges) {
  const steps: (Step | false | undefined)[] = [
    roles && { event: 'user.roles_changed', detail: { roles } },
    disabled && { event: 'user.disabled', ends: 'user_disabled' },
    disabled === false && { event: 'user.enabled' },
    mustChangePassword && {
      event: 'user.password_change_required',
      ends: 'password_change_required',
    },
    endSessions && { event: 'user.sessions_ended', ends: 'ended_by_admin' },
  ]
  for (const step of steps) if (step) yield step
}
