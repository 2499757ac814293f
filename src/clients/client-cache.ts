import { LRUCache } from 'lru-cache'
import { type Now, secondsBetween } from '../clock.ts'
import { type Statements, statement } from '../stores/statements.ts'
import { type Client, type ClientRow, clientOf } from './client.ts'
import { settingColumns } from './client-settings.ts'

/** A client with the digests of its live secrets. */
export interface CachedClient {
  readonly client: Client
  readonly secretDigests: readonly Buffer[]
  /** It was read earlier: another instance may have changed it within the last seconds. */
  readonly isCached: boolean
}

/** How long a client is cached: a change by another instance takes effect here after so long. */
export const clientStaleSeconds = 5

const mostCached = 1000

interface Dependencies {
  readonly statements: Statements
  readonly now: Now
}

interface Secret {
  readonly digest: Buffer
  readonly expiresAt: Date | null
}

interface CacheEntry {
  readonly readAt: Date
  readonly client: Client
  readonly secrets: readonly Secret[]
}

type Row = ClientRow & { digests: Buffer[]; ends: (Date | null)[] }

const selectClient = statement(
  'client',
  `SELECT id, ${settingColumns}, created_at, disabled_at,
          ARRAY(SELECT digest FROM client_secrets WHERE client_id = id ORDER BY slot) AS digests,
          ARRAY(SELECT expires_at FROM client_secrets WHERE client_id = id ORDER BY slot) AS ends
     FROM clients WHERE id = $1 AND disabled_at IS NULL`,
)

/**
 * Caches clients for some seconds, so that authenticating a client usually costs no query. Only
 * clients that exist are cached: strangers cannot fill the cache with names, and a new client is found
 * at once.
 */
export class ClientCache {
  readonly #deps: Dependencies
  readonly #cached = new LRUCache<string, CacheEntry>({ max: mostCached })
  readonly #reading = new Map<string, Promise<CacheEntry | undefined>>()

  constructor(deps: Dependencies) {
    this.#deps = deps
  }

  /** A client that is not disabled, with its live secrets. */
  async find(id: string): Promise<CachedClient | undefined> {
    const now = this.#deps.now()
    const entry = this.#cached.get(id)
    // A clock that was set back could make five seconds an hour: a negative age is a miss.
    const age = entry ? secondsBetween(entry.readAt, now) : Infinity
    if (entry && age >= 0 && age < clientStaleSeconds) return liveAt(entry, now, true)
    return this.findAnew(id)
  }

  /** The same, read now. */
  async findAnew(id: string): Promise<CachedClient | undefined> {
    const entry = await this.#readOnce(id)
    return entry && liveAt(entry, this.#deps.now(), false)
  }

  /** Drops a client that was changed here, and the result of a query that began before. */
  forget(id: string): void {
    this.#cached.delete(id)
    this.#reading.delete(id)
  }

  /** Concurrent callers share one query. */
  #readOnce(id: string): Promise<CacheEntry | undefined> {
    const underWay = this.#reading.get(id)
    if (underWay) return underWay
    const reading = this.#read(id).then(
      (entry) => {
        if (this.#ended(id, reading)) {
          if (entry) this.#cached.set(id, entry)
          else this.#cached.delete(id)
        }
        return entry
      },
      (error) => {
        this.#ended(id, reading)
        throw error
      },
    )
    this.#reading.set(id, reading)
    return reading
  }

  async #read(id: string): Promise<CacheEntry | undefined> {
    const readAt = this.#deps.now()
    const [row] = await this.#deps.statements.run<Row>(selectClient, [id])
    if (!row) return undefined
    const secrets = row.digests.map((digest, at) => ({ digest, expiresAt: row.ends[at] ?? null }))
    return { readAt, client: clientOf(row), secrets }
  }

  /** @returns false if the client was changed here meanwhile: then the result is not cached */
  #ended(id: string, reading: Promise<unknown>): boolean {
    return this.#reading.get(id) === reading && this.#reading.delete(id)
  }
}

/** A rotated secret ends at its time, however fresh the cache is. */
function liveAt({ client, secrets }: CacheEntry, now: Date, isCached: boolean): CachedClient {
  const live = secrets.filter(({ expiresAt }) => expiresAt === null || expiresAt > now)
  return { client, secretDigests: live.map(({ digest }) => digest), isCached }
}
