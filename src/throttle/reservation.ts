import type { CounterKeys } from './counter-keys.ts'
import type { Count, Counters, Taken } from './counters.ts'
import type { Facts, Limit } from './limits.ts'
import { type Quota, ThrottledError } from './throttled.ts'

/** Takes back what was counted. Never fails: a point too many only makes a limit stricter. */
export type GiveBack = () => Promise<unknown>

/**
 * Counts a failure in advance, by every limit or by none.
 * @throws Throttled
 */
export async function reserve(
  counters: Counters,
  keys: CounterKeys,
  limits: readonly Limit[],
  facts: Partial<Facts>,
): Promise<GiveBack> {
  const all: Taken[] = []
  const giveBack = () => Promise.allSettled(all.map((taken) => taken.giveBack()))
  try {
    for (const limit of limits) {
      const taken = await counters.take(limit, keys.of(limit, facts))
      all.push(taken)
      if (!taken.allowed) throw new ThrottledError(quotaOf(limit, taken))
    }
  } catch (error) {
    await giveBack()
    throw error
  }
  return giveBack
}

/** What becomes of a reservation when the check was passed, and when it was not made. */
export interface Settlement {
  readonly succeeded: GiveBack
  readonly abandoned: GiveBack
}

/** Does one check; `undefined` is a failure, and a throw is neither that nor a success. */
export async function settle<T>(
  check: () => Promise<T | undefined>,
  { succeeded, abandoned }: Settlement,
): Promise<T | undefined> {
  let outcome: T | undefined
  try {
    outcome = await check()
  } catch (error) {
    await abandoned()
    throw error
  }
  if (outcome !== undefined) await succeeded()
  return outcome
}

export function quotaOf(limit: Limit, { points, millisecondsLeft }: Count): Quota {
  const { policy, windowSeconds } = limit
  const remaining = Math.max(0, limit.points - points)
  const resetSeconds = Math.max(1, Math.ceil(millisecondsLeft / 1000))
  return { policy, limit: limit.points, windowSeconds, remaining, resetSeconds }
}
