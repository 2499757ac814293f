import { once } from 'node:events'
import { Redis } from 'ioredis'
import type { Pool } from 'pg'
import {
  type RateLimiterAbstract,
  RateLimiterPostgres,
  RateLimiterRedis,
  RateLimiterRes,
} from 'rate-limiter-flexible'
import type { RedisClient } from '../stores/redis.ts'
import {
  defineScripts,
  nameOf,
  type Point,
  prefixOf,
  type Rule,
  type TakenTogether,
  takeTogether,
} from './redis-scripts.ts'

export interface Count {
  readonly points: number
  readonly millisecondsLeft: number
}

/** A point that was taken, whether or not the limit allows it. */
export interface Taken extends Count {
  readonly allowed: boolean
  /** In the store that it was taken from: the other one would get a negative count. */
  giveBack(): Promise<unknown>
}

interface Dependencies {
  readonly pool: Pool
  readonly redis: RedisClient | undefined
  /** Called when PostgreSQL starts to count instead of Redis, and when Redis counts again. */
  readonly onAway?: ((away: boolean, reason: string) => void) | undefined
}

/** The same rule in each store. */
interface Limiters {
  readonly redis: RateLimiterAbstract | undefined
  readonly postgres: RateLimiterAbstract
}

/** One request in this time tries a Redis that has failed; the others do not wait for it. */
const probeMilliseconds = 1000
const connectMilliseconds = 1000

/**
 * Counters that all instances share, in Redis if it is configured. While Redis fails, PostgreSQL counts
 * from zero. While both fail, the error of PostgreSQL is thrown, so that no attempt goes uncounted
 * (ASVS 16.5.3).
 */
export class Counters {
  readonly #deps: Dependencies
  readonly #limiters = new Map<string, Limiters>()
  #away = false
  #probeAt = 0

  constructor(deps: Dependencies) {
    this.#deps = deps
    if (deps.redis instanceof Redis) defineScripts(deps.redis)
  }

  get redisAway(): boolean {
    return this.#away
  }

  /** Waits until Redis has connected, for a second at most. */
  async start(): Promise<void> {
    const { redis } = this.#deps
    if (!redis || redis.status === 'ready') return
    await once(redis, 'ready', { signal: AbortSignal.timeout(connectMilliseconds) }).catch(
      (error: Error) => this.#setAway(true, error.message),
    )
  }

  /**
   * Takes a point of each counter in one round trip, unless one of them would reach its limit or there
   * is the counter `unless`.
   * @returns undefined when the points must be taken one by one: then, while Redis fails or is absent,
   *   and in a cluster, where a script sees the counters of one node only
   */
  async takeTogether(points: readonly Point[], unless: Point): Promise<TakenTogether | undefined> {
    const { redis } = this.#deps
    if (!(redis instanceof Redis) || this.#away) return undefined
    try {
      return await takeTogether(redis, points, unless)
    } catch (error) {
      this.#failed(error as Error)
      return undefined
    }
  }

  /** Takes a point; points beyond the limit are counted as well. */
  take(rule: Rule, key: string, seconds = rule.windowSeconds): Promise<Taken> {
    return this.#run(rule, async (limiter) => {
      let allowed = true
      const giveBack = () => limiter.reward(key, 1, { customDuration: seconds })
      const taken = await limiter.consume(key, 1, { customDuration: seconds }).catch((refusal) => {
        // A slow Redis takes the point as well as PostgreSQL, which would cost a right password a point
        // for good. The same connection delivers this refund after the point.
        if (isLate(refusal)) giveBack().catch(() => undefined)
        if (!(refusal instanceof RateLimiterRes)) throw refusal
        allowed = false
        return refusal
      })
      return { allowed, ...countOf(taken), giveBack }
    })
  }

  read(rule: Rule, key: string): Promise<Count | undefined> {
    return this.#run(rule, async (limiter) => {
      const found = await limiter.get(key)
      return found ? countOf(found) : undefined
    })
  }

  async put(rule: Rule, key: string, points: number): Promise<void> {
    await this.#run(rule, (limiter) => limiter.set(key, points, rule.windowSeconds))
  }

  /** Deletes counters at once, so that no attempt meets some of them deleted and others not. */
  async forget(points: readonly Point[]): Promise<void> {
    const { redis, pool } = this.#deps
    const names = points.map(nameOf)
    await this.#inStore<unknown>(redis && (() => deleteKeys(redis, names)), () =>
      pool.query('DELETE FROM throttle WHERE key = ANY($1)', [names]),
    )
  }

  #run<T>(rule: Rule, work: (limiter: RateLimiterAbstract) => Promise<T>): Promise<T> {
    const { redis, postgres } = this.#limitersFor(rule)
    return this.#inStore(redis && (() => work(redis)), () => work(postgres))
  }

  async #inStore<T>(
    inRedis: (() => Promise<T>) | undefined,
    inPostgres: () => Promise<T>,
  ): Promise<T> {
    if (inRedis && this.#mayTryRedis()) {
      try {
        const result = await inRedis()
        this.#setAway(false, 'it answers')
        return result
      } catch (error) {
        this.#failed(error as Error)
      }
    }
    return inPostgres()
  }

  #failed({ message }: Error): void {
    this.#probeAt = performance.now() + probeMilliseconds
    this.#setAway(true, message)
  }

  #mayTryRedis(): boolean {
    if (!this.#away) return true
    if (performance.now() < this.#probeAt) return false
    this.#probeAt = performance.now() + probeMilliseconds
    return true
  }

  #setAway(away: boolean, reason: string): void {
    if (this.#away === away) return
    this.#away = away
    this.#deps.onAway?.(away, reason)
  }

  #limitersFor(rule: Rule): Limiters {
    const existing = this.#limiters.get(rule.policy)
    if (existing) return existing
    const limiters = createLimiters(rule, this.#deps)
    this.#limiters.set(rule.policy, limiters)
    return limiters
  }
}

function createLimiters(rule: Rule, { pool, redis }: Dependencies): Limiters {
  const options = {
    keyPrefix: prefixOf(rule),
    points: rule.points,
    duration: rule.windowSeconds,
  }
  return {
    redis:
      redis &&
      new RateLimiterRedis({ ...options, storeClient: redis, rejectIfRedisNotReady: true }),
    postgres: new RateLimiterPostgres({
      ...options,
      storeType: 'pool',
      // The library names its statements, which PgBouncer in transaction mode may not know.
      storeClient: {
        query: ({ text = '', values = [] as unknown[] }) => pool.query(text, values),
      },
      tableName: 'throttle',
      tableCreated: true,
      // The janitor deletes expired rows, on one instance at a time.
      clearExpiredByTimeout: false,
    }),
  }
}

/** At once; the nodes of a cluster each delete their own. */
const deleteKeys = (redis: RedisClient, names: readonly string[]): Promise<unknown> =>
  redis instanceof Redis ? redis.del(...names) : Promise.all(names.map((name) => redis.del(name)))

/** The error of ioredis for a command that was sent and not answered in time. */
const isLate = (error: unknown): boolean => (error as Error).message === 'Command timed out'

function countOf({ consumedPoints, msBeforeNext }: RateLimiterRes): Count {
  if (!Number.isFinite(consumedPoints)) throw new Error('the store returned no count')
  return { points: consumedPoints, millisecondsLeft: msBeforeNext }
}
