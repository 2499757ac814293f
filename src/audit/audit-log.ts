import { later, type Now } from '../clock.ts'
import type { ExpiringRows } from '../stores/delete-expired.ts'
import type { Db } from '../stores/postgres.ts'

/** The author of a change: a person, with the address of the request; empty on the command line. */
export interface Actor {
  readonly actorId?: string | undefined
  readonly ip?: string | undefined
}

/** The actor as the detail of an event names it. */
export const byActor = ({ actorId }: Actor): { by?: string } =>
  actorId === undefined ? {} : { by: actorId }

/** The names of events. They are stable: operators search for them. */
export type AuditEventName =
  | 'user.signed_in'
  | 'user.sign_in_failed'
  | 'user.sign_in_disowned'
  | 'user.reauthenticated'
  | 'user.signed_out'
  | 'user.created'
  | 'user.disabled'
  | 'user.enabled'
  | 'user.password_set'
  | 'user.password_reset_requested'
  | 'user.password_change_required'
  | 'user.registered'
  | 'user.registration_repeated'
  | 'user.email_verified'
  | 'user.email_verification_failed'
  | 'user.email_change_requested'
  | 'user.email_changed'
  | 'user.profile_changed'
  | 'user.exported'
  | 'user.roles_changed'
  | 'user.sessions_ended'
  | 'user.unlocked'
  | 'user.deleted'
  | 'user.imported'
  | 'api_key.created'
  | 'api_key.revoked'
  | 'consent.given'
  | 'consent.withdrawn'
  | 'client.enabled'
  | 'client.changed'
  | 'client.deleted'
  | 'client.authentication_failed'
  | 'client.created'
  | 'client.secret_rotated'
  | 'client.disabled'
  | 'session.begun'
  | 'session.reused'
  | 'session.ahead'
  | 'session.revoked'
  | 'session.limit_reached'
  | 'revocations.recovered'
  | 'token.revoked'
  | 'token.revocation_refused'
  | 'doctor.checked'
  | 'key.created'
  | 'key.imported'
  | 'key.rotation_planned'
  | 'key.revoked'

export interface AuditEvent {
  readonly event: AuditEventName
  readonly userId?: string | undefined
  readonly clientId?: string | undefined
  readonly sid?: string | undefined
  /** Address of the caller; absent on the command line. */
  readonly ip?: string | undefined
  /** Must not hold a secret, a password or a token. */
  readonly detail?: Readonly<Record<string, unknown>> | undefined
}

/** A row of the table. */
export interface RecordedEvent {
  id: string
  at: Date
  event: string
  user_id: string | null
  client_id: string | null
  sid: string | null
  ip: string | null
  detail: Record<string, unknown>
}

interface AuditFilter {
  readonly userId?: string | undefined
  readonly clientId?: string | undefined
  readonly event?: string | undefined
  readonly sid?: string | undefined
  readonly from?: Date | undefined
  readonly until?: Date | undefined
}

const settleSeconds = 60

/** The trail of security events. A use case records its events in its own transaction. */
export class AuditLog {
  readonly #db: Db
  readonly #now: Now

  constructor(db: Db, now: Now) {
    this.#db = db
    this.#now = now
  }

  async record(event: AuditEvent, db: Db = this.#db): Promise<void> {
    await db('audit_events').insert({
      at: this.#now(),
      event: event.event,
      user_id: event.userId,
      client_id: event.clientId,
      sid: event.sid,
      ip: event.ip,
      detail: JSON.stringify(event.detail ?? {}),
    })
  }

  /** Records an event in the transaction of a change, with the address and the id of its actor. */
  recordChange(
    { trx, actor }: { readonly trx: Db; readonly actor: Actor },
    event: Omit<AuditEvent, 'ip'>,
  ): Promise<void> {
    const detail = { ...byActor(actor), ...event.detail }
    return this.record({ ...event, ip: actor.ip, detail }, trx)
  }

  /** A page, newest first; `after` is the id of the last event of the previous page. */
  async page(filter: AuditFilter, limit: number, after?: string): Promise<RecordedEvent[]> {
    const { userId, clientId, event, sid, from, until } = filter
    const query = this.#db<RecordedEvent>('audit_events').orderBy('id', 'desc').limit(limit)
    if (userId !== undefined) query.where('user_id', userId)
    if (clientId !== undefined) query.where('client_id', clientId)
    if (event !== undefined) query.where('event', event)
    if (sid !== undefined) query.where('sid', sid)
    if (from) query.where('at', '>=', from)
    if (until) query.where('at', '<', until)
    if (after !== undefined) query.where('id', '<', after)
    return query
  }

  /**
   * The next events after one, in their order, without those of the last minute: ids are not given in the order
   * of commits, and a transaction may still be open.
   */
  async settledAfter(id: string, limit: number): Promise<RecordedEvent[]> {
    const settled = later(this.#now(), -settleSeconds)
    const events = await this.#db<RecordedEvent>('audit_events')
      .where('id', '>', id)
      .orderBy('id')
      .limit(limit)
    const recent = events.findIndex(({ at }) => at >= settled)
    return recent < 0 ? events : events.slice(0, recent)
  }

  async newest(): Promise<RecordedEvent | undefined> {
    return this.#db<RecordedEvent>('audit_events').orderBy('id', 'desc').first()
  }

  /** Which of these events there are, by id. */
  async present(ids: readonly string[]): Promise<Map<string, RecordedEvent>> {
    const events = await this.#db<RecordedEvent>('audit_events').whereIn('id', [...ids])
    return new Map(events.map((event) => [event.id, event]))
  }

  /**
   * Removes everything that could identify a person from the events about them, in the order of the
   * events after `cursor`. The event of their deletion stays whole.
   * @returns how many of `limit` events were looked at, and where to go on
   */
  async erase(
    userId: string,
    cursor: string,
    limit: number,
    db: Db = this.#db,
  ): Promise<{ seen: number; cursor: string }> {
    const { rows } = await db.raw<{ rows: [{ seen: string; last: string | null }] }>(
      `WITH found AS MATERIALIZED (
         SELECT id FROM audit_events WHERE user_id = ? AND id > ? ORDER BY id LIMIT ?
       ), erased AS (
         UPDATE audit_events SET ip = NULL, detail = '{}'
          WHERE id = ANY (ARRAY(SELECT id FROM found)) AND event <> 'user.deleted'
       )
       SELECT count(*) AS seen, max(id) AS last FROM found`,
      [userId, cursor, limit],
    )
    const [{ seen, last }] = rows
    return { seen: Number(seen), cursor: last ?? cursor }
  }
}

export const oldEvents: ExpiringRows = { table: 'audit_events', columns: ['at'] }

/** The part of the log that use cases need. */
export type AuditTrail = Pick<AuditLog, 'record' | 'recordChange'>
