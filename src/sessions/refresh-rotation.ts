import type { AuditTrail } from '../audit/audit-log.ts'
import { later, type Now, secondsBetween } from '../clock.ts'
import type { Revocations } from '../revocations/revocations.ts'
import type { RefreshFamilies } from './refresh-families.ts'
import { digestOf, type RefreshTokenCodec, type RefreshTokenContent } from './refresh-token.ts'
import type { Advanced, RotationBatch, RotationRequest } from './rotation-statement.ts'
import { type FamilyRow, isLive, type Session, sessionOf } from './session.ts'
import type { UnansweredRotations } from './unanswered-rotations.ts'

interface Dependencies {
  readonly codec: RefreshTokenCodec
  readonly steps: RotationBatch
  readonly families: RefreshFamilies
  readonly revocations: Revocations
  readonly audit: AuditTrail
  readonly unanswered: UnansweredRotations
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
  /** Whether nobody waits for the answer any more. */
  readonly hasLeft?: (() => Promise<boolean>) | undefined
  /** Whether it has waited for what other instances know. */
  readonly hasWaited?: boolean
}

export interface Rotated {
  /** `ahead`: rotated, and the database had lost generations of it. */
  readonly outcome: 'rotated' | 'repeated' | 'ahead'
  readonly session: Session
  readonly roles: readonly string[]
  readonly token: string
  /** The time that the rotation wrote into the session. */
  readonly rotatedAt: Date
}

/** What became of a refresh: returned and never thrown, so that nothing decided is rolled back. */
export type Rotation = Rotated | { readonly outcome: RotationFailure }

export type RotationFailure =
  | 'forged'
  | 'unknown'
  | 'other_client'
  | 'revoked'
  | 'user_disabled'
  | 'client_disabled'
  | 'expired'
  | 'reused'
  | 'abandoned'

/** PostgreSQL came to it when nobody waited any more. It passes: the caller is answered 503. */
class RotationTooLateError extends Error {
  override readonly name = 'RotationTooLateError'
  readonly code = 'ETIMEDOUT'

  constructor() {
    super('the session was locked for too long')
  }
}

/** PostgreSQL still fails, so another instance may know why nobody was answered. It passes: the caller is answered 503. */
class RotationInDoubtError extends Error {
  override readonly name = 'RotationInDoubtError'
  readonly code = 'ETIMEDOUT'

  constructor() {
    super('a spent refresh token cannot be judged while PostgreSQL fails')
  }
}

/** Refresh token rotation with reuse detection, RFC 9700 §4.14.2. */
export class RefreshRotation {
  readonly #deps: Dependencies

  constructor(deps: Dependencies) {
    this.#deps = deps
  }

  /**
   * One round trip lets exactly one of many callers win, and says whose session it is and whether they
   * are still welcome. No row is the signal to look why.
   */
  async rotate(content: RefreshTokenContent | undefined, presenter: Presenter): Promise<Rotation> {
    const { steps, unanswered } = this.#deps
    if (!content) return { outcome: 'forged' }
    const step = this.#step(content, presenter)
    const row = await unanswered.watch(step.sid, step.now, steps.take(step))
    return row
      ? this.#answer('rotated', row, step.now, content)
      : this.#diagnose(content, presenter)
  }

  /** The caller was not told of this rotation after all: the token is not spent. */
  noteUnanswered({ session, rotatedAt }: Rotated): void {
    this.#deps.unanswered.note(session.sid, rotatedAt)
  }

  #step({ sid, generation, seed }: RefreshTokenContent, presenter: Presenter): RotationRequest {
    const { clientId, idleSeconds } = presenter
    const now = this.#deps.now()
    const idleExpiresAt = later(now, idleSeconds)
    return { sid, generation, digest: digestOf(seed), clientId, now, idleExpiresAt }
  }

  async #diagnose(content: RefreshTokenContent, presenter: Presenter): Promise<Rotation> {
    const row = await this.#deps.families.look(content)
    const refusal = this.#refusal(row, presenter)
    if (!row || refusal) return { outcome: refusal ?? 'unknown' }
    return content.generation < row.generation
      ? this.#judgeSpent(row, content, presenter)
      : this.#waitForTurn(row, content, presenter)
  }

  /** Nothing speaks against it but that somebody had locked the row, or that the row is behind. */
  async #waitForTurn(
    before: FamilyRow,
    content: RefreshTokenContent,
    presenter: Presenter,
  ): Promise<Rotation> {
    const { steps, families, unanswered } = this.#deps
    if (content.generation > before.generation && (await this.#isRevoked(content.sid))) {
      return { outcome: 'revoked' }
    }
    const step = this.#step(content, presenter)
    const turn = steps.rotateAlone(step, presenter.ip)
    const advanced = await unanswered.watch(step.sid, step.now, turn)
    if (advanced) {
      const outcome = advanced.lost > 0 ? 'ahead' : 'rotated'
      return this.#answer(outcome, advanced, step.now, content)
    }
    const row = await families.look(content)
    const refusal = this.#refusal(row, presenter)
    if (!row || refusal) return { outcome: refusal ?? 'unknown' }
    return this.#judgeSpent(row, content, presenter)
  }

  /** A database that has lost generations may have lost the end of the session too: Redis knows it. */
  #isRevoked(sid: string): Promise<boolean> {
    return this.#deps.revocations.isRevokedAny([{ kind: 'sid', value: sid }])
  }

  #refusal(row: FamilyRow | undefined, { clientId }: Presenter): RotationFailure | undefined {
    if (!row) return 'unknown'
    if (row.client_id !== clientId) return 'other_client'
    if (row.revoked_at) return 'revoked'
    if (row.user_disabled_at) return 'user_disabled'
    if (row.client_disabled_at) return 'client_disabled'
    return isLive(row, this.#deps.now()) ? undefined : 'expired'
  }

  async #judgeSpent(
    row: FamilyRow,
    content: RefreshTokenContent,
    presenter: Presenter,
  ): Promise<Rotation> {
    const { now, graceSeconds, unanswered } = this.#deps
    // Not spent after all: the statement came too late, or the database went back meanwhile.
    if (content.generation >= row.generation) throw new RotationTooLateError()
    const rotatedAt = content.generation === row.generation - 1 ? row.rotated_at : null
    if (rotatedAt) {
      if (await unanswered.has(row.sid, rotatedAt)) return this.#redo(row, content, presenter)
      if (secondsBetween(rotatedAt, now()) <= graceSeconds) {
        return this.#answer('repeated', row, rotatedAt, content)
      }
      if (unanswered.isInDoubt) return this.#judgeLater(content, presenter)
    }
    // Read late, by an instance that stood still: its caller went on elsewhere, with a newer token.
    if (await presenter.hasLeft?.()) return { outcome: 'abandoned' }
    await this.#endReused(row, content.generation, presenter)
    return { outcome: 'reused' }
  }

  /** Another instance may know why nobody was answered, and be about to write it. A request waits for it once. */
  async #judgeLater(content: RefreshTokenContent, presenter: Presenter): Promise<Rotation> {
    if (presenter.hasWaited) throw new RotationInDoubtError()
    await this.#deps.unanswered.settle()
    if (await presenter.hasLeft?.()) return { outcome: 'abandoned' }
    return this.#diagnose(content, { ...presenter, hasWaited: true })
  }

  /**
   * A rotation that nobody was told of is done once more, as if it had not been: for whoever comes first.
   * The session shows a new time then, from which the grace is counted.
   */
  async #redo(
    row: FamilyRow,
    content: RefreshTokenContent,
    presenter: Presenter,
  ): Promise<Rotation> {
    const { steps, unanswered } = this.#deps
    const step = this.#step(content, presenter)
    const redone = await unanswered.watch(step.sid, step.now, steps.redo(step, row.rotated_at))
    return redone
      ? this.#answer('repeated', redone, step.now, content)
      : this.#diagnose(content, presenter)
  }

  /** The token was spent and comes again, so it is in two hands: nobody keeps the session. */
  #endReused(row: FamilyRow, generation: number, { clientId, ip }: Presenter): Promise<void> {
    const { families, revocations, audit } = this.#deps
    return revocations.decide(async (change) => {
      const ended = await families.end(change, { sid: row.sid }, 'reuse')
      if (ended.length === 0) return
      const detail = { generation, current: row.generation }
      const { sid, user_id: userId } = row
      await audit.record({ event: 'session.reused', userId, clientId, sid, ip, detail }, change.trx)
    })
  }

  #answer(
    outcome: Rotated['outcome'],
    row: Advanced,
    rotatedAt: Date,
    content: RefreshTokenContent,
  ): Rotation {
    const token = this.#deps.codec.encode({ ...content, generation: row.generation })
    return { outcome, session: sessionOf(row), roles: row.roles, token, rotatedAt }
  }
}
