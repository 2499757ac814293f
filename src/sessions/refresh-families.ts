import { randomBytes } from 'node:crypto'
import type { Knex } from 'knex'
import { v7 as uuidv7 } from 'uuid'
import type { AuditEvent } from '../audit/audit-log.ts'
import { later, type Now } from '../clock.ts'
import type { Revocation } from '../revocations/revocation-log.ts'
import type { Revocations, Revoke } from '../revocations/revocations.ts'
import type { Db } from '../stores/postgres.ts'
import {
  digestOf,
  type RefreshTokenCodec,
  type RefreshTokenContent,
  seedSize,
} from './refresh-token.ts'
import {
  type EndReason,
  type FamilyRow,
  isLive,
  type ListedSession,
  type Session,
  type SessionRow,
  sessionOf,
} from './session.ts'

interface Rooms {
  readonly db: Knex
  readonly codec: RefreshTokenCodec
  readonly revocations: Revocations
  readonly audit: { record(event: AuditEvent, db?: Db): Promise<void> }
  readonly now: Now
  readonly sessionsPerUser: number
  /** How long a revoked session must be remembered: the longest life of an access token and the skew. */
  readonly rememberSeconds: number
}

export interface NewSession {
  readonly user: { readonly id: string; readonly passwordChangedAt: Date }
  readonly clientId: string
  readonly scope: readonly string[]
  readonly audience: readonly string[]
  readonly amr: readonly string[]
  readonly idleSeconds: number
  readonly absoluteSeconds: number
  readonly ip?: string | undefined
  /** What the device says it is; shown to the person. */
  readonly userAgent?: string | undefined
}

/** The sessions of people: a refresh family each, RFC 9700 §4.14.2. */
export class RefreshFamilies {
  readonly #rooms: Rooms

  constructor(rooms: Rooms) {
    this.#rooms = rooms
  }

  /**
   * Begins a session. The rows of the person and the client are locked, so that whoever disables one of
   * them or sets the password meanwhile finds this session or stops it; one too many ends the oldest.
   * @returns undefined when one was disabled or the password changed since they were checked
   */
  async begin(request: NewSession): Promise<{ session: Session; token: string } | undefined> {
    const { codec, now, revocations, audit } = this.#rooms
    const seed = randomBytes(seedSize)
    return revocations.decide(async (trx, revoke) => {
      if (!(await this.#welcome(trx, request))) return undefined
      await this.#endSurplus(trx, revoke, request.user.id)
      const expiresAt = later(now(), request.absoluteSeconds)
      const idleExpiresAt = later(now(), Math.min(request.idleSeconds, request.absoluteSeconds))
      const row = {
        sid: uuidv7(),
        user_id: request.user.id,
        client_id: request.clientId,
        scope: [...request.scope],
        audience: [...request.audience],
        seed_digest: digestOf(seed),
        generation: 0,
        auth_time: now(),
        amr: [...request.amr],
        rotated_at: null,
        idle_expires_at: idleExpiresAt,
        expires_at: expiresAt,
        revoked_at: null,
        revoked_reason: null,
        ip: request.ip ?? null,
        user_agent: request.userAgent?.slice(0, 300) ?? null,
      }
      await trx('refresh_families').insert(row)
      const { sid, user_id: userId, client_id: clientId } = row
      await audit.record({ event: 'user.signed_in', userId, clientId, sid, ip: request.ip }, trx)
      return { session: sessionOf(row), token: codec.encode({ sid: row.sid, generation: 0, seed }) }
    })
  }

  /** The live session of a token that is its newest, for introspection and revocation. */
  async find(token: string): Promise<Session | undefined> {
    const content = this.#rooms.codec.decode(token)
    const row = content && (await this.look(content))
    if (!row || row.generation !== content.generation || row.user_disabled_at) return undefined
    return isLive(row, this.#rooms.now()) ? sessionOf(row) : undefined
  }

  /**
   * Whose session a token of any generation belongs to, live or not: a spent token still ends its
   * session when it is revoked.
   */
  async owner(
    token: string,
  ): Promise<{ sid: string; userId: string; clientId: string } | undefined> {
    const content = this.#rooms.codec.decode(token)
    const row = content && (await this.look(content))
    return row && { sid: row.sid, userId: row.user_id, clientId: row.client_id }
  }

  /** Ends live sessions and revokes every access token that they gave: the `sid` of each goes out. */
  async end(
    trx: Knex.Transaction,
    revoke: Revoke,
    which: { sid: string } | { user_id: string } | { client_id: string },
    reason: EndReason,
    keepSid?: string,
  ): Promise<string[]> {
    const live = trx('refresh_families').where(which).whereNull('revoked_at')
    const ended: { sid: string }[] = await (keepSid ? live.whereNot('sid', keepSid) : live)
      .update({ revoked_at: this.#rooms.now(), revoked_reason: reason })
      .returning('sid')
    await revoke(...ended.map(({ sid }) => this.revocationOf(sid)))
    return ended.map(({ sid }) => sid)
  }

  /** What ends every access token that carries this `sid`. */
  revocationOf(sid: string): Revocation {
    const { now, rememberSeconds } = this.#rooms
    return { kind: 'sid', value: sid, expiresAt: later(now(), rememberSeconds) }
  }

  /** The live sessions of a person, newest first. */
  async list(userId: string): Promise<ListedSession[]> {
    const now = this.#rooms.now()
    const rows: SessionRow[] = await this.#rooms
      .db('refresh_families')
      .where({ user_id: userId, revoked_at: null })
      .where('expires_at', '>', now)
      .where('idle_expires_at', '>', now)
      .orderBy('sid', 'desc')
    return rows.map((row) => ({
      ...sessionOf(row),
      ip: row.ip,
      userAgent: row.user_agent,
      lastUsedAt: row.rotated_at ?? row.auth_time,
    }))
  }

  /** The family that a token belongs to, with its person; undefined when the token is not its own. */
  async look(content: RefreshTokenContent): Promise<FamilyRow | undefined> {
    const row: FamilyRow | undefined = await this.#rooms
      .db('refresh_families')
      .join('users', 'users.id', 'refresh_families.user_id')
      .where({ sid: content.sid })
      .first('refresh_families.*', 'users.roles', 'users.disabled_at as user_disabled_at')
    return row?.seed_digest.equals(digestOf(content.seed)) ? row : undefined
  }

  /**
   * Deletes dead sessions among the next `limit` rows after `cursor`, in the order of their ids: idle
   * expiry is in no index, so the janitor walks the table, a few rows at a time.
   * @returns where to go on; at the end of the table nowhere
   */
  async sweep(
    db: Db,
    cursor: string | null,
    limit: number,
  ): Promise<{ rows: number; cursor: string | null; done: boolean }> {
    const { rememberSeconds, now } = this.#rooms
    const before = later(now(), -rememberSeconds)
    const { rows } = await db.raw<{
      rows: { walked: string; last: string | null; deleted: string }[]
    }>(
      `WITH walked AS (
         SELECT sid FROM refresh_families WHERE sid > ? ORDER BY sid LIMIT ?
       ), deleted AS (
         DELETE FROM refresh_families WHERE sid IN (SELECT sid FROM walked)
            AND (expires_at < ? OR idle_expires_at < ? OR revoked_at < ?) RETURNING 1
       )
       SELECT (SELECT count(*) FROM walked) AS walked,
              (SELECT max(sid::text) FROM walked) AS last,
              (SELECT count(*) FROM deleted) AS deleted`,
      [cursor ?? '00000000-0000-0000-0000-000000000000', limit, before, before, before],
    )
    const [{ walked, last, deleted } = { walked: '0', last: null, deleted: '0' }] = rows
    const done = Number(walked) < limit
    return { rows: Number(deleted), cursor: done ? null : last, done }
  }

  async #welcome(trx: Knex.Transaction, { user, clientId }: NewSession): Promise<boolean> {
    const { rows } = await trx.raw(
      `SELECT 1 FROM users, clients
        WHERE users.id = ? AND users.disabled_at IS NULL
          AND date_trunc('milliseconds', password_changed_at) = ?
          AND clients.id = ? AND clients.disabled_at IS NULL
          FOR NO KEY UPDATE OF users FOR SHARE OF clients`,
      [user.id, user.passwordChangedAt, clientId],
    )
    return rows.length > 0
  }

  /** The oldest sessions make room for the one that begins. */
  async #endSurplus(trx: Knex.Transaction, revoke: Revoke, userId: string): Promise<void> {
    const { sessionsPerUser, now, audit } = this.#rooms
    const surplus: string[] = await trx('refresh_families')
      .where({ user_id: userId })
      .whereNull('revoked_at')
      .where('expires_at', '>', now())
      .where('idle_expires_at', '>', now())
      .orderBy('sid', 'desc')
      .offset(sessionsPerUser - 1)
      .pluck('sid')
    for (const sid of surplus) {
      await this.end(trx, revoke, { sid }, 'session_limit')
      await audit.record({ event: 'session.limit_reached', userId, sid }, trx)
    }
  }
}
