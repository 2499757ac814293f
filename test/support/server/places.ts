import type { ExecutionContext } from 'ava'

/**
 * How many tests of one process have a database, or an issuer of their own, at the same time. ava starts all tests of a process at once;
 * dozens of servers that start together on a few cores meet each other's time limits.
 */
const most = 5
const holders = new WeakSet<ExecutionContext<unknown>>()
const waiting: (() => void)[] = []
let taken = 0

/** Waits for a place, which the test keeps until its teardown: once, however many databases it opens. */
export async function takePlace(t: ExecutionContext<unknown>): Promise<void> {
  if (holders.has(t)) return
  holders.add(t)
  if (taken < most) taken += 1
  else await new Promise<void>((resolve) => waiting.push(resolve))
  t.teardown(() => {
    const next = waiting.shift()
    if (next) next()
    else taken -= 1
  })
}
