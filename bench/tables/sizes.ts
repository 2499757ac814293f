import pg from 'pg'
import type { Installation } from '../signet.ts'

/** The size of a table on disk, and the kind of its updates. */
export interface TableSize {
  readonly table: string
  readonly rows: number
  readonly heapBytes: number
  readonly indexBytes: Readonly<Record<string, number>>
  readonly bytesPerRow: number
  /** Share of updates that touched no index; undefined before the first. */
  readonly hotShare: number | undefined
}

export async function sizeOf({ databaseUrl }: Installation, name: string): Promise<TableSize> {
  const client = new pg.Client({ connectionString: databaseUrl })
  await client.connect()
  try {
    // A backend tells its counts when it has been idle for a moment, at the latest after a second.
    const { rows } = await client.query(
      `SELECT (SELECT count(*) FROM ${name})::float AS rows,
              pg_table_size($1::text::regclass)::float AS heap,
              pg_total_relation_size($1::text::regclass)::float AS total,
              n_tup_upd::float AS updates, n_tup_hot_upd::float AS hot
         FROM pg_stat_user_tables WHERE relname = $1::text`,
      [name],
    )
    const indexes = await client.query(
      `SELECT indexrelname AS name, pg_relation_size(indexrelid)::float AS bytes
         FROM pg_stat_user_indexes WHERE relname = $1::text ORDER BY 1`,
      [name],
    )
    const [{ rows: count, heap, total, updates, hot }] = rows
    return {
      ...{ table: name, rows: count, heapBytes: heap, bytesPerRow: total / count },
      indexBytes: Object.fromEntries(indexes.rows.map(({ name: index, bytes }) => [index, bytes])),
      hotShare: updates > 0 ? hot / updates : undefined,
    }
  } finally {
    await client.end()
  }
}

/** As many decisions as a bad day brings, only to see what one takes. */
const decisions = [
  `INSERT INTO revocations (kind, value, revoked_at, expires_at)
   SELECT 'sid', gen_random_uuid()::text, now(), now() + interval '1 hour'
     FROM generate_series(1, $1)`,
  `INSERT INTO audit_events (at, event, user_id, client_id, sid, ip)
   SELECT now(), 'user.signed_in', gen_random_uuid(), 'app', gen_random_uuid(), '192.0.2.1'
     FROM generate_series(1, $1)`,
]

export async function plantDecisions({ databaseUrl }: Installation, count: number): Promise<void> {
  const client = new pg.Client({ connectionString: databaseUrl })
  await client.connect()
  try {
    for (const statement of decisions) await client.query(statement, [count])
  } finally {
    await client.end()
  }
}
