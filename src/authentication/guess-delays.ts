import type { Counters } from '../throttle/counters.ts'
import type { Rule } from '../throttle/limiters.ts'
import type { DelayLimits } from '../throttle/limits.ts'
import type { Point } from '../throttle/taken-together.ts'
import { ThrottledError } from '../throttle/throttled.ts'

/** Names the limit in RateLimit fields. */
const policy = 'sign-in'

/** Refused by an account's delay, and not by where a guess came from. */
export const isDelay = (error: unknown): error is ThrottledError =>
  error instanceof ThrottledError && error.quota.policy === policy

/** Leave to try one password. It counts as a failure until something else is said. */
export interface Turn {
  /** The password was never checked: as if nobody had tried. */
  giveBack(): Promise<unknown>
}

/**
 * Growing delays between guesses. A guess is counted before the password is checked: of many that
 * come at once only as many go on as are free, and after those one at a time. Three counters make it:
 * `free` hands out the first turns; `level` is there once they are used up and says how many delays
 * there were; `gate` is open for one, and closed until its delay is over.
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

  /** A turn that costs no delay is one of `free`, while there is no `level`. */
  countersOf(key: string): { readonly [name in 'free' | 'level' | 'gate']: Point } {
    const of = (rule: Rule) => ({ rule, key })
    return { free: of(this.#free), level: of(this.#level), gate: of(this.#gate) }
  }

  /** @throws Throttled while the delay lasts */
  async take(key: string): Promise<Turn> {
    const level = await this.#counters.read(this.#level, key)
    return level ? this.#delayedTurn(key, level.points) : this.#freeTurn(key)
  }

  async forget(key: string): Promise<void> {
    const all = Object.values(this.countersOf(key))
    await Promise.all(all.map(({ rule }) => this.#counters.forget(rule, key)))
  }

  async #freeTurn(key: string): Promise<Turn> {
    const free = await this.#counters.take(this.#free, key)
    if (free.allowed && free.points < this.#limits.freeFailures) return free
    // The last free turn closes the gate behind it. Whoever comes too late does so too: the other
    // one may not have got so far.
    const gate = await this.#counters.take(this.#gate, key, this.#delayAfter(0))
    await this.#counters.put(this.#level, key, 1)
    if (free.allowed) return { giveBack: () => Promise.all([free.giveBack(), this.#open(key)]) }
    await free.giveBack()
    throw this.refusal(gate.millisecondsLeft)
  }

  async #delayedTurn(key: string, level: number): Promise<Turn> {
    const gate = await this.#counters.take(this.#gate, key, this.#delayAfter(level))
    if (!gate.allowed) throw this.refusal(gate.millisecondsLeft)
    await this.#counters.put(this.#level, key, level + 1)
    return {
      giveBack: async () => {
        await this.#counters.put(this.#level, key, level)
        await this.#counters.forget(this.#gate, key)
      },
    }
  }

  async #open(key: string): Promise<void> {
    await this.#counters.forget(this.#level, key)
    await this.#counters.forget(this.#gate, key)
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
