import type { AuditTrail } from '../audit/audit-log.ts'
import { later, type Now, secondsBetween } from '../clock.ts'
import { digestSecret } from '../oauth/opaque-token.ts'
import type { Revocations } from '../revocations/revocations.ts'
import type { RefreshFamilies } from './refresh-families.ts'
import type { RefreshTokenCodec, RefreshTokenContent } from './refresh-token.ts'
import type { Advanced, RotationBatch, RotationRequest } from './rotation-batch.ts'
import { type FamilyRow, isLive, type Session, sessionOf } from './session.ts'
import type { UnansweredRotations } from './unanswered-rotations.ts'

interface Dependencies {
  readonly codec: RefreshTokenCodec
  readonly batch: RotationBatch
  readonly families: RefreshFamilies
  readonly revocations: Revocations
  readonly audit: AuditTrail
  readonly unanswered: UnansweredRotations
  readonly now: Now
  /** How long a spent token is answered with the same successor. */
  readonly graceSeconds: number
}

/** The request that presents a token. */
interface Presenter {
  readonly clientId: string
  /** How long the session may stay idle after this refresh. */
  readonly idleSeconds: number
  readonly ip?: string | undefined
  /** True if the caller has closed its connection. */
  readonly hasLeft?: (() => Promise<boolean>) | undefined
  /** The request has waited for other instances to record unanswered rotations. */
  readonly hasWaited?: boolean
}

interface Rotated {
  /** `ahead`: rotated, and the database had lost generations of it. */
  readonly outcome: 'rotated' | 'repeated' | 'ahead'
  readonly session: Session
  readonly roles: readonly string[]
  readonly token: string
  /** The time that the rotation wrote into the session. */
  readonly rotatedAt: Date
}

/** The outcome of a refresh: returned and never thrown, so that no decision is rolled back. */
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

/** The outcome that presenting a token would have, and the row that decides it. */
export interface Foreseen {
  readonly row: FamilyRow | undefined
  readonly outcome: Rotated['outcome'] | RotationFailure
}

/** PostgreSQL ran the statement after its caller had given up. Temporary: answered with 503. */
class RotationTooLateError extends Error {
  override readonly name = 'RotationTooLateError'
  readonly code = 'ETIMEDOUT'

  constructor() {
    super('the session was locked for too long')
  }
}

/** PostgreSQL still fails, and another instance may have an unanswered rotation to record. Temporary: answered with 503. */
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
   * One round trip lets exactly one of many callers win, and checks session, person and client. No row
   * means that something did not match: then a second query finds out what.
   */
  async rotate(content: RefreshTokenContent | undefined, presenter: Presenter): Promise<Rotation> {
    const { batch, unanswered } = this.#deps
    if (!content) return { outcome: 'forged' }
    const request = this.#requestOf(content, presenter)
    const row = await unanswered.watch(request.sid, request.now, batch.rotate(request))
    return row
      ? this.#answer('rotated', row, request.now, content)
      : this.#diagnose(content, presenter)
  }

  /**
   * Foresees the outcome of presenting a token, without doing it: for operators.
   * @param clientId the client that presents it; its own one if absent
   */
  async foresee(content: RefreshTokenContent, clientId?: string): Promise<Foreseen> {
    const row = await this.#deps.families.load(content)
    const refusal = this.#refusal(row, { clientId: clientId ?? row?.client_id ?? '' })
    if (!row || refusal) return { row, outcome: refusal ?? 'unknown' }
    if (content.generation > row.generation) {
      return { row, outcome: (await this.#isRevoked(row.sid)) ? 'revoked' : 'ahead' }
    }
    if (content.generation === row.generation) return { row, outcome: 'rotated' }
    const rotatedAt = lastRotation(row, content)
    if (!rotatedAt) return { row, outcome: 'reused' }
    const isRepeatable =
      (await this.#deps.unanswered.has(row.sid, rotatedAt)) || this.#isInGrace(rotatedAt)
    return { row, outcome: isRepeatable ? 'repeated' : 'reused' }
  }

  /** How long a spent token is answered with the same successor. */
  get graceSeconds(): number {
    return this.#deps.graceSeconds
  }

  /** The answer did not reach the caller: the token is not spent. */
  noteUnanswered({ session, rotatedAt }: Rotated): void {
    this.#deps.unanswered.note(session.sid, rotatedAt)
  }

  #requestOf(
    { sid, generation, seed }: RefreshTokenContent,
    presenter: Presenter,
  ): RotationRequest {
    const { clientId, idleSeconds } = presenter
    const now = this.#deps.now()
    const idleExpiresAt = later(now, idleSeconds)
    return { sid, generation, digest: digestSecret(seed), clientId, now, idleExpiresAt }
  }

  async #diagnose(content: RefreshTokenContent, presenter: Presenter): Promise<Rotation> {
    const row = await this.#deps.families.load(content)
    const refusal = this.#refusal(row, presenter)
    if (!row || refusal) return { outcome: refusal ?? 'unknown' }
    return content.generation < row.generation
      ? this.#judgeSpent(row, content, presenter)
      : this.#waitForRow(row, content, presenter)
  }

  /** The row was locked, or is behind its token: waits for it. */
  async #waitForRow(
    before: FamilyRow,
    content: RefreshTokenContent,
    presenter: Presenter,
  ): Promise<Rotation> {
    const { batch, families, unanswered } = this.#deps
    if (content.generation > before.generation && (await this.#isRevoked(content.sid))) {
      return { outcome: 'revoked' }
    }
    const request = this.#requestOf(content, presenter)
    const rotation = batch.rotateAlone(request, presenter.ip)
    const advanced = await unanswered.watch(request.sid, request.now, rotation)
    if (advanced) {
      const outcome = advanced.lost > 0 ? 'ahead' : 'rotated'
      return this.#answer(outcome, advanced, request.now, content)
    }
    const row = await families.load(content)
    const refusal = this.#refusal(row, presenter)
    if (!row || refusal) return { outcome: refusal ?? 'unknown' }
    return this.#judgeSpent(row, content, presenter)
  }

  /** A database that has lost generations may have lost the end of the session too; Redis has it. */
  #isRevoked(sid: string): Promise<boolean> {
    return this.#deps.revocations.isRevokedAny([{ kind: 'sid', value: sid }])
  }

  #refusal(
    row: FamilyRow | undefined,
    { clientId }: Pick<Presenter, 'clientId'>,
  ): RotationFailure | undefined {
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
    const { unanswered } = this.#deps
    // Not spent after all: the statement ran too late, or the database was restored meanwhile.
    if (content.generation >= row.generation) throw new RotationTooLateError()
    const rotatedAt = lastRotation(row, content)
    if (rotatedAt) {
      if (await unanswered.has(row.sid, rotatedAt)) return this.#repeat(row, content, presenter)
      if (this.#isInGrace(rotatedAt)) {
        return this.#answer('repeated', row, rotatedAt, content)
      }
      if (unanswered.isInDoubt) return this.#judgeLater(content, presenter)
    }
    // An instance that was paused reads late: its caller went on elsewhere, with a newer token.
    if (await presenter.hasLeft?.()) return { outcome: 'abandoned' }
    await this.#endReused(row, content.generation, presenter)
    return { outcome: 'reused' }
  }

  #isInGrace(rotatedAt: Date): boolean {
    return secondsBetween(rotatedAt, this.#deps.now()) <= this.#deps.graceSeconds
  }

  /** Another instance may be about to record this rotation as unanswered. A request waits for that once. */
  async #judgeLater(content: RefreshTokenContent, presenter: Presenter): Promise<Rotation> {
    if (presenter.hasWaited) throw new RotationInDoubtError()
    await this.#deps.unanswered.settle()
    if (await presenter.hasLeft?.()) return { outcome: 'abandoned' }
    return this.#diagnose(content, { ...presenter, hasWaited: true })
  }

  /**
   * Repeats a rotation that was never answered, for the first request that asks. The session gets a new
   * time, from which the grace period counts.
   */
  async #repeat(
    row: FamilyRow,
    content: RefreshTokenContent,
    presenter: Presenter,
  ): Promise<Rotation> {
    const { batch, unanswered } = this.#deps
    const request = this.#requestOf(content, presenter)
    const rotation = batch.rotateAgain(request, row.rotated_at)
    const repeated = await unanswered.watch(request.sid, request.now, rotation)
    return repeated
      ? this.#answer('repeated', repeated, request.now, content)
      : this.#diagnose(content, presenter)
  }

  /** A spent token came back, so two parties have it: the session ends for both. */
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

/** When a token was spent, if the present one is its successor. */
const lastRotation = (row: FamilyRow, { generation }: RefreshTokenContent): Date | null =>
  generation === row.generation - 1 ? row.rotated_at : null
