import { setTimeout as sleep } from 'node:timers/promises'
import type { Knex } from 'knex'
import type { Now } from '../clock.ts'
import type { Db } from '../stores/postgres.ts'

/** One kind of expired rows. */
export interface Chore {
  readonly name: string
  /** Deletes a batch; a chore that walks its table says where to go on. */
  sweep(
    db: Db,
    limit: number,
    cursor: string | null,
  ): Promise<{ readonly rows: number; readonly cursor?: string | null; readonly done: boolean }>
}

interface Rooms {
  readonly db: Knex
  readonly now: Now
  readonly chores: readonly Chore[]
}

/** Any number that no other program on this database is likely to lock. */
const janitorLock = 7_468_386
const batchRows = 1000
const mostBatches = 20
/** After a batch it rests for so many times as long: people who wait come first. */
const restFactor = 4

/** What was swept last, and when, by whichever instance it was. */
export interface JanitorRun {
  readonly task: string
  readonly ranAt: Date
  /** Rows deleted since the beginning. */
  readonly rows: number
  /** When nothing was left to delete: what lies between then and now is the lag. */
  readonly caughtUpAt: Date | null
}

/**
 * Takes expired rows away in small transactions. An advisory lock for the length of each lets one
 * instance sweep at a time; another one finds it taken and leaves.
 */
export class Janitor {
  readonly #rooms: Rooms
  #lastSeen: readonly JanitorRun[] = []

  constructor(rooms: Rooms) {
    this.#rooms = rooms
  }

  /** What `runs` said after the last run here, for whoever measures. */
  get lastSeen(): readonly JanitorRun[] {
    return this.#lastSeen
  }

  /**
   * A chore that fails does not keep the others from being done.
   * @returns rows deleted by chore; a chore that another instance is at is left out
   * @throws AggregateError when chores failed, after the others
   */
  async run(): Promise<Record<string, number>> {
    const swept: Record<string, number> = {}
    const failures: Error[] = []
    for (const chore of this.#rooms.chores) {
      try {
        const rows = await this.#do(chore)
        if (rows !== undefined) swept[chore.name] = rows
      } catch (cause) {
        failures.push(new Error(`sweeping ${chore.name} failed`, { cause }))
      }
    }
    this.#lastSeen = await this.runs()
    if (failures.length > 0) throw new AggregateError(failures, 'the janitor could not do it all')
    return swept
  }

  async runs(): Promise<JanitorRun[]> {
    const rows: { task: string; ran_at: Date; rows: string; caught_up_at: Date | null }[] =
      await this.#rooms.db('janitor_runs').orderBy('task')
    return rows.map(({ task, ran_at: ranAt, rows: count, caught_up_at: caughtUpAt }) => ({
      task,
      ranAt,
      rows: Number(count),
      caughtUpAt,
    }))
  }

  async #do(chore: Chore): Promise<number | undefined> {
    let rows: number | undefined
    for (let batch = 0; batch < mostBatches; batch += 1) {
      const startedAt = performance.now()
      const result = await this.#batch(chore)
      if (!result) break
      rows = (rows ?? 0) + result.rows
      if (result.done) break
      await sleep((performance.now() - startedAt) * restFactor, undefined, { ref: false })
    }
    return rows
  }

  #batch(chore: Chore): Promise<{ rows: number; done: boolean } | undefined> {
    return this.#rooms.db.transaction(async (trx) => {
      const { rows } = await trx.raw('SELECT pg_try_advisory_xact_lock(?) AS mine', [janitorLock])
      if (!rows[0]?.mine) return undefined
      const last = await trx('janitor_runs').where({ task: chore.name }).first('cursor')
      const result = await chore.sweep(trx, batchRows, last?.cursor ?? null)
      const now = this.#rooms.now()
      const row = {
        task: chore.name,
        ran_at: now,
        rows: result.rows,
        cursor: result.cursor ?? null,
        ...(result.done && { caught_up_at: now }),
      }
      await trx('janitor_runs')
        .insert(row)
        .onConflict('task')
        .merge({ ...row, rows: trx.raw('janitor_runs.rows + excluded.rows') })
      return result
    })
  }
}

/** A chore whose rows are found by an index, oldest first. */
export const pruning = (
  name: string,
  prune: (db: Db, limit: number) => Promise<number>,
): Chore => ({
  name,
  async sweep(db, limit) {
    const rows = await prune(db, limit)
    return { rows, done: rows < limit }
  },
})
