import { createHash } from 'node:crypto'
import type { Now } from '../clock.ts'
import type { Db } from '../stores/postgres.ts'
import { isUnavailable } from '../stores/unavailable.ts'

/** What can be revoked: one access token, a session, all of a client, all that a key signed. */
export type RevocationKind = 'jti' | 'sid' | 'client' | 'kid'

export interface Revocation {
  readonly kind: RevocationKind
  readonly value: string
  /** When the last token that it can concern has expired. */
  readonly expiresAt: Date
}

/** An entry as the log has it. */
export interface LoggedRevocation extends Revocation {
  readonly seq: string
  /** The transaction that wrote it. */
  readonly xid: bigint
}

/** How far a reader of the log has come. */
export interface LogPosition {
  /** Transaction numbers mean something within one history only: a restored database has another. */
  readonly history: string
  /** All that transactions below this number did has been read. */
  readonly watermark: bigint
}

export interface LogChanges extends LogPosition {
  readonly entries: readonly LoggedRevocation[]
  /** Whether these are all. */
  readonly complete: boolean
}

interface Row {
  seq: string
  kind: RevocationKind
  value: string
  expires_at: Date
  xid: string
}

type PositionRow = Record<keyof LogPosition, string>

/** The durable, append-only log of revocations: the truth that Redis and the verifiers copy. */
export class RevocationLog {
  readonly #db: Db
  readonly #now: Now
  #history = clusterAndTimeline

  constructor(db: Db, now: Now) {
    this.#db = db
    this.#now = now
  }

  /** Part of the transaction that decided it. */
  async append(db: Db, revocations: readonly Revocation[]): Promise<void> {
    if (revocations.length === 0) return
    await db('revocations').insert(
      revocations.map(({ kind, value, expiresAt }) => ({
        kind,
        value,
        revoked_at: this.#now(),
        expires_at: expiresAt,
      })),
    )
  }

  /**
   * What was revoked by transactions from number `since` on, and the number to go on from: the oldest
   * transaction that still runs. Row numbers would not do: they are handed out before the commit, so
   * a row can appear below one already read. This way an entry may be read twice and none is missed.
   * Not complete when there are more than can be read in one statement: then all is read in pages.
   */
  async changes(since: bigint): Promise<LogChanges> {
    const { rows } = await this.#db.raw<{ rows: (Row & PositionRow)[] }>(
      `WITH at AS (SELECT ${watermark} AS watermark, ${this.#history} AS history)
       SELECT at.*, seq, kind, value, expires_at, xid
         FROM at LEFT JOIN revocations ON xid >= ?::xid8 ORDER BY xid, seq LIMIT ?`,
      [since.toString(), mostChanges],
    )
    const [first] = rows
    if (!first) throw new Error('the log of revocations has no position')
    const entries = rows.filter((row) => row.kind !== null).map(fromRow)
    return { ...positionOf(first), entries, complete: rows.length < mostChanges }
  }

  /** Where `changes` would go on from, now. */
  async position(): Promise<LogPosition> {
    const read = async () => {
      const sql = `SELECT ${watermark} AS watermark, ${this.#history} AS history`
      const { rows } = await this.#db.raw<{ rows: [PositionRow] }>(sql)
      return positionOf(rows[0])
    }
    return read().catch((error) => {
      // Some hosted databases keep these functions to themselves.
      if (isUnavailable(error) || this.#history === databaseAlone) throw error
      this.#history = databaseAlone
      return read()
    })
  }

  /** All live entries, a page at a time. */
  async *live(pageSize = 5000): AsyncGenerator<LoggedRevocation[]> {
    let seq = '0'
    for (;;) {
      const rows: Row[] = await this.#db('revocations')
        .where('seq', '>', seq)
        .where('expires_at', '>', this.#now())
        .orderBy('seq')
        .limit(pageSize)
      if (rows.length > 0) yield rows.map(fromRow)
      if (rows.length < pageSize) return
      seq = rows.at(-1)?.seq ?? seq
    }
  }

  /** Deletes up to `limit` entries that concern no living token any more. */
  async prune(before: Date, limit: number, db: Db = this.#db): Promise<number> {
    return db('revocations')
      .whereIn('seq', (old) =>
        old.select('seq').from('revocations').where('expires_at', '<', before).limit(limit),
      )
      .delete()
  }
}

/** What a statement brings well within its time limit, also on a machine that is busy. */
const mostChanges = 10_000

const fromRow = (row: Row): LoggedRevocation => ({
  kind: row.kind,
  value: row.value,
  expiresAt: row.expires_at,
  seq: row.seq,
  xid: BigInt(row.xid),
})

const positionOf = ({ history, watermark }: PositionRow): LogPosition => ({
  history: createHash('sha256').update(history).digest('base64url').slice(0, 8),
  watermark: BigInt(watermark),
})

const watermark = 'pg_snapshot_xmin(pg_current_snapshot())'

const databaseAlone = '(SELECT oid FROM pg_database WHERE datname = current_database())::text'

/** A restore into a new cluster changes the first, a recovery or a failover the second. */
const clusterAndTimeline = `concat_ws(':', (SELECT system_identifier FROM pg_control_system()),
  left(pg_walfile_name(pg_current_wal_lsn()), 8), ${databaseAlone})`
