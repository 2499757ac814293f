import type { Now } from '../clock.ts'
import type { Db } from '../stores/postgres.ts'

/** What can be revoked: one access token, a session, all of a client, all that a key signed. */
export type RevocationKind = 'jti' | 'sid' | 'client' | 'kid'

export interface Revocation {
  readonly kind: RevocationKind
  readonly value: string
  /** When the last token that it can concern has expired. */
  readonly expiresAt: Date
}

interface Row {
  seq: string
  kind: RevocationKind
  value: string
  expires_at: Date
}

/** The durable, append-only log of revocations: the truth that Redis and the verifiers copy. */
export class RevocationLog {
  readonly #db: Db
  readonly #now: Now

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

  async holdsAny(marks: readonly Pick<Revocation, 'kind' | 'value'>[]): Promise<boolean> {
    const row = await this.#db('revocations')
      .whereIn(
        ['kind', 'value'],
        marks.map(({ kind, value }) => [kind, value]),
      )
      .where('expires_at', '>', this.#now())
      .first('seq')
    return row !== undefined
  }

  /**
   * What was revoked by transactions from number `since` on, and the number to go on from: the oldest
   * transaction that still runs. Row numbers would not do: they are handed out before the commit, so
   * a row can appear below one already read. This way an entry may be read twice and none is missed.
   */
  async changes(since: bigint): Promise<{ entries: Revocation[]; watermark: bigint }> {
    const { rows } = await this.#db.raw<{ rows: (Row & { watermark: string })[] }>(
      `WITH now AS (SELECT pg_snapshot_xmin(pg_current_snapshot()) AS watermark)
       SELECT now.watermark, kind, value, expires_at
         FROM now LEFT JOIN revocations ON xid >= ?::xid8 ORDER BY xid, seq`,
      [since.toString()],
    )
    return {
      entries: rows.filter((row) => row.kind !== null).map(fromRow),
      watermark: BigInt(rows[0]?.watermark ?? since),
    }
  }

  /** The number that `changes` would go on from, now. */
  async watermark(): Promise<bigint> {
    const { rows } = await this.#db.raw<{ rows: { watermark: string }[] }>(
      'SELECT pg_snapshot_xmin(pg_current_snapshot()) AS watermark',
    )
    return BigInt(rows[0]?.watermark ?? 0)
  }

  /** All live entries, a page at a time. */
  async *live(pageSize = 5000): AsyncGenerator<Revocation[]> {
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

const fromRow = (row: Row): Revocation => ({
  kind: row.kind,
  value: row.value,
  expiresAt: row.expires_at,
})
