import type { Knex } from 'knex'
import type { AuditEvent } from '../audit/audit-log.ts'
import { later, type Now, secondsBetween } from '../clock.ts'
import type { Revocations } from '../revocations/revocations.ts'
import type { Db } from '../stores/postgres.ts'
import type { RefreshFamilies } from './refresh-families.ts'
import { digestOf, type RefreshTokenCodec, type RefreshTokenContent } from './refresh-token.ts'
import { type FamilyRow, isLive, type Session, sessionOf } from './session.ts'

interface Rooms {
  readonly db: Knex
  readonly codec: RefreshTokenCodec
  readonly families: RefreshFamilies
  readonly revocations: Revocations
  readonly audit: { record(event: AuditEvent, db?: Db): Promise<void> }
  readonly now: Now
  /** How long a spent token is answered with the same successor again. */
  readonly graceSeconds: number
}

/** Who presents the token. */
export interface Presenter {
  readonly clientId: string
  /** How long the session may stay idle after this refresh. */
  readonly idleSeconds: number
  readonly ip?: string | undefined
}

/** What became of a refresh: returned and never thrown, so that nothing decided is rolled back. */
export type Rotation =
  | {
      readonly outcome: 'rotated' | 'repeated'
      readonly session: Session
      readonly roles: readonly string[]
      readonly token: string
    }
  | { readonly outcome: RotationFailure }

export type RotationFailure =
  | 'forged'
  | 'unknown'
  | 'other_client'
  | 'revoked'
  | 'user_disabled'
  | 'expired'
  | 'reused'

/** Refresh token rotation with reuse detection, RFC 9700 §4.14.2. */
export class RefreshRotation {
  readonly #rooms: Rooms

  constructor(rooms: Rooms) {
    this.#rooms = rooms
  }

  /**
   * One conditional UPDATE lets exactly one of many callers win, and says whose session it is and
   * whether they are still welcome. Zero rows is the signal to look why.
   */
  async rotate(token: string, presenter: Presenter): Promise<Rotation> {
    const content = this.#rooms.codec.decode(token)
    if (!content) return { outcome: 'forged' }
    const row = await this.#advance(content, presenter)
    return row ? this.#answer('rotated', row, content) : this.#lookWhy(content, presenter)
  }

  async #advance(
    content: RefreshTokenContent,
    presenter: Presenter,
  ): Promise<FamilyRow | undefined> {
    const now = this.#rooms.now()
    const { rows } = await this.#rooms.db.raw<{ rows: FamilyRow[] }>(
      `UPDATE refresh_families AS family
          SET generation = generation + 1,
              rotated_at = :now,
              idle_expires_at = LEAST(:idleExpiresAt, expires_at)
         FROM users
        WHERE sid = :sid AND generation = :generation AND seed_digest = :digest
          AND client_id = :clientId AND revoked_at IS NULL
          AND expires_at > :now AND idle_expires_at > :now
          AND users.id = family.user_id AND users.disabled_at IS NULL
    RETURNING family.*, users.roles`,
      {
        now,
        idleExpiresAt: later(now, presenter.idleSeconds),
        sid: content.sid,
        generation: content.generation,
        digest: digestOf(content.seed),
        clientId: presenter.clientId,
      },
    )
    return rows[0]
  }

  async #lookWhy(content: RefreshTokenContent, presenter: Presenter): Promise<Rotation> {
    const { families, now, graceSeconds } = this.#rooms
    const row = await families.look(content)
    if (!row) return { outcome: 'unknown' }
    if (row.client_id !== presenter.clientId) return { outcome: 'other_client' }
    if (row.revoked_at) return { outcome: 'revoked' }
    if (row.user_disabled_at) return { outcome: 'user_disabled' }
    if (!isLive(row, now())) return { outcome: 'expired' }
    // Ahead of its row, an authentic token shows that the database went back to a backup.
    if (content.generation >= row.generation) return { outcome: 'unknown' }
    const isLast = content.generation === row.generation - 1
    if (isLast && row.rotated_at && secondsBetween(row.rotated_at, now()) <= graceSeconds) {
      return this.#answer('repeated', row, content)
    }
    await this.#endReused(row, content.generation, presenter)
    return { outcome: 'reused' }
  }

  /** The token was spent and comes again, so it is in two hands: nobody keeps the session. */
  #endReused(row: FamilyRow, generation: number, { clientId, ip }: Presenter): Promise<void> {
    const { families, revocations, audit } = this.#rooms
    return revocations.decide(async (trx, revoke) => {
      const ended = await families.end(trx, revoke, { sid: row.sid }, 'reuse')
      if (ended.length === 0) return
      const detail = { generation, current: row.generation }
      const { sid, user_id: userId } = row
      await audit.record({ event: 'session.reused', userId, clientId, sid, ip, detail }, trx)
    })
  }

  #answer(outcome: 'rotated' | 'repeated', row: FamilyRow, content: RefreshTokenContent): Rotation {
    const token = this.#rooms.codec.encode({ ...content, generation: row.generation })
    return { outcome, session: sessionOf(row), roles: row.roles, token }
  }
}
