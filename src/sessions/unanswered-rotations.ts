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
  /** Told at most once a minute that rotations cannot be written down, or looked up. */
  readonly onFailure?: (error: unknown) => void
}

/** A rotation, known by its session and by the time that it wrote there. */
interface Unanswered {
  readonly sid: string
  readonly rotatedAt: Date
}

/** So many wait at most to be written. Those that PostgreSQL was sent when it stopped answering are far fewer. */
const mostPending = 50_000
const maxBatch = 1000
const retryMilliseconds = 500
const reportMilliseconds = 60_000
/** Other instances need so long to write what they know, once PostgreSQL answers again. */
const settleMilliseconds = 3000
/** For how long a rotation that was not answered can be repeated. */
export const unansweredSeconds = 86_400

/** Waits for its own disk and for no standby: a standby that hangs is one reason to write this. */
const noteThem = statement(
  'note_unanswered',
  `WITH own_disk AS (SELECT set_config('synchronous_commit', 'local', true))
   INSERT INTO unanswered_rotations (sid, rotated_at, noted_at)
   SELECT sid, rotated_at, $3 FROM unnest($1::uuid[], $2::timestamptz[]) AS one (sid, rotated_at), own_disk
       ON CONFLICT DO NOTHING`,
)

/**
 * Rotations whose outcome their caller was not told: the statement timed out, or its connection broke.
 * PostgreSQL may have done each of them. They are written down as soon as it takes a row, so that every
 * instance knows that the token is not spent.
 */
export class UnansweredRotations {
  readonly #deps: Dependencies
  readonly #pending = new Map<string, Unanswered>()
  #writing: Promise<void> | undefined
  #stopped = false
  /** When PostgreSQL last failed here, by a clock that nobody sets. */
  #troubleAt = Number.NEGATIVE_INFINITY
  #reportedAt = Number.NEGATIVE_INFINITY
  #failures = 0

  constructor(deps: Dependencies) {
    this.#deps = deps
  }

  /** Rotations that are not written down yet. */
  get waiting(): number {
    return this.#pending.size
  }

  /** How often writing them down, or looking one up, has failed. */
  get failures(): number {
    return this.#failures
  }

  /** Passes on what the rotation comes to, and remembers it when nobody can know what that is. */
  async watch<T>(sid: string, rotatedAt: Date, rotation: Promise<T>): Promise<T> {
    try {
      return await rotation
    } catch (error) {
      if (isUnavailable(error)) this.#troubleAt = performance.now()
      if (mayBeDone(error)) this.note(sid, rotatedAt)
      throw error
    }
  }

  /** Remembers a rotation that nobody was told of. */
  note(sid: string, rotatedAt: Date): void {
    const one = { sid, rotatedAt }
    const [oldest] = this.#pending.keys()
    if (oldest !== undefined && this.#pending.size >= mostPending) this.#pending.delete(oldest)
    this.#pending.set(keyOf(one), one)
    this.#writing ??= this.#write().finally(() => {
      this.#writing = undefined
    })
  }

  /** Whether the rotation that this session shows was never answered. */
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
      // A table that cannot be read, for want of a right, must not end the detection of reuse.
      this.#failed(error)
      return false
    }
  }

  /** Whether PostgreSQL has failed here in the last seconds: other instances may not have written what they know. */
  get isInDoubt(): boolean {
    return this.#doubtMilliseconds > 0
  }

  /** Waits until others have written what they know, unless PostgreSQL fails again meanwhile. */
  async settle(): Promise<void> {
    await sleep(Math.max(0, this.#doubtMilliseconds))
  }

  /** After one more try to write what is left. */
  async stop(): Promise<void> {
    this.#stopped = true
    await this.#writing
  }

  get #doubtMilliseconds(): number {
    return this.#troubleAt + settleMilliseconds - performance.now()
  }

  /** Only a failure that passes says that other instances may be late. */
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

/** Failures before PostgreSQL was sent anything. */
const neverSent = /trying to connect|due to connection timeout|too many wait/
const neverReached = new Set([
  'ECONNREFUSED',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
])

/**
 * Whether PostgreSQL may have done what failed so. An ERROR of its own rolled it back; what ends a
 * connection (FATAL, a time limit on our side, a broken socket) can come after the commit.
 */
function mayBeDone(error: unknown): boolean {
  if (!isUnavailable(error)) return false
  const { message, code } = error as Error & { code?: string }
  if (neverSent.test(message) || neverReached.has(code ?? '')) return false
  return !(error instanceof pg.DatabaseError && error.severity === 'ERROR')
}
