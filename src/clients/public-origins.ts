import type { Knex } from 'knex'
import { type Now, secondsBetween } from '../clock.ts'
import { isUnavailable } from '../stores/unavailable.ts'
import { clientStaleSeconds } from './client-cache.ts'

/** More redirect URIs than public clients of any installation have. */
const mostUris = 10_000
/** An unknown origin causes a query at most this often, so that strangers cost next to nothing. */
const unknownSeconds = 1

interface Dependencies {
  readonly db: Knex
  readonly now: Now
}

interface Snapshot {
  readonly readAt: Date
  readonly origins: ReadonlySet<string>
}

/**
 * The origins of single-page apps: those of the redirect URIs of public clients. A new client is found
 * within a second, and one that was disabled is forgotten after `clientStaleSeconds`.
 */
export class PublicOrigins {
  readonly #deps: Dependencies
  #last: Snapshot | undefined
  #reading: Promise<Snapshot> | undefined

  constructor(deps: Dependencies) {
    this.#deps = deps
  }

  /** @param origin as a browser sends it; compared exactly */
  async has(origin: string): Promise<boolean> {
    const last = this.#last
    const maxAge = last?.origins.has(origin) ? clientStaleSeconds : unknownSeconds
    // A clock that was set back makes a negative age: that is a miss.
    const age = last ? secondsBetween(last.readAt, this.#deps.now()) : Infinity
    if (last && age >= 0 && age < maxAge) return last.origins.has(origin)
    try {
      return (await this.#readOnce()).origins.has(origin)
    } catch (error) {
      // A script of the app can read the 503 as well.
      if (isUnavailable(error)) return last?.origins.has(origin) ?? false
      throw error
    }
  }

  /** Concurrent callers share one query. */
  #readOnce(): Promise<Snapshot> {
    this.#reading ??= this.#read().finally(() => {
      this.#reading = undefined
    })
    return this.#reading
  }

  async #read(): Promise<Snapshot> {
    const readAt = this.#deps.now()
    const { db } = this.#deps
    const rows: { uri: string }[] = await db('clients')
      .where({ token_endpoint_auth_method: 'none', disabled_at: null })
      .whereRaw('cardinality(redirect_uris) > 0')
      .orderBy('id')
      .limit(mostUris)
      .select(db.raw('unnest(redirect_uris) AS uri'))
    const snapshot = { readAt, origins: new Set(rows.flatMap(({ uri }) => originOf(uri))) }
    this.#last = snapshot
    return snapshot
  }
}

/** A private-use scheme has no origin: browsers would send `null`, as other documents do as well. */
function originOf(redirectUri: string): string[] {
  const { protocol, origin } = new URL(redirectUri)
  return protocol === 'https:' || protocol === 'http:' ? [origin] : []
}
