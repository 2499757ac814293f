import { createHash } from 'node:crypto'
import { later, type Now } from '../clock.ts'
import type { ExpiringRows } from '../stores/delete-expired.ts'
import type { Db } from '../stores/postgres.ts'

/** A revocation ends one access token, a session, all tokens of a client, or all that a key signed. */
export type RevocationKind = 'jti' | 'sid' | 'client' | 'kid'

export interface Revocation {
  readonly kind: RevocationKind
  readonly value: string
  /** When the last token that it can match has expired. */
  readonly expiresAt: Date
  /** For a single token: its session, or its client if it has none. */
  readonly belongsTo?: string
}

/** A token is revoked by its own id, its session, its client or its key. */
export type RevocationSubject = Pick<Revocation, 'kind' | 'value'>

/** An entry as the log has it. */
export interface LoggedRevocation extends Revocation {
  readonly seq: string
  /** The transaction that wrote it. */
  readonly xid: bigint
}

/** The position of a reader of the log. */
export interface LogPosition {
  /** Transaction numbers are comparable within one history only: a restored database has another. */
  readonly history: string
  /** Everything that transactions below this number wrote has been read. */
  readonly watermark: bigint
}

/** An exact position: which transactions had ended when the log was read. */
export interface Bookmark extends LogPosition {
  /** No transaction from this number on had begun. */
  readonly ceiling: bigint
  /** Transactions between watermark and ceiling that were still running. */
  readonly running: readonly string[]
}

export interface LogChanges extends LogPosition {
  readonly entries: readonly LoggedRevocation[]
}

interface Row {
  seq: string
  kind: RevocationKind
  value: string
  expires_at: Date
  xid: string
}

interface LogPage {
  readonly bookmark: Bookmark
  readonly entries: readonly LoggedRevocation[]
  /** True if entries were skipped because their numbers are those of another cluster. */
  readonly hasForeign: boolean
}

interface BookmarkRow {
  readonly history: string
  readonly watermark: string
  readonly ceiling: string
  readonly snapshot: string
}

/** The durable, append-only log of revocations, which Redis and the verifiers copy. */
export class RevocationLog {
  readonly #db: Db
  readonly #now: Now
  #history = clusterAndTimeline

  constructor(db: Db, now: Now) {
    this.#db = db
    this.#now = now
  }

  /**
   * Appends entries in the transaction that decided them. An entry that ends more than one token is kept
   * for as long as any instance's tokens live (`access_token_lives`), whatever is configured here and
   * now. A recovered entry keeps its own expiry: it ended tokens that were issued before.
   * @returns the entries as they were written
   */
  async append(
    db: Db,
    revocations: readonly Revocation[],
    { areRecovered = false } = {},
  ): Promise<readonly Revocation[]> {
    if (revocations.length === 0) return []
    // Arrays, because the number of parameters of a statement is limited.
    const now = this.#now()
    const { rows } = await db.raw<{ rows: Row[] }>(
      `INSERT INTO revocations (kind, value, revoked_at, expires_at, belongs_to)
       SELECT kind, value, ?::timestamptz, CASE WHEN kind = 'jti' OR ? THEN expires_at ELSE GREATEST(expires_at,
                (SELECT ?::timestamptz + max(seconds) * interval '1 s'
                   FROM access_token_lives WHERE until > ?)) END, NULLIF(belongs_to, '')
         FROM unnest(?::text[], ?::text[], ?::timestamptz[], ?::text[])
              AS entry (kind, value, expires_at, belongs_to)
       RETURNING *`,
      [
        now,
        areRecovered,
        now,
        now,
        revocations.map(({ kind }) => kind),
        revocations.map(({ value }) => value),
        revocations.map(({ expiresAt }) => expiresAt),
        revocations.map(({ belongsTo }) => belongsTo ?? ''),
      ],
    )
    return rows.map(fromRow)
  }

  /**
   * The number of single tokens of a session or client that are revoked now. No other transaction counts
   * the same until this one ends, so that together they do not exceed a limit.
   */
  async singlesOf(trx: Db, belongsTo: string): Promise<number> {
    await trx.raw('SELECT pg_advisory_xact_lock(hashtextextended(?, 0))', [belongsTo])
    const [found] = await trx('revocations')
      .where({ belongs_to: belongsTo })
      .where('expires_at', '>', this.#now())
      .count()
    return Number(found?.count ?? 0)
  }

  /**
   * Entries that committed since the bookmark, a page at a time, and the bookmark to go on from: that of
   * the first page, so that entries which commit during the reading are read again. Row numbers would not
   * do: they are assigned before the commit, so a row can appear below one that was already read.
   */
  async *newer(than: Bookmark, pageSize = mostInPage): AsyncGenerator<LogPage> {
    let [bookmark, afterXid, afterSeq] = [undefined as Bookmark | undefined, '0', '0']
    for (;;) {
      const page: LogPage = await this.#page(than, [afterXid, afterSeq, pageSize])
      bookmark ??= page.bookmark
      yield { ...page, bookmark }
      const last = page.entries.at(-1)
      if (!last || page.entries.length < pageSize) return
      afterXid = last.xid.toString()
      afterSeq = last.seq
    }
  }

  async #page(
    { ceiling, running }: Bookmark,
    [afterXid, afterSeq, pageSize]: [string, string, number],
  ): Promise<LogPage> {
    const { rows } = await this.#db.raw<{ rows: (Row & BookmarkRow & { foreign: boolean })[] }>(
      `WITH at AS (SELECT ${here}, ${this.#history} AS history, ${foreign} AS foreign)
       SELECT at.*, seq, kind, value, expires_at, xid
         FROM at LEFT JOIN (
           SELECT * FROM revocations
            WHERE (xid >= ?::xid8 OR xid = ANY(?::xid8[])) AND (xid, seq) > (?::xid8, ?::bigint)
              AND xid < ${ceilingNow}
            ORDER BY xid, seq LIMIT ?) AS entry ON true
        ORDER BY xid, seq`,
      [ceiling.toString(), [...running], afterXid, afterSeq, pageSize],
    )
    const [first] = rows
    if (!first) throw new Error('the log of revocations has no position')
    const entries = rows.filter((row) => row.kind !== null).map(fromRow)
    return { bookmark: bookmarkOf(first), entries, hasForeign: first.foreign }
  }

  /**
   * Gives entries that were restored from another cluster a current transaction number: this cluster has
   * yet to reach theirs, and no reader can place them.
   * @returns how many
   */
  async renumber(pageSize = mostInPage): Promise<number> {
    for (let sum = 0; ; ) {
      const { rowCount } = await this.#db.raw<{ rowCount: number }>(
        `UPDATE revocations SET xid = pg_current_xact_id()
          WHERE seq IN (SELECT seq FROM revocations WHERE xid >= ${ceilingNow}
                         ORDER BY xid LIMIT ? FOR UPDATE SKIP LOCKED)`,
        [pageSize],
      )
      sum += rowCount
      if (rowCount < pageSize) return sum
    }
  }

  /** True if entries bear transaction numbers that this cluster has yet to reach. */
  async hasForeign(): Promise<boolean> {
    const { rows } = await this.#db.raw<{ rows: [{ foreign: boolean }] }>(
      `SELECT ${foreign} AS foreign`,
    )
    return rows[0].foreign
  }

  /** The current position. A reader takes it before it reads all live entries, so that it misses none. */
  async bookmark(): Promise<Bookmark> {
    const read = async () => {
      const sql = `SELECT ${here}, ${this.#history} AS history`
      const { rows } = await this.#db.raw<{ rows: [BookmarkRow] }>(sql)
      return bookmarkOf(rows[0])
    }
    return read().catch((error) => {
      // Some hosted databases lack these functions. Other errors may be temporary: a standby answers 55000.
      if (!notOffered.has(error.code) || this.#history === databaseAlone) throw error
      this.#history = databaseAlone
      return read()
    })
  }

  /** The start of the current minute. */
  minute(): Date {
    return new Date(Math.floor(this.#now().getTime() / 60_000) * 60_000)
  }

  /** All live entries, a page at a time. */
  async *live(pageSize = mostInPage): AsyncGenerator<LoggedRevocation[]> {
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

  /**
   * Those of the given revocations that the log does not have. One that is about to expire is not lost: by
   * another clock it has expired here already.
   */
  async lackedOf(held: readonly Revocation[]): Promise<Revocation[]> {
    const soon = later(this.#now(), expiringSeconds)
    const revocations = held.filter(({ expiresAt }) => expiresAt > soon)
    if (revocations.length === 0) return []
    const { rows } = await this.#db.raw<{ rows: { at: string }[] }>(
      `SELECT at FROM unnest(?::text[], ?::text[]) WITH ORDINALITY AS held (kind, value, at)
        WHERE NOT EXISTS (SELECT FROM revocations AS known WHERE known.value = held.value
                             AND known.kind = held.kind AND known.expires_at > ?)`,
      [revocations.map(({ kind }) => kind), revocations.map(({ value }) => value), this.#now()],
    )
    return rows.flatMap(({ at }) => revocations[Number(at) - 1] ?? [])
  }
}

/** Entries that no token can match any more. */
export const expiredRevocations: ExpiringRows = { table: 'revocations', columns: ['expires_at'] }

/** A statement reads so many entries well within its time limit, even on a busy machine. */
const mostInPage = 5000

/** The clocks of Redis, PostgreSQL and this machine differ by less. */
const expiringSeconds = 10

const fromRow = (row: Row): LoggedRevocation => ({
  kind: row.kind,
  value: row.value,
  expiresAt: row.expires_at,
  seq: row.seq,
  xid: BigInt(row.xid),
})

const bookmarkOf = ({ history, watermark, ceiling, snapshot }: BookmarkRow): Bookmark => ({
  history: createHash('sha256').update(history).digest('base64url').slice(0, 8),
  watermark: BigInt(watermark),
  ceiling: BigInt(ceiling),
  running: snapshot.split(':')[2]?.split(',').filter(Boolean) ?? [],
})

const ceilingNow = 'pg_snapshot_xmax(pg_current_snapshot())'

const foreign = `EXISTS (SELECT FROM revocations WHERE xid >= ${ceilingNow})`

const here = `pg_snapshot_xmin(pg_current_snapshot()) AS watermark, ${ceilingNow} AS ceiling,
  pg_current_snapshot()::text AS snapshot`

/** insufficient_privilege, undefined_function, feature_not_supported: permanent errors. */
const notOffered = new Set(['42501', '42883', '0A000'])

const databaseAlone = '(SELECT oid FROM pg_database WHERE datname = current_database())::text'

/** A restore into a new cluster changes the first part, a recovery or a failover the second. */
const clusterAndTimeline = `concat_ws(':', (SELECT system_identifier FROM pg_control_system()),
  left(pg_walfile_name(pg_current_wal_lsn()), 8), ${databaseAlone})`
