import { setTimeout as sleep } from 'node:timers/promises'
import type { Knex } from 'knex'
import { later, type Now } from '../clock.ts'
import type { Db } from '../stores/postgres.ts'

/** One kind of rows that should be gone. */
export interface CleanupTask {
  readonly name: string
  /** Since when the oldest of them should be gone; null when there is none. Asked by an index. */
  readonly dueSince?: (db: Db) => Promise<Date | null>
  /** False when it deletes nothing that has merely expired: it is done even when the clock is in doubt. */
  readonly needsClock?: boolean
  /** Deletes a batch; a chore that walks its table says where to go on. */
  sweep(
    db: Db,
    limit: number,
    cursor: string | null,
  ): Promise<{ readonly rows: number; readonly cursor?: string | null; readonly done: boolean }>
}

interface Dependencies {
  readonly db: Knex
  readonly now: Now
  readonly tasks: readonly CleanupTask[]
  /** In one run, of one chore. */
  readonly mostBatches?: number
}

/** Any number that no other program on this database is likely to lock. */
const janitorLock = 7_468_386
const batchRows = 1000
/** 200,000 rows, 25 to 50 seconds with the rest between batches. */
const usuallyMostBatches = 200
/** After a batch it rests for so many times as long: people who wait come first. */
const restFactor = 4

/** What was swept last, and when, by whichever instance it was. */
export interface JanitorRun {
  readonly task: string
  readonly ranAt: Date
  /** Rows deleted since the beginning. */
  readonly rows: number
  /** When nothing was left to delete; of a chore that walks its table, when it last came to the end. */
  readonly caughtUpAt: Date
  /** Since when the oldest row is due that is left; null when none is. */
  readonly dueSince: Date | null
}

/**
 * Takes expired rows away in small transactions. An advisory lock for the length of each lets one
 * instance sweep at a time; another one finds it taken and leaves.
 */
export class Janitor {
  readonly #deps: Dependencies
  #lastSeen: readonly JanitorRun[] = []
  #stopping = new AbortController()

  constructor(deps: Dependencies) {
    this.#deps = deps
  }

  /** What `runs` said after the last run here, for whoever measures. */
  get lastSeen(): readonly JanitorRun[] {
    return this.#lastSeen
  }

  /**
   * A chore that fails does not keep the others from being done.
   * @param isCertain whether the clock is; otherwise only chores run that do not need it
   * @returns rows deleted by chore; a chore that another instance is at is left out
   * @throws AggregateError when chores failed, after the others
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
        failures.push(new Error(`sweeping ${task.name} failed`, { cause }))
      }
    }
    if (!signal.aborted) this.#lastSeen = await this.runs()
    if (failures.length > 0) throw new AggregateError(failures, 'the janitor could not do it all')
    return swept
  }

  /** Ends the runs under way after the batch that each is at. */
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
      // Without a question to ask, some row may be due since the table was last walked to its end.
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

interface ExpiredRows {
  readonly name: string
  /** The name, unless it is given. */
  readonly table?: string
  /** In SQL, the time that rows are found by, of the oldest row. */
  readonly oldest?: string
  readonly now: Now
  /** For how long rows stay after that time. */
  readonly keepSeconds?: number
  prune(before: Date, limit: number, db: Db): Promise<number>
}

/** A chore whose rows are found by an index, oldest first. */
export function expiredRowsTask({
  name,
  table = name,
  oldest = 'min(expires_at)',
  now,
  keepSeconds = 0,
  prune,
}: ExpiredRows): CleanupTask {
  return {
    name,
    async dueSince(db) {
      const { rows } = await db.raw(`SELECT ${oldest} AS oldest FROM ${table}`)
      const found: Date | null = rows[0].oldest
      const due = found && later(found, keepSeconds)
      return due && due < now() ? due : null
    },
    async sweep(db, limit) {
      const rows = await prune(later(now(), -keepSeconds), limit, db)
      return { rows, done: rows < limit }
    },
  }
}
