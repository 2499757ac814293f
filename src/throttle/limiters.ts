import type { Pool } from 'pg'
import {
  type RateLimiterAbstract,
  RateLimiterPostgres,
  RateLimiterRedis,
} from 'rate-limiter-flexible'
import type { RedisClient } from '../stores/redis.ts'

/** So many points in a window of whole seconds, counted under a name of its own. */
export interface Rule {
  readonly policy: string
  readonly points: number
  readonly windowSeconds: number
}

/** Where counters are kept. */
export interface Stores {
  readonly pool: Pool
  readonly redis: RedisClient | undefined
}

/** The same rule in each store. */
export interface Limiters {
  readonly redis: RateLimiterAbstract | undefined
  readonly postgres: RateLimiterAbstract
}

const prefixOf = ({ policy }: Rule): string => `throttle:${policy}`

/** What a counter is called in Redis. */
export const nameOf = ({ rule, key }: { readonly rule: Rule; readonly key: string }): string =>
  `${prefixOf(rule)}:${key}`

export function limitersFor(rule: Rule, { pool, redis }: Stores): Limiters {
  const { points, windowSeconds } = rule
  const options = { keyPrefix: prefixOf(rule), points, duration: windowSeconds }
  // The library names its statements, which PgBouncer in transaction mode may not know.
  const storeClient = {
    query: ({ text = '', values = [] as unknown[] }) => pool.query(text, values),
  }
  const table = { storeType: 'pool', tableName: 'throttle', tableCreated: true }
  return {
    redis:
      redis &&
      new RateLimiterRedis({ ...options, storeClient: redis, rejectIfRedisNotReady: true }),
    // Expired rows are the janitor's, who works on one instance at a time.
    postgres: new RateLimiterPostgres({
      ...{ ...options, ...table, storeClient, clearExpiredByTimeout: false },
    }),
  }
}
