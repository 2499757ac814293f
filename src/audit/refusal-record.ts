import type { Knex } from 'knex'
import type { Now } from '../clock.ts'
import type { ExpiringRows } from '../stores/delete-expired.ts'
import type { Db } from '../stores/postgres.ts'
import { type Statements, statement } from '../stores/statements.ts'
import { isUnavailable } from '../stores/unavailable.ts'

/** A request that was refused. It must not hold a secret, a query, an address or a name. */
export interface Refusal {
  readonly requestId: string
  readonly method: string
  /** The pattern of the route, not the path. */
  readonly route: string
  readonly status: number
  readonly error?: string | undefined
  readonly cause?: string | undefined
  readonly grant?: string | undefined
  /** The limit that was exceeded. */
  readonly policy?: string | undefined
  readonly clientId?: string | undefined
  readonly userId?: string | undefined
  readonly sid?: string | undefined
}

/** The caller, which is not recorded. */
interface Cause {
  readonly ip: string
  /** False if the request has proven a client, a person or a session. */
  readonly isStranger: boolean
}

export interface RecordedRefusal {
  id: string
  at: Date
  request_id: string
  method: string
  route: string
  status: number
  error: string | null
  cause: string | null
  grant_type: string | null
  policy: string | null
  client_id: string | null
  user_id: string | null
  sid: string | null
}

/** Rows of an instance and second. Anybody can cause refusals all day; the rest is counted and dropped. */
export const refusalLimits = { all: 100, ofStrangers: 50, ofAddress: 10 } as const

/** Rows that are kept of strangers, and of all others. */
const mostKept = { strangers: 50_000, others: 100_000 } as const

const mostFound = 20
const mostLatest = 5

const insert = statement(
  'note_refusals',
  `INSERT INTO refusals (at, request_id, method, route, status, error, cause, grant_type, policy, client_id,
                         user_id, sid, of_stranger)
   SELECT * FROM unnest($1::timestamptz[], $2::text[], $3::text[], $4::text[], $5::smallint[], $6::text[],
     $7::text[], $8::text[], $9::text[], $10::text[], $11::uuid[], $12::uuid[], $13::boolean[])`,
)

interface Dependencies {
  readonly db: Knex
  readonly statements: Statements
  readonly now: Now
}

interface Noted {
  readonly at: Date
  readonly refusal: Refusal
  readonly isStranger: boolean
}

/**
 * The last refusals, by the id of their request. A request only puts its own into a short queue; one statement
 * a second writes the queue. Nothing is retried: while PostgreSQL is away, refusals are dropped.
 */
export class RefusalRecord {
  readonly #deps: Dependencies
  #queue: Noted[] = []
  #ofStrangers = 0
  readonly #ofAddress = new Map<string, number>()
  #dropped = 0
  #writing: Promise<void> = Promise.resolve()
  #isFailing = false

  constructor(deps: Dependencies) {
    this.#deps = deps
  }

  /** Refusals that were not recorded: too many at once, or PostgreSQL did not answer. */
  get dropped(): number {
    return this.#dropped
  }

  note(refusal: Refusal, { ip, isStranger }: Cause): void {
    const ofAddress = this.#ofAddress.get(ip) ?? 0
    const { all, ofStrangers, ofAddress: mostOfAddress } = refusalLimits
    const isTooMuch =
      this.#queue.length >= all ||
      (isStranger && (this.#ofStrangers >= ofStrangers || ofAddress >= mostOfAddress))
    if (isTooMuch) {
      this.#dropped += 1
      return
    }
    if (isStranger) {
      this.#ofStrangers += 1
      this.#ofAddress.set(ip, ofAddress + 1)
    }
    this.#queue.push({ at: this.#deps.now(), refusal, isStranger })
  }

  /** Writes everything that was noted before the call; it is called each second. */
  write(): Promise<void> {
    const written = this.#writing.catch(() => undefined).then(() => this.#write())
    this.#writing = written
    return written
  }

  /** Writes the rest, unless PostgreSQL does not answer: a shutdown must not wait for it. */
  async stop(): Promise<void> {
    await this.#writing.catch(() => undefined)
    if (!this.#isFailing) await this.write().catch(() => undefined)
  }

  async #write(): Promise<void> {
    const batch = this.#queue
    if (batch.length === 0) return
    this.#queue = []
    this.#ofStrangers = 0
    this.#ofAddress.clear()
    const of = (read: (refusal: Refusal) => unknown) =>
      batch.map(({ refusal }) => read(refusal) ?? null)
    try {
      await this.#deps.statements.run(insert, [
        batch.map(({ at }) => at),
        of(({ requestId }) => requestId.slice(0, 128)),
        of(({ method }) => method.slice(0, 10)),
        of(({ route }) => route.slice(0, 200)),
        of(({ status }) => status),
        of(({ error }) => error?.slice(0, 100)),
        of(({ cause }) => cause?.slice(0, 200)),
        of(({ grant }) => grant?.slice(0, 100)),
        of(({ policy }) => policy?.slice(0, 100)),
        of(({ clientId }) => clientId?.slice(0, 100)),
        of(({ userId }) => userId),
        of(({ sid }) => sid),
        batch.map(({ isStranger }) => isStranger),
      ])
      this.#isFailing = false
    } catch (error) {
      this.#isFailing = true
      this.#dropped += batch.length
      // Every request reports an unreachable database.
      if (!isUnavailable(error)) throw error
    }
  }

  /** The refusals of a request; several if a proxy gave its id to more than one. */
  ofRequest(requestId: string): Promise<RecordedRefusal[]> {
    return this.#newest({ request_id: requestId })
  }

  /** The last refusals of a person or a client. There is no index: the table is small. */
  latestOf(who: { readonly user_id: string } | { readonly client_id: string }) {
    return this.#newest(who, mostLatest)
  }

  async #newest(where: object, limit = mostFound): Promise<RecordedRefusal[]> {
    return this.#deps
      .db<RecordedRefusal>('refusals')
      .where(where)
      .orderBy('id', 'desc')
      .limit(limit)
  }
}

export const oldRefusals: ExpiringRows = { table: 'refusals', columns: ['at'] }

/** Deletes the oldest refusals above the maximum: those of strangers do not displace the others. */
export async function deleteSurplusRefusals(
  db: Db,
  limit: number,
  kept: { readonly strangers: number; readonly others: number } = mostKept,
): Promise<{ rows: number; done: boolean }> {
  let rows = 0
  for (const [ofStranger, most] of [
    [true, kept.strangers],
    [false, kept.others],
  ] as const) {
    const { rowCount } = await db.raw<{ rowCount: number }>(
      `DELETE FROM refusals WHERE id IN (
         SELECT id FROM refusals WHERE of_stranger = ? ORDER BY id DESC OFFSET ? LIMIT ?)`,
      [ofStranger, most, limit],
    )
    rows += rowCount
  }
  return { rows, done: rows < limit }
}
