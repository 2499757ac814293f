import { setTimeout as sleep } from 'node:timers/promises'
import type { Knex } from 'knex'
import pg from 'pg'
import { later, type Now } from '../clock.ts'
import type { ExpiringRows } from '../stores/delete-expired.ts'
import { type Statements, statement } from '../stores/statements.ts'
import { isUnavailable } from '../stores/unavailable.ts'

interface Dependencies {
  readonly db: Knex
  readonly statements: Statements
  readonly now: Now
  /** Called at most once a minute when rotations cannot be recorded or looked up. */
  readonly onFailure?: (error: unknown) => void
}

/** A rotation, identified by its session and the time that it wrote there. */
interface Unanswered {
  readonly sid: string
  readonly rotatedAt: Date
}

/** Limit of rotations that wait to be recorded; PostgreSQL never has so many in flight when it stops answering. */
const mostPending = 50_000
const maxBatch = 1000
const retryMilliseconds = 500
const reportMilliseconds = 60_000
/** After PostgreSQL answers again, other instances need so long to record their rotations. */
const settleMilliseconds = 3000
/** How long an unanswered rotation can be repeated. */
export const unansweredSeconds = 86_400

/** Waits for the disk of the primary and for no standby: a hanging standby is one cause of these rows. */
const noteThem = statement(
  'note_unanswered',
  `WITH own_disk AS (SELECT set_config('synchronous_commit', 'local', true))
   INSERT INTO unanswered_rotations (sid, rotated_at, noted_at)
   SELECT sid, rotated_at, $3 FROM unnest($1::uuid[], $2::timestamptz[]) AS one (sid, rotated_at), own_disk
       ON CONFLICT DO NOTHING`,
)

/**
 * Rotations whose caller never learned the outcome: the statement timed out, or its connection broke.
 * PostgreSQL may have committed any of them. They are recorded as soon as it accepts a row, so that
 * every instance knows that the token is not spent.
 */
export class UnansweredRotations {
  readonly #deps: Dependencies
  readonly #pending = new Map<string, Unanswered>()
  #writing: Promise<void> | undefined
  #stopped = false
  /** When PostgreSQL last failed here, on the monotonic clock. */
  #troubleAt = Number.NEGATIVE_INFINITY
  #reportedAt = Number.NEGATIVE_INFINITY
  #failures = 0

  constructor(deps: Dependencies) {
    this.#deps = deps
  }

  /** Rotations that are not recorded yet. */
  get waiting(): number {
    return this.#pending.size
  }

  /** How often recording them, or looking one up, has failed. */
  get failures(): number {
    return this.#failures
  }

  /** Returns the outcome of a rotation, and remembers the rotation if its outcome is unknown. */
  async watch<T>(sid: string, rotatedAt: Date, rotation: Promise<T>): Promise<T> {
    try {
      return await rotation
    } catch (error) {
      if (isUnavailable(error)) this.#troubleAt = performance.now()
      if (mayBeDone(error)) this.note(sid, rotatedAt)
      throw error
    }
  }

  /** Remembers a rotation that was not answered. */
  note(sid: string, rotatedAt: Date): void {
    const one = { sid, rotatedAt }
    const [oldest] = this.#pending.keys()
    if (oldest !== undefined && this.#pending.size >= mostPending) this.#pending.delete(oldest)
    this.#pending.set(keyOf(one), one)
    this.#writing ??= this.#write().finally(() => {
      this.#writing = undefined
    })
  }

  /** True if the rotation that this session shows was never answered. */
  async has(sid: string, rotatedAt: Date): Promise<boolean> {
    if (this.#pending.has(keyOf({ sid, rotatedAt }))) return true
    try {
      const row = await this.#deps
        .db('unanswered_rotations')
        .where({ sid, rotated_at: rotatedAt })
        .where('noted_at', '>', this.#oldest())
        .first('sid')
      return row !== undefined
    } catch (error) {
      if (isUnavailable(error)) throw error
      // A table that cannot be read, for lack of a privilege, must not end the detection of reuse.
      this.#failed(error)
      return false
    }
  }

  /** True if PostgreSQL failed here in the last seconds: other instances may have rotations to record. */
  get isInDoubt(): boolean {
    return this.#doubtMilliseconds > 0
  }

  /** Waits until other instances have recorded theirs, unless PostgreSQL fails again meanwhile. */
  async settle(): Promise<void> {
    await sleep(Math.max(0, this.#doubtMilliseconds))
  }

  /** Stops, after one more attempt to record the rest. */
  async stop(): Promise<void> {
    this.#stopped = true
    await this.#writing
  }

  get #doubtMilliseconds(): number {
    return this.#troubleAt + settleMilliseconds - performance.now()
  }

  /** Only a temporary failure means that other instances may be late. */
  #failed(error: unknown): void {
    const at = performance.now()
    this.#failures += 1
    if (isUnavailable(error)) this.#troubleAt = at
    if (at - this.#reportedAt < reportMilliseconds) return
    this.#reportedAt = at
    this.#deps.onFailure?.(error)
  }

  #oldest(): Date {
    return later(this.#deps.now(), -unansweredSeconds)
  }

  async #write(): Promise<void> {
    while (this.#pending.size > 0) {
      const some = [...this.#pending.values()].slice(0, maxBatch)
      try {
        await this.#deps.statements.run(noteThem, [
          some.map(({ sid }) => sid),
          some.map(({ rotatedAt }) => rotatedAt),
          this.#deps.now(),
        ])
        for (const one of some) this.#pending.delete(keyOf(one))
      } catch (error) {
        this.#failed(error)
        if (this.#stopped) return
        await sleep(retryMilliseconds, undefined, { ref: false })
      }
    }
  }
}

export const oldUnanswered: ExpiringRows = {
  table: 'unanswered_rotations',
  columns: ['noted_at'],
}

const keyOf = ({ sid, rotatedAt }: Unanswered): string => `${sid} ${rotatedAt.getTime()}`

/** Failures before anything was sent to PostgreSQL. */
const neverSent = /trying to connect|due to connection timeout|too many wait/
const neverReached = new Set([
  'ECONNREFUSED',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
])

/**
 * True if PostgreSQL may have committed a statement that failed like this. Its own ERROR rolled it back;
 * the end of a connection (FATAL, a time limit on this side, a broken socket) can follow the commit.
 */
function mayBeDone(error: unknown): boolean {
  if (!isUnavailable(error)) return false
  const { message, code } = error as Error & { code?: string }
  if (neverSent.test(message) || neverReached.has(code ?? '')) return false
  return !(error instanceof pg.DatabaseError && error.severity === 'ERROR')
}
