import { setTimeout as sleep } from 'node:timers/promises'
import type { Knex } from 'knex'
import { later, type Now } from '../clock.ts'
import { deleteExpired, type ExpiringRows, oldestExpiry } from '../stores/delete-expired.ts'
import type { Db } from '../stores/postgres.ts'

/** Deletes one kind of rows. */
export interface CleanupTask {
  readonly name: string
  /** Since when the oldest row is due; null when there is none. Uses an index. */
  readonly dueSince?: (db: Db) => Promise<Date | null>
  /** False when it does not depend on the time, so that it runs even while the clock is in doubt. */
  readonly needsClock?: boolean
  /** Deletes a batch. A task that walks its table returns a cursor to continue from. */
  sweep(
    trx: Knex.Transaction,
    limit: number,
    cursor: string | null,
  ): Promise<{ readonly rows: number; readonly cursor?: string | null; readonly done: boolean }>
}

interface Dependencies {
  readonly db: Knex
  readonly now: Now
  readonly tasks: readonly CleanupTask[]
  /** Per task and run. */
  readonly mostBatches?: number
}

/** Any number that no other program on this database is likely to lock. */
const janitorLock = 7_468_386
const batchRows = 1000
/** 200,000 rows, which take 25 to 50 seconds with the pauses between batches. */
const usuallyMostBatches = 200
/** The pause after a batch, as a multiple of its duration, so that requests come first. */
const restFactor = 4

/** The last run of a task, by any instance. */
export interface JanitorRun {
  readonly task: string
  readonly ranAt: Date
  /** Rows deleted so far. */
  readonly rows: number
  /** When nothing was left to delete, or when a task last reached the end of its table. */
  readonly caughtUpAt: Date
  /** Since when the oldest remaining row is due; null when none is. */
  readonly dueSince: Date | null
}

/**
 * Deletes expired rows in small transactions. Each one takes an advisory lock, so that one instance
 * cleans up at a time; an instance that finds the lock taken stops its run.
 */
export class Janitor {
  readonly #deps: Dependencies
  #lastSeen: readonly JanitorRun[] = []
  #stopping = new AbortController()

  constructor(deps: Dependencies) {
    this.#deps = deps
  }

  /** The result of `runs` after the last run of this instance, for metrics. */
  get lastSeen(): readonly JanitorRun[] {
    return this.#lastSeen
  }

  /**
   * Runs every task; one that fails does not stop the others.
   * @param isCertain false while the clock is in doubt, when only tasks run that do not need it
   * @returns rows deleted by task; a task that another instance runs is left out
   * @throws AggregateError when tasks failed, after the others ran
   */
  async run(isCertain = true): Promise<Record<string, number>> {
    const { signal } = this.#stopping
    const swept: Record<string, number> = {}
    const failures: Error[] = []
    for (const task of this.#deps.tasks) {
      if (signal.aborted) break
      if (!isCertain && (task.needsClock ?? true)) continue
      try {
        const rows = await this.#do(task, signal)
        if (rows !== undefined) swept[task.name] = rows
      } catch (cause) {
        failures.push(new Error(`deleting ${task.name} failed`, { cause }))
      }
    }
    if (!signal.aborted) this.#lastSeen = await this.runs()
    if (failures.length > 0) throw new AggregateError(failures, 'some cleanup tasks failed')
    return swept
  }

  /** Ends the current run after its current batch. */
  stop(): void {
    this.#stopping.abort()
    this.#stopping = new AbortController()
  }

  async runs(): Promise<JanitorRun[]> {
    const { db, tasks } = this.#deps
    const rows: { task: string; ran_at: Date; rows: string; caught_up_at: Date | null }[] =
      await db('janitor_runs').orderBy('task')
    const runs: JanitorRun[] = []
    for (const { task: name, ran_at: ranAt, rows: count, caught_up_at } of rows) {
      const task = tasks.find((known) => known.name === name)
      if (!task) continue
      const caughtUpAt = caught_up_at ?? ranAt
      // Without `dueSince`, a row may be due since the end of the last walk through the table.
      const dueSince = task.dueSince ? await task.dueSince(db) : caughtUpAt
      runs.push({ task: name, ranAt, rows: Number(count), caughtUpAt, dueSince })
    }
    return runs
  }

  async #do(task: CleanupTask, signal: AbortSignal): Promise<number | undefined> {
    const { mostBatches = usuallyMostBatches } = this.#deps
    let rows: number | undefined
    for (let batch = 0; batch < mostBatches && !signal.aborted; batch += 1) {
      const startedAt = performance.now()
      const result = await this.#batch(task)
      if (!result) break
      rows = (rows ?? 0) + result.rows
      if (result.done) break
      const rest = (performance.now() - startedAt) * restFactor
      await sleep(rest, undefined, { ref: false, signal }).catch(() => undefined)
    }
    return rows
  }

  #batch(task: CleanupTask): Promise<{ rows: number; done: boolean } | undefined> {
    return this.#deps.db.transaction(async (trx) => {
      const { rows } = await trx.raw('SELECT pg_try_advisory_xact_lock(?) AS mine', [janitorLock])
      if (!rows[0]?.mine) return undefined
      const last = await trx('janitor_runs').where({ task: task.name }).first('cursor')
      const result = await task.sweep(trx, batchRows, last?.cursor ?? null)
      const now = this.#deps.now()
      const row = {
        task: task.name,
        ran_at: now,
        rows: result.rows,
        cursor: result.cursor ?? null,
        caught_up_at: now,
      }
      await trx('janitor_runs')
        .insert(row)
        .onConflict('task')
        .merge({
          ...row,
          rows: trx.raw('janitor_runs.rows + excluded.rows'),
          ...(!result.done && { caught_up_at: trx.ref('janitor_runs.caught_up_at') }),
        })
      return result
    })
  }
}

interface ExpiredRowsTask {
  /** The table, unless it is given. */
  readonly name?: string
  readonly rows: ExpiringRows
  readonly now: Now
  /** How long rows stay after their time. */
  readonly keepSeconds?: number
}

/** A task that deletes rows found by an index, oldest first. */
export const expiredRowsTask = ({
  rows,
  name = rows.table,
  now,
  keepSeconds = 0,
}: ExpiredRowsTask): CleanupTask => ({
  name,
  async dueSince(db) {
    const oldest = await oldestExpiry(db, rows)
    const due = oldest && later(oldest, keepSeconds)
    return due && due < now() ? due : null
  },
  async sweep(db, limit) {
    const deleted = await deleteExpired(db, rows, later(now(), -keepSeconds), limit)
    return { rows: deleted, done: deleted < limit }
  },
})
