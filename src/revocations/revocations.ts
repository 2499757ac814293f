import type { Knex } from 'knex'
import type { Actor } from '../audit/audit-log.ts'
import type { Now } from '../clock.ts'
import { BatchQueue } from '../stores/batch-queue.ts'
import { type Statements, statement } from '../stores/statements.ts'
import { isUnavailable } from '../stores/unavailable.ts'
import { LogReader } from './log-reader.ts'
import type { Revocation, RevocationLog, RevocationSubject } from './revocation-log.ts'
import type { RevokedIndex } from './revoked-index.ts'

interface Dependencies {
  readonly db: Knex
  readonly log: RevocationLog
  readonly lookup: RevocationLookup
  /** Absent without Redis: then only the log answers. */
  readonly index: RevokedIndex | undefined
  /** Called after each commit that revoked something. */
  readonly onDecided?: () => void
}

/** If more entries come at once, one instance copies them to Redis for all. */
const mostCopied = 1000

/** A change in progress: its transaction, who makes it, and how it revokes. */
export interface Change {
  readonly trx: Knex.Transaction
  readonly actor: Actor
  /** Writes revocations to the log, in the transaction; Redis and the feed learn of them after the commit. */
  readonly revoke: (...revocations: readonly Revocation[]) => Promise<void>
}

/**
 * Decides revocations and answers questions about them. A decision and its entries are one transaction; they are
 * copied to Redis right after the commit, and by the follower of every instance if that fails.
 */
export class Revocations {
  readonly #deps: Dependencies
  readonly #reader: LogReader
  /** Without the log Redis is not kept up to date, so it is not asked either. */
  #follows = true

  constructor(deps: Dependencies) {
    this.#deps = deps
    this.#reader = new LogReader(deps.log)
  }

  /** Takes the position to follow from before the first fill, so that nothing falls between the two. */
  async start(): Promise<void> {
    await this.mark()
    await this.#deps.index?.start()
  }

  /** Takes the position alone: enough for a command, which copies its decisions and asks nothing. */
  async mark(): Promise<void> {
    if (this.#deps.index) await this.#reader.begin()
  }

  stop(): void {
    this.#deps.index?.stop()
  }

  /** Runs one use case in one transaction, and copies what it revoked to Redis after the commit. */
  async decide<T>(work: (change: Change) => Promise<T>, actor: Actor = {}): Promise<T> {
    const { db, log } = this.#deps
    const decided: Revocation[] = []
    const result = await db.transaction((trx) => {
      const revoke = async (...revocations: readonly Revocation[]) => {
        decided.push(...(await log.append(trx, revocations)))
      }
      return work({ trx, actor, revoke })
    })
    if (decided.length > 0) this.#deps.onDecided?.()
    await this.#deps.index?.copy(decided)
    return result
  }

  /** True if any of these is revoked: asks Redis while it is trusted, otherwise the log. */
  async isRevokedAny(subjects: readonly RevocationSubject[]): Promise<boolean> {
    const answer = this.#follows ? await this.#deps.index?.isRevokedAny(subjects) : undefined
    if (answer !== undefined) return answer
    const remembered = this.#deps.index?.remembersAny(subjects)
    return (await this.#deps.lookup.isRevokedAny(subjects)) || ((await remembered) ?? false)
  }

  /**
   * Copies to Redis what any instance has committed since the last call: also decisions of an instance
   * that could not reach Redis, or died between its commit and its copy.
   */
  async follow(): Promise<void> {
    const { index } = this.#deps
    if (!index) return
    const { fresh, isRestored } = await this.#reader.next().catch((error) => {
      this.#follows = false
      throw error
    })
    if (isRestored) {
      await this.#reader.begin()
      index.suspectHistory()
    }
    // One instance copies them for all; this one finds out when it fills Redis.
    if (fresh.length > mostCopied) index.distrust('more was revoked at once than each copies')
    else await index.copy(fresh)
    this.#follows = true
    await index.tend(this.#reader.position)
  }
}

/** Looks for the value alone, the first column of the index: a value hardly ever has two kinds. */
const revokedAmong = statement(
  'revoked_among',
  'SELECT kind, value FROM revocations WHERE value = ANY($1) AND expires_at > $2',
)

/** Asks the log in PostgreSQL; questions that arrive while it answers share the next statement. */
export class RevocationLookup {
  readonly #statements: Statements
  readonly #now: Now
  readonly #batches = new BatchQueue<readonly RevocationSubject[], boolean>({
    run: (batch) => this.#find(batch),
    // A read can be repeated in halves, unless PostgreSQL itself fails.
    isAtomicFailure: (error) => !isUnavailable(error),
  })

  constructor(statements: Statements, now: Now) {
    this.#statements = statements
    this.#now = now
  }

  isRevokedAny(subjects: readonly RevocationSubject[]): Promise<boolean> {
    return this.#batches.add(subjects)
  }

  async #find(batch: readonly (readonly RevocationSubject[])[]): Promise<boolean[]> {
    const values = new Set(batch.flatMap((subjects) => subjects.map(({ value }) => value)))
    const rows = await this.#statements.run<RevocationSubject>(revokedAmong, [
      [...values],
      this.#now(),
    ])
    const revoked = new Set(rows.map(nameOf))
    return batch.map((subjects) => subjects.some((subject) => revoked.has(nameOf(subject))))
  }
}

const nameOf = ({ kind, value }: RevocationSubject): string => `${kind}:${value}`
