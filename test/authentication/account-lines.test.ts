import test from 'ava'
import { AccountLines } from '../../src/authentication/account-lines.ts'
import { ThrottledError } from '../../src/throttle/throttled.ts'
import { refusal } from '../throttle/open-throttle.ts'

const quota = { limit: 5, windowSeconds: 60, remaining: 0, resetSeconds: 1 }
const delay = new ThrottledError({ policy: 'delay', ...quota })
const busy = new ThrottledError({ policy: 'busy', ...quota })

const open = () =>
  new AccountLines({
    waitSeconds: 60,
    isDelay: (error): error is ThrottledError => error === delay,
    busy: () => busy,
  })

/** One attempt in line: a result is a success, and a delay may be retried. */
async function attempt<T>(
  lines: AccountLines,
  key: string,
  ip: string,
  work: () => Promise<T | undefined>,
): Promise<T | undefined> {
  using turn = await lines.enter(key, ip)
  for (;;) {
    try {
      const result = await work()
      if (result !== undefined) turn.succeeded()
      return result
    } catch (error) {
      await turn.retryAfter(error)
    }
  }
}

/** Resolves when the test opens it. */
function gate() {
  let open = (_: boolean) => {}
  const opened = new Promise<boolean | undefined>((resolve) => {
    open = (succeeded) => resolve(succeeded || undefined)
  })
  return { opened, open }
}

test('one address fills all waiting places → another address still gets one', async (t) => {
  const lines = open()
  const { opened, open: goOn } = gate()
  let refused = 0
  const come = async (account: string, ip: string) => {
    const error = await refusal(() => attempt(lines, account, ip, () => opened))
    if (error) refused += 1
    return error
  }
  const flood = Array.from({ length: 30 * 68 }, (_, n) => come(`account ${n % 30}`, '192.0.2.7'))
  await new Promise(setImmediate)
  t.deepEqual([lines.waiting, refused], [1024, 30 * 64 - 1024])
  const others = Array.from({ length: 10 }, (_, n) => come('somebody', `198.51.100.${n}`))
  await new Promise(setImmediate)
  t.deepEqual([lines.waiting, refused], [1024, 30 * 64 - 1024 + 6], 'the flood made room')
  goOn(true)
  t.deepEqual(await Promise.all(others), Array(10).fill(undefined))
  await Promise.all(flood)
  t.is(lines.waiting, 0)
})

test('many addresses try one account at once → 4 attempts, 64 wait, the others are refused; other accounts go on', async (t) => {
  const lines = open()
  const { opened, open: goOn } = gate()
  let underWay = 0
  const work = () => {
    underWay += 1
    return opened
  }
  const come = (account: string, n: number) =>
    attempt(lines, account, `198.51.100.${n}`, work).catch((error) => error)
  const crowd = Array.from({ length: 100 }, (_, n) => come('ada', n))
  await new Promise(setImmediate)
  t.deepEqual([underWay, lines.waiting], [4, 64])
  const other = come('grace', 1)
  await new Promise(setImmediate)
  t.is(underWay, 5)
  goOn(true)
  t.is(await other, true)
  const outcomes = await Promise.all(crowd)
  t.is(outcomes.filter((outcome) => outcome === busy).length, 32)
  t.is(outcomes.filter((outcome) => outcome === true).length, 68)
})

test('another attempt succeeds before one meets a delay → the delay has ended, and it is made again', async (t) => {
  const lines = open()
  const [succeeding, meeting] = [gate(), gate()]
  const first = attempt(lines, 'ada', '192.0.2.7', () => succeeding.opened)
  let tries = 0
  const second = attempt(lines, 'ada', '192.0.2.8', async () => {
    tries += 1
    if (tries > 1) return true
    await meeting.opened
    throw delay
  })
  await new Promise(setImmediate)
  succeeding.open(true)
  t.is(await first, true)
  meeting.open(true)
  t.is(await second, true)
  t.is(tries, 2)
})

test('an attempt that met a delay waits → it goes on before those that came later', async (t) => {
  const lines = open()
  const [first, others, delayed] = [gate(), gate(), gate()]
  const running = [first, others, others].map(({ opened }, n) =>
    attempt(lines, 'ada', `192.0.2.${n}`, () => opened),
  )
  let tries = 0
  const met = attempt(lines, 'ada', '192.0.2.4', async () => {
    tries += 1
    if (tries > 1) return true
    await delayed.opened
    throw delay
  })
  const late = [5, 6, 7].map((n) => attempt(lines, 'ada', `192.0.2.${n}`, () => others.opened))
  delayed.open(true)
  await new Promise(setImmediate)
  t.deepEqual([lines.waiting, tries], [4, 1])
  first.open(true)
  await new Promise(setImmediate)
  t.deepEqual(
    [lines.waiting, tries],
    [1, 2],
    'two places became free, and then that of the delayed one',
  )
  others.open(true)
  t.deepEqual(await Promise.all([...running, met, ...late]), Array(7).fill(true))
})

test('an attempt that met a delay leaves last → attempts that came later still share one line', async (t) => {
  const lines = open()
  const ip = '192.0.2.7'
  const failing = gate()
  const held = gate()
  const later: Promise<unknown>[] = []
  let underWay = 0
  const work = () => {
    underWay += 1
    return held.opened
  }
  const first = attempt(lines, 'ada', ip, () => failing.opened)
  const delayed = refusal(() =>
    attempt(lines, 'ada', ip, async () => {
      throw delay
    }),
  )
  await new Promise(setImmediate)
  t.is(lines.waiting, 1, 'the delayed one waits for the first')
  // In the turn of the event loop in which the first attempt leaves, before the delayed one has.
  const came = first.then(() => {
    later.push(attempt(lines, 'ada', ip, work))
  })
  failing.open(false)
  await came
  t.is(await delayed, delay)
  for (let n = 0; n < 9; n += 1) later.push(attempt(lines, 'ada', ip, work))
  await new Promise(setImmediate)
  t.deepEqual([underWay, lines.waiting], [4, 6])
  held.open(true)
  t.deepEqual(await Promise.all(later), Array(10).fill(true))
})
