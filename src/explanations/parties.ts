import type { AuditEventName } from '../audit/audit-log.ts'
import type { EndReason, SessionRow } from '../sessions/session.ts'
import { readSession } from '../sessions/session-reads.ts'
import { type Check, failed, passed, relative, skipped } from './explanation.ts'
import { because, clientOf, eventAt, newestEvent, type Sources } from './sources.ts'

/** Why a session has ended, in words, and the events that record it. */
const reasons: Readonly<
  Record<EndReason, readonly [text: string, events: readonly AuditEventName[]]>
> = {
  reuse: ['a refresh token that was spent came back, so two parties had it', ['session.reused']],
  token_revoked: ['its client revoked it', ['session.revoked']],
  user_disabled: ['the person was disabled', ['user.disabled']],
  password_set: ['the password was changed', ['user.password_set']],
  disowned: ['the person said that a sign-in was not theirs', ['user.sign_in_disowned']],
  client_disabled: ['the client was disabled', ['client.disabled', 'client.deleted']],
  session_limit: [
    'the person had more sessions than the limit',
    ['session.limit_reached', 'user.signed_in'],
  ],
  password_change_required: [
    'the person must change their password',
    ['user.password_change_required'],
  ],
  ended_by_admin: ['an administrator ended it', ['user.sessions_ended']],
  user_deleted: ['the person was deleted', ['user.deleted']],
  signed_out: [
    'the person signed out',
    ['user.signed_out', 'session.revoked', 'user.sessions_ended'],
  ],
  revocation_recovered: [
    'Redis had its revocation, which PostgreSQL had lost',
    ['revocations.recovered'],
  ],
  replaced: ['another sign-in in the same browser replaced it', ['user.signed_in']],
  code_reused: ['the authorization code that began it was presented again', ['session.reused']],
  consent_withdrawn: ['the person withdrew their consent', ['consent.withdrawn']],
  expired: ['it expired', []],
}

interface Ended {
  readonly sid?: string | undefined
  readonly userId: string
  readonly clientId?: string | undefined
  readonly at: Date
  readonly reason: string | null
}

/** When and why something of a person ended, and the event that records it. */
export async function endedText(sources: Sources, ended: Ended): Promise<string> {
  const { sid, userId, clientId, at, reason } = ended
  const [text, events] = reasons[reason as EndReason] ?? [reason ?? 'no reason was recorded', []]
  const subjects = [...(sid ? [{ sid }] : []), { userId }, ...(clientId ? [{ clientId }] : [])]
  const event = await eventAt(sources, subjects, at, events)
  return `ended ${relative(at, sources.now())}: ${text}${because(event)}`
}

/** The person: known and enabled. */
export async function personCheck(sources: Sources, userId: string): Promise<Check> {
  const user = await sources.users.find(userId)
  if (!user) {
    const event = await newestEvent(sources, { userId, event: 'user.deleted' })
    const state = event ? 'was deleted' : 'is unknown'
    return failed('person', `${userId} ${state}${because(event)}`)
  }
  const now = sources.now()
  if (user.disabledAt) {
    const event = await eventAt(sources, [{ userId }], user.disabledAt, ['user.disabled'])
    return failed(
      'person',
      `${userId} was disabled ${relative(user.disabledAt, now)}${because(event)}`,
    )
  }
  const remarks = [
    ...(user.mustChangePassword ? ['must change the password before signing in'] : []),
    ...(user.email !== null && !user.emailVerifiedAt
      ? ['has an address that is not verified']
      : []),
  ]
  return passed('person', [`${userId} is enabled`, ...remarks].join('; '))
}

/** The client: known and enabled. */
export async function clientCheck(sources: Sources, clientId: string): Promise<Check> {
  const client = await clientOf(sources, clientId)
  if (!client) {
    const event = await newestEvent(sources, { clientId, event: 'client.deleted' })
    const state = event ? 'was deleted' : 'is unknown'
    return failed('client', `${clientId} ${state}${because(event)}`)
  }
  if (!client.disabledAt) return passed('client', `${clientId} is enabled`)
  const event = await eventAt(sources, [{ clientId }], client.disabledAt, ['client.disabled'])
  const since = relative(client.disabledAt, sources.now())
  return failed('client', `${clientId} was disabled ${since}${because(event)}`)
}

/** The session: it neither ended nor expired. */
export async function sessionCheck(sources: Sources, sid: string): Promise<Check> {
  const row = await readSession(sources.db, sid)
  if (!row) {
    return skipped('session', `there is no session ${sid} (any more): expired ones are deleted`)
  }
  if (row.revoked_at) return failed('session', await endText(sources, row, row.revoked_at))
  const expired = expiryText(row, sources.now())
  if (expired) return failed('session', expired)
  return passed('session', `${sid} lives until ${relative(endOf(row), sources.now())}`)
}

/** When and why a session ended. */
export async function endText(sources: Sources, row: SessionRow, at: Date): Promise<string> {
  const { sid, user_id: userId, client_id: clientId, revoked_reason: reason } = row
  return `${sid} ${await endedText(sources, { sid, userId, clientId, at, reason })}`
}

const endOf = (row: SessionRow): Date =>
  row.idle_expires_at < row.expires_at ? row.idle_expires_at : row.expires_at

/** How a session expired; undefined while it did not. */
export function expiryText(row: SessionRow, now: Date): string | undefined {
  if (row.expires_at <= now) return `${row.sid} expired ${relative(row.expires_at, now)}`
  if (row.idle_expires_at > now) return undefined
  return `${row.sid} was not used and expired ${relative(row.idle_expires_at, now)}`
}
