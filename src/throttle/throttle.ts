import type { Pool } from 'pg'
import { GuessLimiter, type SignInFacts } from '../authentication/guess-limiter.ts'
import type { Now } from '../clock.ts'
import type { Db } from '../stores/postgres.ts'
import type { RedisClient } from '../stores/redis.ts'
import { CounterKeys } from './counter-keys.ts'
import { Counters } from './counters.ts'
import {
  type DelayLimits,
  delayLimits,
  type FactsFor,
  type Kind,
  type Limits,
  limits,
} from './limits.ts'
import { quotaOf, reserve, settle } from './reservation.ts'
import { type Quota, ThrottledError } from './throttled.ts'

interface Dependencies {
  readonly pool: Pool
  readonly redis: RedisClient | undefined
  /** 256 bits that all instances share. */
  readonly secret: Uint8Array
  readonly now: Now
  readonly limits?: Partial<Limits>
  readonly delays?: DelayLimits
  /** How long sign-ins of one account wait for each other. */
  readonly waitSeconds: number
  /** Told when PostgreSQL counts instead of Redis, and when Redis counts again. */
  readonly onAway?: (away: boolean, reason: string) => void
}

/** Limits against abuse: see limits.ts for all of them, and SignIns for the guessing of passwords. */
export class Throttle {
  readonly #guessLimiter: GuessLimiter
  readonly #limits: Limits
  readonly #counters: Counters
  readonly #keys: CounterKeys

  constructor({ pool, redis, secret, now, onAway, delays = delayLimits, ...deps }: Dependencies) {
    this.#limits = { ...limits, ...deps.limits }
    this.#counters = new Counters({ pool, redis, onAway })
    this.#keys = new CounterKeys(secret)
    this.#guessLimiter = new GuessLimiter({
      ...{ counters: this.#counters, keys: this.#keys, secret, now, delays },
      sources: this.#limits.signIn,
      waitSeconds: deps.waitSeconds,
    })
  }

  /** Waits a moment for Redis, so that what is counted first is counted where the rest will be. */
  start(): Promise<void> {
    return this.#counters.start()
  }

  /** True while PostgreSQL counts instead of Redis. */
  get redisAway(): boolean {
    return this.#counters.redisAway
  }

  /**
   * Counts an attempt, whatever becomes of it.
   * @returns the limit that is nearest to its end
   * @throws Throttled
   */
  async attempt<K extends Kind>(kind: K, facts: FactsFor<K>): Promise<Quota> {
    const quotas: Quota[] = []
    for (const limit of this.#limits[kind]) {
      const taken = await this.#counters.take(limit, this.#keys.of(limit, facts))
      if (!taken.allowed) throw new ThrottledError(quotaOf(limit, taken))
      quotas.push(quotaOf(limit, taken))
    }
    return quotas.reduce((nearest, quota) =>
      quota.remaining < nearest.remaining ? quota : nearest,
    )
  }

  /** Lets sign-ins of one account wait for each other: see SignIns. */
  inLine<T>(
    facts: Omit<SignInFacts, 'userId'>,
    work: () => Promise<T | undefined>,
  ): Promise<T | undefined> {
    return this.#guessLimiter.inLine(facts, work)
  }

  /** Lets one password be tried: see SignIns. */
  signIn<T extends { readonly id: string }>(
    facts: SignInFacts,
    check: () => Promise<T | undefined>,
  ): Promise<{ readonly person: T; readonly deviceToken: string } | undefined> {
    return this.#guessLimiter.attempt(facts, check)
  }

  /** For a device that proved itself otherwise, as with the link of a password reset. */
  deviceTokenFor(userId: string): string {
    return this.#guessLimiter.deviceTokenFor(userId)
  }

  /** Forgets every failure to sign in as this person: by each name they have, on each device. */
  unlock(userId: string, names: readonly string[]): Promise<void> {
    return this.#guessLimiter.unlock(userId, names)
  }

  /**
   * Lets one secret be tried. Only a failure counts, but it is counted in advance.
   * @param check undefined is a failure; a throw is neither failure nor success
   * @throws Throttled, without having called `check`
   */
  async guess<K extends Kind, T>(
    kind: K,
    facts: FactsFor<K>,
    check: () => Promise<T | undefined>,
  ): Promise<T | undefined> {
    const giveBack = await reserve(this.#counters, this.#keys, this.#limits[kind], facts)
    return settle(check, { succeeded: giveBack, abandoned: giveBack })
  }

  /**
   * Counts a failure that was found already, where the right secret is too long to guess and is
   * checked first: so failures refuse only further failures, never a caller with the right secret.
   * @throws Throttled beyond the limit: then the caller records nothing of this failure
   */
  async countFailure<K extends Kind>(kind: K, facts: FactsFor<K>): Promise<void> {
    for (const limit of this.#limits[kind]) {
      const taken = await this.#counters.take(limit, this.#keys.of(limit, facts))
      if (!taken.allowed) throw new ThrottledError(quotaOf(limit, taken))
    }
  }

  /** Deletes counters of PostgreSQL whose window was over `before`. Redis forgets its own. */
  async prune(before: Date, limit: number, db: Db): Promise<number> {
    const { rowCount } = await db.raw<{ rowCount: number }>(
      `DELETE FROM throttle WHERE ctid = ANY (ARRAY(
         SELECT ctid FROM throttle WHERE expire < ? LIMIT ?))`,
      [before.getTime(), limit],
    )
    return rowCount
  }
}
