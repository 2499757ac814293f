import type { KeyObject } from 'node:crypto'
import type { Discovery } from './discovery.ts'
import { type Door, download, reasonOf } from './download.ts'
import { freshSeconds, type PublishedKey, readJwks } from './published-keys.ts'
import { VerificationError } from './verification-error.ts'

interface Dependencies extends Door {
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
/** Stale by so much, and with no word of trouble, keys are worth a wait: nobody asked for long. */
const revalidateWaitSeconds = 600
const maxRetrySeconds = 10

/**
 * The published keys. Stale while revalidating: old ones go on while new ones are fetched, and while
 * the issuer is away, because keys live for weeks. Not without end: a key that leaked and was
 * withdrawn must not be good for ever at a service that was cut off. A day is longer than outages
 * last, and much longer than a token lives.
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
  #lookedAt = Number.NEGATIVE_INFINITY

  constructor(deps: Dependencies) {
    this.#deps = deps
  }

  get size(): number {
    return this.#keys.size
  }

  /** The key, if it is published: without waiting. */
  known(kid: string): KeyObject | undefined {
    return this.#keys.get(kid)?.key
  }

  /**
   * Sees to it that there are keys, and that they get fresh.
   * @returns what has to be waited for, if anything
   * @throws VerificationError, as its promise does, if there are none
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
   * The key that a `kid` names. One that nobody knows may be new, so the set is fetched, but not more
   * than once in the cooldown, whatever the number of made-up ones: the cooldown is a negative cache
   * that takes no memory. A fetch brings all new keys, so a flood delays a genuine one by no more than it.
   */
  async find(kid: string): Promise<KeyObject> {
    await this.tend()
    if (!this.#keys.has(kid)) await this.#flight
    if (!this.#keys.has(kid) && this.#cooledDown()) {
      this.#lookedAt = this.#deps.now().getTime()
      void this.#fetch()
    }
    if (!this.#keys.has(kid)) await this.#flight
    const key = this.known(kid)
    if (key) return key
    // While the issuer does not answer nobody can tell whether the key is new or made up.
    if (this.#failures > 0) throw this.#unavailable()
    throw new VerificationError('key_unknown', 'no published key has this kid')
  }

  /** Single flight; never rejects: what went wrong is remembered. */
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

  /** A clock that was set back says nothing about age: such keys are used, and fetched anew. */
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
    return this.#secondsSince(this.#lookedAt) >= this.#deps.unknownKidCooldownSeconds
  }

  #unavailable(): VerificationError {
    const reason = `the keys of the issuer could not be fetched: ${reasonOf(this.#failure)}`
    return new VerificationError('keys_unavailable', reason, this.#failure)
  }
}
