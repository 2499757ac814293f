import type { ExpiringRows } from '../stores/delete-expired.ts'
import type { CounterKeys } from './counter-keys.ts'
import type { Counters } from './counters.ts'
import type { FactsFor, Kind, Limits } from './limits.ts'
import { quotaOf, type Reservation, reserve } from './reservation.ts'
import { type Quota, ThrottledError } from './throttled.ts'

interface Dependencies {
  readonly counters: Counters
  readonly keys: CounterKeys
  readonly limits: Limits
}

/** Limits against abuse. limits.ts lists them; authentication/guess-limiter.ts adds those of sign-ins. */
export class Throttle {
  readonly #deps: Dependencies

  constructor(deps: Dependencies) {
    this.#deps = deps
  }

  /** Waits a moment for Redis, so that what is counted first is counted where the rest will be. */
  start(): Promise<void> {
    return this.#deps.counters.start()
  }

  /** True while PostgreSQL counts instead of Redis. */
  get redisAway(): boolean {
    return this.#deps.counters.redisAway
  }

  /**
   * Counts an attempt, whether it succeeds or fails.
   * @returns the limit that is nearest to its end
   * @throws ThrottledError when a limit has been reached
   */
  async attempt<K extends Kind>(kind: K, facts: FactsFor<K>): Promise<Quota> {
    const { counters, keys, limits } = this.#deps
    const quotas: Quota[] = []
    for (const limit of limits[kind]) {
      const taken = await counters.take(limit, keys.of(limit, facts))
      if (!taken.allowed) throw new ThrottledError(quotaOf(limit, taken))
      quotas.push(quotaOf(limit, taken))
    }
    return quotas.reduce((nearest, quota) =>
      quota.remaining < nearest.remaining ? quota : nearest,
    )
  }

  /**
   * Lets one secret be tried. Only a failure counts, but it is counted in advance.
   * @throws ThrottledError when a limit has been reached: the secret may not be checked
   */
  reserve<K extends Kind>(kind: K, facts: FactsFor<K>): Promise<Reservation> {
    const { counters, keys, limits } = this.#deps
    return reserve(counters, keys, limits[kind], facts)
  }

  /**
   * Counts a failure that has already happened. For secrets that are too long to guess, which are
   * checked first: failures then refuse only further failures, never a caller with the right secret.
   * @throws ThrottledError beyond the limit: the caller then records nothing of this failure
   */
  async countFailure<K extends Kind>(kind: K, facts: FactsFor<K>): Promise<void> {
    await this.attempt(kind, facts)
  }
}

/** Counters of PostgreSQL; those of Redis expire by themselves. */
export const endedCounters: ExpiringRows = {
  table: 'throttle',
  columns: ['expire'],
  areMilliseconds: true,
}
