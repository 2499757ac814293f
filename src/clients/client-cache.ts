import type { Now } from '../clock.ts'
import { secondsBetween } from '../clock.ts'
import { type Statements, statement } from '../stores/statements.ts'
import { type Client, type ClientRow, clientOf } from './client.ts'

/** A client with the digests of its live secrets. */
export interface CachedClient {
  readonly client: Client
  readonly secretDigests: readonly Buffer[]
  /** Read before this was asked: another instance may have changed it within the last seconds. */
  readonly fromMemory: boolean
}

/** How long an instance goes by what it has read: what another one changed counts here after so long. */
export const clientStaleSeconds = 5

const mostRemembered = 1000

interface Dependencies {
  readonly statements: Statements
  readonly now: Now
}

interface Secret {
  readonly digest: Buffer
  readonly expiresAt: Date | null
}

interface Memory {
  readonly readAt: Date
  readonly client: Client
  readonly secrets: readonly Secret[]
}

type Row = ClientRow & { digests: Buffer[]; ends: (Date | null)[] }

/** Columns by name: a prepared statement must go on giving what it gave when a column is added. */
const one = statement(
  'client',
  `SELECT id, name, token_endpoint_auth_method, jwks, first_party, grant_types, scopes,
          default_scopes, audiences, introspects, refresh_tokens, access_token_seconds,
          session_idle_seconds, session_absolute_seconds, lets_unverified_in, created_at, disabled_at,
          ARRAY(SELECT digest FROM client_secrets WHERE client_id = id ORDER BY slot) AS digests,
          ARRAY(SELECT expires_at FROM client_secrets WHERE client_id = id ORDER BY slot) AS ends
     FROM clients WHERE id = $1 AND disabled_at IS NULL`,
)

/**
 * Clients as this instance has read them within the last seconds, so that a request costs no query
 * for who asks. Only what is there is remembered: strangers cannot fill the memory with names, and a
 * new client is known at once.
 */
export class ClientCache {
  readonly #deps: Dependencies
  readonly #remembered = new Map<string, Memory>()
  readonly #reading = new Map<string, Promise<Memory | undefined>>()

  constructor(deps: Dependencies) {
    this.#deps = deps
  }

  /** A client that is not disabled, with its live secrets. */
  async find(id: string): Promise<CachedClient | undefined> {
    const now = this.#deps.now()
    const remembered = this.#remembered.get(id)
    // Of a clock that was set back nothing is believed: it could make five seconds an hour.
    const age = remembered ? secondsBetween(remembered.readAt, now) : Infinity
    if (remembered && age >= 0 && age < clientStaleSeconds) return known(remembered, now, true)
    return this.findAnew(id)
  }

  /** The same as it is now. */
  async findAnew(id: string): Promise<CachedClient | undefined> {
    const memory = await this.#readOnce(id)
    return memory && known(memory, this.#deps.now(), false)
  }

  /** It was changed here, which counts here at once: also for who has begun to read before. */
  forget(id: string): void {
    this.#remembered.delete(id)
    this.#reading.delete(id)
  }

  /** All who ask at once wait for one query. */
  #readOnce(id: string): Promise<Memory | undefined> {
    const underWay = this.#reading.get(id)
    if (underWay) return underWay
    const reading = this.#read(id).then(
      (memory) => {
        if (this.#ended(id, reading)) this.#remember(id, memory)
        return memory
      },
      (error) => {
        this.#ended(id, reading)
        throw error
      },
    )
    this.#reading.set(id, reading)
    return reading
  }

  async #read(id: string): Promise<Memory | undefined> {
    const readAt = this.#deps.now()
    const [row] = await this.#deps.statements.run<Row>(one, [id])
    if (!row) return undefined
    const secrets = row.digests.map((digest, at) => ({ digest, expiresAt: row.ends[at] ?? null }))
    return { readAt, client: clientOf(row), secrets }
  }

  /** @returns false when the client was changed here meanwhile: what was read is not to be kept */
  #ended(id: string, reading: Promise<unknown>): boolean {
    return this.#reading.get(id) === reading && this.#reading.delete(id)
  }

  #remember(id: string, memory: Memory | undefined): void {
    this.#remembered.delete(id)
    if (!memory) return
    if (this.#remembered.size >= mostRemembered) {
      const [oldest = id] = this.#remembered.keys()
      this.#remembered.delete(oldest)
    }
    this.#remembered.set(id, memory)
  }
}

/** A secret that was rotated ends at its time, however fresh the memory of it. */
function known({ client, secrets }: Memory, now: Date, fromMemory: boolean): CachedClient {
  const live = secrets.filter(({ expiresAt }) => expiresAt === null || expiresAt > now)
  return { client, secretDigests: live.map(({ digest }) => digest), fromMemory }
}
