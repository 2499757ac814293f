import type { Knex } from 'knex'
import type { Actor } from '../audit/audit-log.ts'
import { LogReader } from './log-reader.ts'
import type { Revocation, RevocationLog } from './revocation-log.ts'
import type { RevocationLookup, RevocationSubject } from './revocation-lookup.ts'
import type { RevokedIndex } from './revoked-index.ts'

interface Dependencies {
  readonly db: Knex
  readonly log: RevocationLog
  readonly lookup: RevocationLookup
  /** Absent without Redis: then the log alone answers. */
  readonly index: RevokedIndex | undefined
  /** Told after each commit that revoked something. */
  readonly onDecided?: () => void
}

/** More than so many entries at once are copied to Redis by one instance for all. */
const mostCopied = 1000

/** A change in progress: what its parts need to take part in it. */
export interface Change {
  readonly trx: Knex.Transaction
  readonly actor: Actor
  /** Writes revocations to the log, in the transaction; Redis and the feed learn of them after the commit. */
  readonly revoke: (...revocations: readonly Revocation[]) => Promise<void>
}

/**
 * What is revoked. Deciding a revocation and writing it are one transaction; Redis is told right
 * after the commit, and again by the follower of every instance should that fail.
 */
export class Revocations {
  readonly #deps: Dependencies
  readonly #reader: LogReader
  /** Without the log, Redis is not kept up to date: then it is not asked either. */
  #follows = true

  constructor(deps: Dependencies) {
    this.#deps = deps
    this.#reader = new LogReader(deps.log)
  }

  /** Where following begins is noted before the first fill, so that nothing falls between the two. */
  async start(): Promise<void> {
    await this.mark()
    await this.#deps.index?.start()
  }

  /** What is followed from: enough for a command, which copies what it decides and asks nothing. */
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

  /** Whether any of these is revoked: Redis when it can be relied on, else the log. */
  async isRevokedAny(subjects: readonly RevocationSubject[]): Promise<boolean> {
    const answer = this.#follows ? await this.#deps.index?.isRevokedAny(subjects) : undefined
    if (answer !== undefined) return answer
    const remembered = this.#deps.index?.remembersAny(subjects)
    return (await this.#deps.lookup.isRevokedAny(subjects)) || ((await remembered) ?? false)
  }

  /**
   * Copies to Redis what was committed since the last call by anyone: also what an instance decided
   * that could not reach Redis or died between its commit and its copy.
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
    // One instance copies them for all: what is missing here is found when it is filled.
    if (fresh.length > mostCopied) index.distrust('more was revoked at once than each copies')
    else await index.copy(fresh)
    this.#follows = true
    await index.tend(this.#reader.position)
  }
}
