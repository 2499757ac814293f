import { once } from 'node:events'
import { Redis } from 'ioredis'
import { type RateLimiterAbstract, RateLimiterRes } from 'rate-limiter-flexible'
import { type Limiters, limitersFor, type Rule, type Stores } from './limiters.ts'
import { defineScripts, type Point, type TakenTogether, takeTogether } from './taken-together.ts'

export interface Count {
  readonly points: number
  readonly millisecondsLeft: number
}

/** A point that was taken, where it was taken. */
export interface Taken extends Count {
  readonly allowed: boolean
  /** In the store that it came from: another one would owe a point that it never had. */
  giveBack(): Promise<unknown>
}

interface Dependencies extends Stores {
  /** Told when PostgreSQL counts instead of Redis, and when Redis counts again. */
  readonly onAway?: ((away: boolean, reason: string) => void) | undefined
}

/** A Redis that failed is tried again by one request in so many milliseconds; the others do not wait. */
const probeMilliseconds = 1000
const connectMilliseconds = 1000

/**
 * Counters that all instances share, in Redis where there is one. Redis away: PostgreSQL counts, from
 * zero. Both away: the error of PostgreSQL is thrown, so that nobody goes uncounted (ASVS 16.5.3).
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
      (error: Error) => this.#turn(true, error.message),
    )
  }

  /**
   * Takes a point of each in one round trip, if nothing is at `unless` and no limit is reached by it.
   * @returns undefined when they have to be taken one after the other: also without a Redis that answers,
   *   and in a cluster, where one script sees one of them
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

  /** Takes a point, if there is one or not: what is beyond the limit counts as well. */
  take(rule: Rule, key: string, seconds = rule.windowSeconds): Promise<Taken> {
    return this.#ask(rule, async (limiter) => {
      let allowed = true
      const giveBack = () => limiter.reward(key, 1, { customDuration: seconds })
      const taken = await limiter.consume(key, 1, { customDuration: seconds }).catch((refusal) => {
        // A Redis that is only slow takes it all the same, and PostgreSQL takes it again: a right
        // password would cost a point for good. The same connection brings this right behind it.
        if (isLate(refusal)) giveBack().catch(() => undefined)
        if (!(refusal instanceof RateLimiterRes)) throw refusal
        allowed = false
        return refusal
      })
      return { allowed, ...countOf(taken), giveBack }
    })
  }

  read(rule: Rule, key: string): Promise<Count | undefined> {
    return this.#ask(rule, async (limiter) => {
      const found = await limiter.get(key)
      return found ? countOf(found) : undefined
    })
  }

  async put(rule: Rule, key: string, points: number): Promise<void> {
    await this.#ask(rule, (limiter) => limiter.set(key, points, rule.windowSeconds))
  }

  async forget(rule: Rule, key: string): Promise<void> {
    await this.#ask(rule, (limiter) => limiter.delete(key))
  }

  async #ask<T>(rule: Rule, ask: (limiter: RateLimiterAbstract) => Promise<T>): Promise<T> {
    const { redis, postgres } = this.#limitersFor(rule)
    if (redis && this.#mayTryRedis()) {
      try {
        const answer = await ask(redis)
        this.#turn(false, 'it answers')
        return answer
      } catch (error) {
        this.#failed(error as Error)
      }
    }
    return ask(postgres)
  }

  #failed({ message }: Error): void {
    this.#probeAt = performance.now() + probeMilliseconds
    this.#turn(true, message)
  }

  #mayTryRedis(): boolean {
    if (!this.#away) return true
    if (performance.now() < this.#probeAt) return false
    this.#probeAt = performance.now() + probeMilliseconds
    return true
  }

  #turn(away: boolean, reason: string): void {
    if (this.#away === away) return
    this.#away = away
    this.#deps.onAway?.(away, reason)
  }

  #limitersFor(rule: Rule): Limiters {
    const known = this.#limiters.get(rule.policy)
    if (known) return known
    const made = limitersFor(rule, this.#deps)
    this.#limiters.set(rule.policy, made)
    return made
  }
}

/** What ioredis says of a command that was sent and has not been answered in time. */
const isLate = (error: unknown): boolean => (error as Error).message === 'Command timed out'

function countOf({ consumedPoints, msBeforeNext }: RateLimiterRes): Count {
  if (!Number.isFinite(consumedPoints)) throw new Error('the store answered without a count')
  return { points: consumedPoints, millisecondsLeft: msBeforeNext }
}
