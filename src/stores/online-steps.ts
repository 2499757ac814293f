import { setTimeout as sleep } from 'node:timers/promises'
import type { Knex } from 'knex'
import { OperatorError } from '../errors.ts'

/** An index that a migration adds. */
export interface IndexStep {
  readonly index: string
  readonly unique?: boolean
  readonly table: string
  /** The rest of the definition in SQL, such as `(user_id) WHERE revoked_at IS NULL`. */
  readonly on: string
}

/** A column that a migration fills in the rows that were there before. */
interface FillStep {
  readonly table: string
  /** The primary key, a single column. */
  readonly key: string
  /** In SQL, such as `email_key = lower(email)`. */
  readonly set: string
  /** In SQL, the rows that are not filled yet. */
  readonly where: string
}

/**
 * A step of a migration that runs before its `up` and outside of a transaction, while the table is in use. `up`
 * finds what is done, and does it by itself in a small table.
 */
export type OnlineStep = IndexStep | FillStep

export interface OnlineOptions {
  /** Has at least two connections without a time limit. */
  readonly db: Knex
  /** Tables below this size, in bytes, are left to `up`, which needs less than a second for them. */
  readonly largeBytes: number
  /** Receives a sentence now and then. */
  readonly report: (sentence: string) => void
}

const reportSeconds = 5

/** Any number that no other program on this database is likely to lock. */
const migrationLock = 7_468_385
const lockTries = 60

/**
 * Changes tables in a transaction, one at a time. It waits for the lock of a table for a second, so that
 * requests do not queue behind it for longer, and tries again for about five minutes.
 * @throws OperatorError if a table stays locked
 */
export async function inShortLock<T>(
  { db, report }: Pick<OnlineOptions, 'db' | 'report'>,
  work: (trx: Knex.Transaction) => PromiseLike<T>,
): Promise<T> {
  for (let tried = 1; ; tried += 1) {
    try {
      return await db.transaction(async (trx) => {
        await trx.raw('SELECT pg_advisory_xact_lock(?)', [migrationLock])
        await trx.raw(`SET LOCAL lock_timeout = '1s'`)
        return work(trx)
      })
    } catch (error) {
      if ((error as { code?: string }).code !== '55P03') throw error
      if (tried === lockTries) {
        throw new OperatorError(
          `A table that is to be changed stayed locked: ${(error as Error).message}. End the transactions that hold it (pg_stat_activity), then run the command again.`,
        )
      }
      report('a table is locked by somebody else: trying again')
      await sleep(Math.min(tried, 5) * 1000)
    }
  }
}

/** Runs steps in their order. After an interruption anywhere they run again, and continue. */
export async function runOnline(
  steps: readonly OnlineStep[],
  options: OnlineOptions,
): Promise<void> {
  for (const step of steps) {
    if (!(await isLarge(step.table, options))) continue
    if ('index' in step) await buildIndex(step, options)
    else await fillColumn(step, options)
  }
}

/** Indexes on the parent of partitions can't be built concurrently. */
async function isLarge(table: string, { db, largeBytes }: OnlineOptions): Promise<boolean> {
  const { rows } = await db.raw(
    `SELECT FROM pg_class
      WHERE oid = to_regclass(?) AND relkind = 'r' AND pg_relation_size(oid) >= ?`,
    [table, largeBytes],
  )
  return rows.length > 0
}

const definitionOf = ({ unique, index, table, on }: IndexStep, how: string): string =>
  `CREATE ${unique ? 'UNIQUE ' : ''}INDEX ${how} ${index} ON ${table} ${on}`

/** For `up`: in a transaction, under a lock that lets others read. Finds the indexes that are built. */
export async function createIndexes(knex: Knex, steps: readonly IndexStep[]): Promise<void> {
  for (const step of steps) await knex.raw(definitionOf(step, 'IF NOT EXISTS'))
}

/** For `down`. */
export async function dropIndexes(knex: Knex, steps: readonly IndexStep[]): Promise<void> {
  await knex.raw(`DROP INDEX ${steps.map(({ index }) => index).join()}`)
}

async function buildIndex(step: IndexStep, options: OnlineOptions): Promise<void> {
  const { db, report } = options
  const { index, table } = step
  for (;;) {
    const state = await stateOf(index, db)
    if (state === 'valid') return
    if (state === 'building') {
      // PostgreSQL finishes the statement of a process that has ended.
      report(`${index}: an earlier build is still running`)
      await sleep(reportSeconds * 1000)
      continue
    }
    if (state === 'invalid') await db.raw(`DROP INDEX CONCURRENTLY IF EXISTS ${index}`)
    report(`${index}: is being built on ${table}`)
    try {
      await reporting(step, options, db.raw(definitionOf(step, 'CONCURRENTLY')))
      return
    } catch (error) {
      throw await buildFailure(step, options, error)
    }
  }
}

async function stateOf(index: string, db: Knex) {
  const { rows } = await db.raw<{ rows: { valid: boolean; building: boolean }[] }>(
    `SELECT indisvalid AS valid,
            EXISTS (SELECT FROM pg_stat_progress_create_index WHERE index_relid = indexrelid) AS building
       FROM pg_index WHERE indexrelid = to_regclass(?)`,
    [index],
  )
  const [found] = rows
  if (!found) return 'absent'
  return found.valid ? 'valid' : found.building ? 'building' : 'invalid'
}

async function buildFailure({ index, table }: IndexStep, { db }: OnlineOptions, error: unknown) {
  const { code, detail } = error as { code?: string; detail?: string }
  if (code === '23505') {
    await db.raw(`DROP INDEX CONCURRENTLY IF EXISTS ${index}`)
    return new OperatorError(
      `${table} has rows that ${index} forbids (${detail}). Change or delete one of them, then migrate again.`,
    )
  }
  if (code === '57014') {
    return new OperatorError(
      `Building ${index} was cancelled. If the role has a statement_timeout, set it to 0 for the migration (ALTER ROLE … SET statement_timeout = 0), then migrate again.`,
    )
  }
  return error
}

/** Reports how far PostgreSQL is, until the statement ends. */
async function reporting(
  { index }: IndexStep,
  { db, report }: OnlineOptions,
  statement: PromiseLike<unknown>,
): Promise<void> {
  const look = async () => {
    const { rows } = await db.raw<{ rows: { phase: string; percent: string | null }[] }>(
      `SELECT phase, round(100.0 * blocks_done / NULLIF(blocks_total, 0)) AS percent
         FROM pg_stat_progress_create_index WHERE index_relid = to_regclass(?)`,
      [index],
    )
    for (const { phase, percent } of rows) {
      report(`${index}: ${phase}${percent === null ? '' : `, ${percent} %`}`)
    }
  }
  const timer = setInterval(() => look().catch(() => undefined), reportSeconds * 1000)
  try {
    await statement
  } finally {
    clearInterval(timer)
  }
}

/** A piece takes about this long, and is followed by a pause of the same length. */
const pieceMilliseconds = { least: 50, most: 200 }
const pieceRows = { first: 1000, least: 100, most: 10_000 }
/** Rows that somebody else changes at the moment are left to the next pass, and the last ones to `up`. */
const passes = 3

/**
 * Fills a column in pieces, each a statement of its own. It holds no row for longer than a piece takes, and
 * waits for none.
 */
async function fillColumn(step: FillStep, options: OnlineOptions): Promise<void> {
  for (let pass = 1; pass <= passes; pass += 1) {
    if ((await fillOnce(step, options)) === 0) return
  }
}

/** @returns how many rows were skipped */
async function fillOnce(step: FillStep, { db, report }: OnlineOptions): Promise<number> {
  const { table } = step
  const total = await estimatedRows(table, db)
  let limit = pieceRows.first
  let [after, seen, skipped] = [undefined as string | undefined, 0, 0]
  let reportedAt = performance.now()
  for (;;) {
    const startedAt = performance.now()
    const piece = await fillPiece(step, db, after, limit)
    if (piece.last === null) return skipped
    after = piece.last
    seen += Number(piece.seen)
    skipped += Number(piece.due) - Number(piece.filled)
    const took = performance.now() - startedAt
    if (took > pieceMilliseconds.most) limit = Math.max(pieceRows.least, limit >> 1)
    else if (took < pieceMilliseconds.least) limit = Math.min(pieceRows.most, limit * 2)
    if (performance.now() - reportedAt > reportSeconds * 1000) {
      reportedAt = performance.now()
      report(`${table}: ${seen} of about ${total} rows are looked through (${step.set})`)
    }
    await sleep(took)
  }
}

async function estimatedRows(table: string, db: Knex): Promise<number> {
  const { rows } = await db.raw('SELECT reltuples FROM pg_class WHERE oid = to_regclass(?)', [
    table,
  ])
  return Math.max(0, Math.round(rows[0]?.reltuples ?? 0))
}

interface Piece {
  readonly seen: string
  readonly due: string
  readonly filled: string
  readonly last: string | null
}

async function fillPiece(
  { table, key, set, where }: FillStep,
  db: Knex,
  after: string | undefined,
  limit: number,
): Promise<Piece> {
  const { rows } = await db.raw<{ rows: [Piece] }>(
    `WITH piece AS MATERIALIZED (
       SELECT ${key}, (${where}) AS is_due FROM ${table}
        ${after === undefined ? '' : `WHERE ${key} > ?`} ORDER BY ${key} LIMIT ?
     ), free AS MATERIALIZED (
       SELECT ${key} FROM ${table}
        WHERE ${key} = ANY (ARRAY(SELECT ${key} FROM piece WHERE is_due)) AND (${where})
          FOR NO KEY UPDATE SKIP LOCKED
     ), filled AS (
       UPDATE ${table} SET ${set} WHERE ${key} = ANY (ARRAY(SELECT ${key} FROM free)) RETURNING 1
     )
     SELECT (SELECT count(*) FROM piece) AS seen,
            (SELECT count(*) FROM piece WHERE is_due) AS due,
            (SELECT count(*) FROM filled) AS filled,
            (SELECT ${key}::text FROM piece ORDER BY ${key} DESC LIMIT 1) AS last`,
    after === undefined ? [limit] : [after, limit],
  )
  return rows[0]
}
