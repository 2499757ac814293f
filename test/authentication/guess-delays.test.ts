import test, { type ExecutionContext } from 'ava'
import { GuessDelays } from '../../src/authentication/guess-delays.ts'
import { Counters } from '../../src/throttle/counters.ts'
import { delayLimits } from '../../src/throttle/limits.ts'
import { ThrottledError } from '../../src/throttle/throttled.ts'
import { openThrottle, type Store, stores } from '../throttle/open-throttle.ts'

const { freeFailures } = delayLimits

/** Delays whose guesses can be stopped before they close the gate. */
async function prepare(t: ExecutionContext, store: Store) {
  const { postgres, redis } = await openThrottle(t, store)
  const counters = new Counters({ pool: postgres.pool, redis })
  const take = counters.take.bind(counters)
  let before = async () => {}
  counters.take = async (rule, ...rest) => {
    if (rule.policy === 'sign-in-gate') {
      const now = before
      before = async () => {}
      await now()
    }
    return take(rule, ...rest)
  }
  const delays = new GuessDelays(counters, { ...delayLimits, firstDelaySeconds: 60 })
  const atGate = (happens: () => Promise<unknown>) => {
    before = async () => void (await happens())
  }
  return { delays, atGate }
}

function latch() {
  let open = () => {}
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  return { opened, open: () => open() }
}

for (const store of stores) {
  test(`${store}: the fifth guess succeeds before the sixth closes the gate → the sixth is let in`, async (t) => {
    const { delays, atGate } = await prepare(t, store)
    for (let guess = 1; guess < freeFailures; guess += 1) await delays.take('ada')
    const sixthIsThere = latch()
    const fifthHasSucceeded = latch()
    let sixth: Promise<unknown> | undefined
    // Both have counted before either is at the gate.
    atGate(async () => {
      atGate(() => {
        sixthIsThere.open()
        return fifthHasSucceeded.opened
      })
      sixth = delays.take('ada')
      await sixthIsThere.opened
    })
    await delays.take('ada')
    await delays.forget('ada')
    fifthHasSucceeded.open()
    await t.notThrowsAsync(async () => sixth)
    await t.notThrowsAsync(delays.take('ada'), 'the gate is not closed for the next')
  })

  test(`${store}: the sixth guess closes the gate before the fifth → it is refused, and so is the next`, async (t) => {
    const { delays, atGate } = await prepare(t, store)
    for (let guess = 1; guess < freeFailures; guess += 1) await delays.take('ada')
    // The fifth has counted, and waits in front of the gate while the sixth closes it.
    atGate(() => t.throwsAsync(delays.take('ada'), { instanceOf: ThrottledError }))
    await delays.take('ada')
    await t.throwsAsync(delays.take('ada'), { instanceOf: ThrottledError })
  })
}
