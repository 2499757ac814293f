import type { CounterKeys } from './counter-keys.ts'
import type { Count, Counters, Taken } from './counters.ts'
import type { Facts, Limit } from './limits.ts'
import { type Quota, ThrottledError } from './throttled.ts'

/**
 * A failure that was counted before its check: otherwise many guesses at once would all be checked
 * before the first of them had failed. Disposing of it takes the count back unless the check failed;
 * a check that could not be made is no failure.
 */
export class Reservation implements AsyncDisposable {
  readonly #taken: readonly Taken[]
  #hasFailed = false

  constructor(taken: readonly Taken[]) {
    this.#taken = taken
  }

  /** The check failed, so its failure stays counted. */
  failed(): void {
    this.#hasFailed = true
  }

  /** Never throws: a point too many only makes a limit stricter. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#hasFailed) return
    await Promise.allSettled(this.#taken.map((taken) => taken.giveBack()))
  }
}

/**
 * Counts a failure in advance, against every limit or against none.
 * @throws ThrottledError when one of the limits has been reached
 */
export async function reserve(
  counters: Counters,
  keys: CounterKeys,
  limits: readonly Limit[],
  facts: Partial<Facts>,
): Promise<Reservation> {
  const all: Taken[] = []
  const reservation = new Reservation(all)
  try {
    for (const limit of limits) {
      const taken = await counters.take(limit, keys.of(limit, facts))
      all.push(taken)
      if (!taken.allowed) throw new ThrottledError(quotaOf(limit, taken))
    }
  } catch (error) {
    await reservation[Symbol.asyncDispose]()
    throw error
  }
  return reservation
}

/** The state of a limit after an attempt was counted. */
export function quotaOf(limit: Limit, { points, millisecondsLeft }: Count): Quota {
  const { policy, windowSeconds } = limit
  const remaining = Math.max(0, limit.points - points)
  const resetSeconds = Math.max(1, Math.ceil(millisecondsLeft / 1000))
  return { policy, limit: limit.points, windowSeconds, remaining, resetSeconds }
}
