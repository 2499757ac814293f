import type { KeyObject } from 'node:crypto'
import type { Discovery } from './discovery.ts'
import { download, type Fetcher, reasonOf } from './download.ts'
import { freshSeconds, type PublishedKey, readJwks } from './published-keys.ts'
import { VerificationError } from './verification-error.ts'

interface Dependencies extends Fetcher {
  readonly discovery: Discovery
  readonly signal: AbortSignal
  readonly now: () => Date
  readonly maxAgeSeconds: number
  readonly maxStaleSeconds: number
  readonly unknownKidCooldownSeconds: number
  readonly onKeys: (kids: readonly string[], changed: boolean) => void
  readonly onProblem: (error: unknown) => void
}

const limitBytes = 256 * 1024
/** Keys that are stale by more than this are awaited, unless fetching them failed: the service was idle. */
const revalidateWaitSeconds = 600
const maxRetrySeconds = 10

/**
 * The published keys, stale while revalidating: known keys stay in use while new ones are fetched and while
 * the issuer is unreachable, because keys live for weeks. Staleness is limited, so that a service that is
 * cut off does not accept a leaked and withdrawn key for ever. A day is longer than most outages, and
 * much longer than the lifetime of a token.
 */
export class KeySet {
  readonly #deps: Dependencies
  #keys: ReadonlyMap<string, PublishedKey> = new Map()
  #fetchedAt = Number.NEGATIVE_INFINITY
  #freshSeconds = 0
  #flight: Promise<void> | undefined
  #failures = 0
  #failedAt = 0
  #failure: unknown
  #searchedAt = Number.NEGATIVE_INFINITY

  constructor(deps: Dependencies) {
    this.#deps = deps
  }

  get size(): number {
    return this.#keys.size
  }

  /** Finds a known key without waiting. */
  known(kid: string): KeyObject | undefined {
    return this.#keys.get(kid)?.key
  }

  /**
   * Keeps the keys fresh.
   * @returns a promise when the caller has to wait
   * @throws VerificationError, also by its promise, when there are no keys
   */
  tend(): Promise<void> | undefined {
    const age = this.#age()
    if (age <= this.#freshSeconds) return undefined
    if (age > this.#deps.maxStaleSeconds) {
      this.#keys = new Map()
      if (!this.#mayRetry()) throw this.#unavailable()
      return this.#fetch().then(() => {
        if (this.#failures > 0) throw this.#unavailable()
      })
    }
    if (!this.#mayRetry()) return undefined
    const flight = this.#fetch()
    const waits = age > this.#freshSeconds + revalidateWaitSeconds && this.#failures === 0
    return waits ? flight : undefined
  }

  /**
   * Finds the key of a `kid`. An unknown one may be new, so the set is fetched, but only once per cooldown,
   * however many `kid`s are made up: the cooldown is a negative cache that takes no memory. A fetch
   * brings all new keys, so a flood delays a genuine key by at most the cooldown.
   * @throws VerificationError
   */
  async find(kid: string): Promise<KeyObject> {
    await this.tend()
    if (!this.#keys.has(kid)) await this.#flight
    if (!this.#keys.has(kid) && this.#cooledDown()) {
      this.#searchedAt = this.#deps.now().getTime()
      void this.#fetch()
    }
    if (!this.#keys.has(kid)) await this.#flight
    const key = this.known(kid)
    if (key) return key
    // While the issuer does not answer, the key may be new or made up.
    if (this.#failures > 0) throw this.#unavailable()
    throw new VerificationError('key_unknown', 'no published key has this kid')
  }

  /** Fetches the keys, once at a time. Never rejects; it records the failure. */
  #fetch(): Promise<void> {
    this.#flight ??= this.#read()
      .then(
        () => {
          this.#failures = 0
        },
        (error) => {
          this.#failures++
          this.#failure = error
          this.#failedAt = this.#deps.now().getTime()
        },
      )
      .catch(() => undefined)
      .finally(() => {
        this.#flight = undefined
      })
    return this.#flight
  }

  async #read(): Promise<void> {
    const { jwksUri } = await this.#deps.discovery.current()
    await this.#readFrom(jwksUri).catch((error) => {
      this.#deps.onProblem(error)
      throw error
    })
  }

  async #readFrom(jwksUri: string): Promise<void> {
    const { signal, maxAgeSeconds } = this.#deps
    const accept = 'application/jwk-set+json, application/json'
    const { headers, body } = await download(this.#deps, jwksUri, { accept, limitBytes, signal })
    const before = this.#keys
    this.#keys = readJwks(body, before)
    this.#fetchedAt = this.#deps.now().getTime()
    this.#freshSeconds = freshSeconds(headers, maxAgeSeconds)
    const kids = [...this.#keys.keys()]
    const same = kids.length === before.size && kids.every((kid) => before.has(kid))
    this.#deps.onKeys(kids, !same)
  }

  /** After the clock was set back the age is unknown: the keys stay in use and are fetched again. */
  #age(): number {
    const age = (this.#deps.now().getTime() - this.#fetchedAt) / 1000
    return age < 0 ? this.#freshSeconds + 1 : age
  }

  #secondsSince(time: number): number {
    const seconds = (this.#deps.now().getTime() - time) / 1000
    return seconds < 0 ? Number.POSITIVE_INFINITY : seconds
  }

  #mayRetry(): boolean {
    if (this.#failures === 0) return true
    const pause = Math.min(maxRetrySeconds, 2 ** (this.#failures - 1))
    return this.#secondsSince(this.#failedAt) >= pause
  }

  #cooledDown(): boolean {
    return this.#secondsSince(this.#searchedAt) >= this.#deps.unknownKidCooldownSeconds
  }

  #unavailable(): VerificationError {
    const reason = `the keys of the issuer could not be fetched: ${reasonOf(this.#failure)}`
    return new VerificationError('keys_unavailable', reason, this.#failure)
  }
}
