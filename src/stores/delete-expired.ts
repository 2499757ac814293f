import type { Db } from './postgres.ts'

/** Rows of a table that may be deleted some time after the time in one of their columns. */
export interface ExpiringRows {
  readonly table: string
  /** Each has an index. */
  readonly columns: readonly string[]
  /** The columns hold milliseconds since the epoch instead of a timestamp. */
  readonly areMilliseconds?: boolean
  /** In SQL, which of these rows may be deleted; all of them if absent. */
  readonly where?: string
}

/**
 * Deletes rows with a time before `before`, oldest first, at most `limit` for each column. A row that
 * changes meanwhile has another `ctid`, and stays.
 * @returns how many rows it deleted
 */
export async function deleteExpired(
  db: Db,
  { table, columns, areMilliseconds = false, where = 'true' }: ExpiringRows,
  before: Date,
  limit: number,
): Promise<number> {
  let deleted = 0
  for (const column of columns) {
    const { rowCount } = await db.raw<{ rowCount: number }>(
      `DELETE FROM ${table} WHERE ctid = ANY (ARRAY(
         SELECT ctid FROM ${table} WHERE ${column} < ? AND ${where} ORDER BY ${column} LIMIT ?))`,
      [areMilliseconds ? before.getTime() : before, limit],
    )
    deleted += rowCount
  }
  return deleted
}

/** The time of the oldest of these rows; null if there is none. */
export async function oldestExpiry(
  db: Db,
  { table, columns, areMilliseconds }: ExpiringRows,
): Promise<Date | null> {
  const times = columns.map((column) =>
    areMilliseconds ? `to_timestamp(min(${column}) / 1000.0)` : `min(${column})`,
  )
  const { rows } = await db.raw(`SELECT LEAST(${times.join()}) AS oldest FROM ${table}`)
  return rows[0].oldest
}
