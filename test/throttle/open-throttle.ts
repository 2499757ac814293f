import { createHash, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import type { ExecutionContext } from 'ava'
import { GuessLimiter, type SignInFacts } from '../../src/authentication/guess-limiter.ts'
import { openPostgres, type Postgres } from '../../src/stores/postgres.ts'
import { openRedis, type RedisClient } from '../../src/stores/redis.ts'
import { CounterKeys } from '../../src/throttle/counter-keys.ts'
import { Counters } from '../../src/throttle/counters.ts'
import { delayLimits, type FactsFor, type Kind, limits } from '../../src/throttle/limits.ts'
import { Throttle } from '../../src/throttle/throttle.ts'
import { ThrottledError } from '../../src/throttle/throttled.ts'
import { testRedisUrl } from '../../tools/fixtures.ts'
import { Clock, copyTemplate } from '../support/server/start-server.ts'

export const stores = ['redis', 'postgres'] as const
export type Store = (typeof stores)[number]

const secret = createHash('sha256').update('the throttle of the tests').digest()

/** Sixty times slower than the real ones, so that no busy machine outlasts a delay. */
const delays = { ...delayLimits, firstDelaySeconds: 60, longestDelaySeconds: 54_000 }

/** Instances of the throttle on one real store, and a way to let time pass in it. */
export interface TestThrottle {
  readonly throttle: Throttle
  readonly guesses: GuessLimiter
  readonly clock: Clock
  readonly postgres: Postgres
  readonly redis: RedisClient | undefined
  /** Every change between Redis (`false`) and PostgreSQL (`true`). */
  readonly turns: boolean[]
  /** Another instance with connections of its own. */
  beside(): Promise<{ readonly throttle: Throttle; readonly guesses: GuessLimiter }>
  /** Makes every counter older by this many seconds. */
  age(seconds: number): Promise<void>
  /** Everything that the store holds, keys and values. */
  dump(): Promise<string[]>
}

export interface Options {
  /** A Redis of the test's own. */
  readonly redisUrl?: string
  readonly databaseUrl?: string
}

export async function openThrottle(
  t: ExecutionContext<unknown>,
  store: Store,
  { redisUrl, databaseUrl }: Options = {},
): Promise<TestThrottle> {
  const clock = new Clock()
  const keyPrefix = `${randomUUID()}:`
  const url = databaseUrl ?? (await copyTemplate(t))
  const turns: boolean[] = []
  const open = async () => {
    const postgres = openPostgres({ url, poolSize: 10, timeoutSeconds: 60 })
    t.teardown(() => postgres.close())
    const redis = store === 'redis' ? connect(t, keyPrefix, redisUrl) : undefined
    if (redis) await once(redis, 'ready')
    const onAway = (away: boolean) => void turns.push(away)
    const counters = new Counters({ pool: postgres.pool, redis, onAway })
    const keys = new CounterKeys(secret)
    const throttle = new Throttle({ counters, keys, limits })
    const guesses = new GuessLimiter({
      counters,
      keys,
      secret,
      now: clock.now,
      sources: limits.signIn,
      delays,
      waitSeconds: 240,
    })
    return { postgres, redis, throttle, guesses }
  }
  const { throttle, guesses, postgres, redis } = await open()
  return {
    throttle,
    guesses,
    clock,
    postgres,
    redis,
    turns,
    beside: open,
    age: (seconds) =>
      redis ? ageRedis(redis, keyPrefix, seconds) : agePostgres(postgres, seconds),
    dump: async () => {
      if (redis) return redis.keys(`${keyPrefix}*`)
      return (await postgres.db('throttle')).map((row) => JSON.stringify(row))
    },
  }
}

/** A shared Redis may be slow under other tests; one of the test's own is there to be lost. */
function connect(t: ExecutionContext<unknown>, keyPrefix: string, own?: string): RedisClient {
  const url = own ?? testRedisUrl(keyPrefix) ?? ''
  const redis = openRedis({ urls: [url], keyPrefix, timeoutMilliseconds: own ? 1000 : 10_000 })
  redis.on('error', () => undefined)
  t.teardown(() => redis.disconnect())
  return redis
}

async function ageRedis(redis: RedisClient, keyPrefix: string, seconds: number): Promise<void> {
  for (const name of await redis.keys(`${keyPrefix}*`)) {
    const key = name.slice(keyPrefix.length)
    await redis.pexpire(key, (await redis.pttl(key)) - seconds * 1000)
  }
}

async function agePostgres({ db }: Postgres, seconds: number): Promise<void> {
  await db('throttle').decrement('expire', seconds * 1000)
}

/** Tries one password, without waiting in the line of its account. */
export async function tryPassword<T extends { readonly id: string }>(
  guesses: GuessLimiter,
  facts: SignInFacts,
  check: () => Promise<T | undefined>,
): Promise<{ readonly person: T; readonly deviceToken: string } | undefined> {
  await using guess = await guesses.reserve(facts)
  const person = await check()
  if (person) return { person, deviceToken: await guess.succeeded(person.id) }
  guess.failed()
  return undefined
}

/** Tries one password as a sign-in does: after waiting in the line of its account. */
export async function tryInLine<T extends { readonly id: string }>(
  guesses: GuessLimiter,
  facts: SignInFacts,
  check: () => Promise<T | undefined>,
): ReturnType<typeof tryPassword<T>> {
  using turn = await guesses.enterLine(facts)
  for (;;) {
    try {
      const signedIn = await tryPassword(guesses, facts, check)
      if (signedIn) turn.succeeded()
      return signedIn
    } catch (error) {
      await turn.retryAfter(error)
    }
  }
}

/** The error of a job that was refused; undefined when it was let through. */
export async function refusal(job: () => unknown): Promise<ThrottledError | undefined> {
  try {
    await job()
    return undefined
  } catch (error) {
    if (error instanceof ThrottledError) return error
    throw error
  }
}

/** Runs a job many times, a hundred at once. @returns how many were let through */
export async function letThrough(
  times: number,
  job: (i: number) => Promise<unknown>,
): Promise<number> {
  let passed = 0
  for (let from = 0; from < times; from += 100) {
    const jobs = Array.from({ length: Math.min(100, times - from) }, (_, i) =>
      refusal(() => job(from + i)),
    )
    passed += (await Promise.all(jobs)).filter((one) => one === undefined).length
  }
  return passed
}

/** Tries one secret against the limits of a kind. */
export async function guess<K extends Kind, T>(
  throttle: Throttle,
  kind: K,
  facts: FactsFor<K>,
  check: () => Promise<T | undefined>,
): Promise<T | undefined> {
  await using reservation = await throttle.reserve(kind, facts)
  const outcome = await check()
  if (outcome === undefined) reservation.failed()
  return outcome
}
