import type { Counters } from '../throttle/counters.ts'
import type { DelayLimits } from '../throttle/limits.ts'
import type { Point, Rule } from '../throttle/redis-scripts.ts'
import { ThrottledError } from '../throttle/throttled.ts'

/** Names the limit in RateLimit fields. */
const policy = 'sign-in'

/** True if the delay of an account refused a guess, and not a limit of its origin. */
export const isDelay = (error: unknown): error is ThrottledError =>
  error instanceof ThrottledError && error.quota.policy === policy

/** Undoes the count of a guess whose password was never checked. */
type GiveBack = () => Promise<unknown>

/**
 * Growing delays between guesses. A guess is counted before its password is checked: of many guesses
 * at once only the free ones continue, and after those one at a time. Three counters make it: `free`
 * holds the guesses that cost no delay; `level` exists once they are used up and says how many delays
 * there were; `gate` lets one guess through and is then closed until its delay is over.
 */
export class GuessDelays {
  readonly #counters: Counters
  readonly #limits: DelayLimits
  readonly #free: Rule
  readonly #level: Rule
  readonly #gate: Rule

  constructor(counters: Counters, limits: DelayLimits) {
    const { freeFailures, forgetSeconds, longestDelaySeconds } = limits
    this.#counters = counters
    this.#limits = limits
    this.#free = { policy: 'sign-in-free', points: freeFailures, windowSeconds: forgetSeconds }
    this.#level = { policy: 'sign-in-level', points: 1, windowSeconds: forgetSeconds }
    this.#gate = { policy: 'sign-in-gate', points: 1, windowSeconds: longestDelaySeconds }
  }

  /** While there is no `level`, a guess costs one point of `free` and no delay. */
  countersOf(key: string): { readonly [name in 'free' | 'level' | 'gate']: Point } {
    return {
      free: { rule: this.#free, key },
      level: { rule: this.#level, key },
      gate: { rule: this.#gate, key },
    }
  }

  /**
   * Counts one guess.
   * @throws ThrottledError while the delay lasts
   */
  async take(key: string): Promise<GiveBack> {
    const level = await this.#counters.read(this.#level, key)
    return level ? this.#takeDelayed(key, level.points) : this.#takeFree(key)
  }

  async forget(key: string): Promise<void> {
    await this.#counters.forget(Object.values(this.countersOf(key)))
  }

  async #takeFree(key: string): Promise<GiveBack> {
    const free = await this.#counters.take(this.#free, key)
    if (free.allowed && free.points < this.#limits.freeFailures) return () => free.giveBack()
    // The last free guess closes the gate behind it. A guess that comes too late closes it as well,
    // because the last free one may not have got there yet.
    const gate = await this.#counters.take(this.#gate, key, this.#delayAfter(0))
    await this.#counters.put(this.#level, key, 1)
    if (free.allowed) return () => Promise.all([free.giveBack(), this.#open(key)])
    // The last free one may also have succeeded meanwhile, and the gate would stay closed for nobody.
    if (gate.allowed && (await this.#wasForgotten(key))) {
      await this.#open(key)
      return this.take(key)
    }
    await free.giveBack()
    throw this.refusal(gate.millisecondsLeft)
  }

  /** True if a success has forgotten the guesses that had used up the free ones. */
  async #wasForgotten(key: string): Promise<boolean> {
    const free = await this.#counters.read(this.#free, key)
    return !free || free.points < this.#limits.freeFailures
  }

  async #takeDelayed(key: string, level: number): Promise<GiveBack> {
    const gate = await this.#counters.take(this.#gate, key, this.#delayAfter(level))
    if (!gate.allowed) throw this.refusal(gate.millisecondsLeft)
    await this.#counters.put(this.#level, key, level + 1)
    return async () => {
      await this.#counters.put(this.#level, key, level)
      await this.#counters.forget([this.countersOf(key).gate])
    }
  }

  async #open(key: string): Promise<void> {
    const { level, gate } = this.countersOf(key)
    await this.#counters.forget([level, gate])
  }

  #delayAfter(level: number): number {
    const { firstDelaySeconds, longestDelaySeconds } = this.#limits
    return Math.min(firstDelaySeconds * 2 ** level, longestDelaySeconds)
  }

  refusal(millisecondsLeft: number): ThrottledError {
    return new ThrottledError({
      policy,
      limit: this.#limits.freeFailures,
      windowSeconds: this.#limits.forgetSeconds,
      remaining: 0,
      resetSeconds: Math.max(1, Math.ceil(millisecondsLeft / 1000)),
    })
  }
}
