import test from 'ava'
import { Bulkhead, Overloaded } from '../../src/throttle/bulkhead.ts'
import { eventually } from '../support/eventually.ts'
import { startServer } from '../support/start-server.ts'

/** A job that ends when the test says so. */
function job() {
  let finish = () => {}
  let fail = (_error: Error) => {}
  const ended = new Promise<void>((resolve, reject) => {
    finish = resolve
    fail = reject
  })
  let started = false
  const run = () => {
    started = true
    return ended
  }
  return { run, finish: () => finish(), fail: (e: Error) => fail(e), isStarted: () => started }
}

const settled = () => new Promise((resolve) => setImmediate(resolve))

test('never more than so many at once, and all get their turn in order', async (t) => {
  const bulkhead = new Bulkhead({ concurrency: 3, queueSeconds: 60 })
  let running = 0
  let most = 0
  const order: number[] = []
  const jobs = Array.from({ length: 200 }, (_, index) =>
    bulkhead.run(async () => {
      running += 1
      most = Math.max(most, running)
      order.push(index)
      for (let turn = 0; turn < index % 5; turn += 1) await settled()
      running -= 1
      return index
    }),
  )
  t.is(bulkhead.waiting, 197)
  t.deepEqual(await Promise.all(jobs), [...Array(200).keys()])
  t.is(most, 3)
  t.deepEqual(order, [...Array(200).keys()], 'nobody overtakes')
  t.deepEqual([bulkhead.running, bulkhead.waiting], [0, 0])
})

test('who comes at the moment a place is free does not overtake who waits', async (t) => {
  const bulkhead = new Bulkhead({ concurrency: 1, queueSeconds: 60 })
  const [first, waiting, newcomer] = [job(), job(), job()]
  const all = [bulkhead.run(first.run), bulkhead.run(waiting.run)]
  first.finish()
  await all[0]
  all.push(bulkhead.run(newcomer.run))
  await settled()
  t.deepEqual([waiting.isStarted(), newcomer.isStarted()], [true, false])
  waiting.finish()
  await settled()
  t.true(newcomer.isStarted())
  newcomer.finish()
  await Promise.all(all)
})

test('a job that fails, in either way, gives its place back', async (t) => {
  const bulkhead = new Bulkhead({ concurrency: 2, queueSeconds: 60 })
  const throwing = () => {
    throw new Error('at once')
  }
  for (let round = 0; round < 20; round += 1) {
    const late = job()
    const jobs = [bulkhead.run(throwing), bulkhead.run(late.run), bulkhead.run(throwing)]
    late.fail(new Error('later'))
    const results = await Promise.allSettled(jobs)
    t.deepEqual(
      results.map((result) => result.status === 'rejected' && result.reason.message),
      ['at once', 'later', 'at once'],
    )
    t.deepEqual([bulkhead.running, bulkhead.waiting], [0, 0])
  }
  t.is(await bulkhead.run(async () => 'done'), 'done')
})

test('a wait longer than the deadline is a refusal, and no place is lost by it', async (t) => {
  const bulkhead = new Bulkhead({ concurrency: 1, queueSeconds: 0.05 })
  const long = job()
  const holding = bulkhead.run(long.run)
  const late = [job(), job()]
  const errors = await Promise.allSettled(late.map(({ run }) => bulkhead.run(run)))
  for (const error of errors) {
    t.true(error.status === 'rejected' && error.reason instanceof Overloaded)
    t.true(error.status === 'rejected' && error.reason.retryAfterSeconds >= 1)
  }
  t.deepEqual([bulkhead.running, bulkhead.waiting], [1, 0])
  long.finish()
  await holding
  t.is(await bulkhead.run(async () => 'next'), 'next')
  t.false(
    late.some(({ isStarted }) => isStarted()),
    'what was refused is never done',
  )
  t.deepEqual([bulkhead.running, bulkhead.waiting], [0, 0])
})

test('a queue that could only time out is refused at once', async (t) => {
  const bulkhead = new Bulkhead({ concurrency: 1, queueSeconds: 1 })
  const long = job()
  const holding = bulkhead.run(long.run)
  const waiting: Promise<unknown>[] = []
  let refusal: unknown
  // A job is thought to take 20 ms at first, so the fifty-first could not be in time.
  for (let count = 0; count < 60; count += 1) {
    const turn = bulkhead.run(async () => {})
    turn.catch((error) => {
      refusal ??= error
    })
    waiting.push(turn)
  }
  await settled()
  t.true(refusal instanceof Overloaded)
  t.is(bulkhead.waiting, 50)
  long.finish()
  await holding
  await Promise.allSettled(waiting)
})

test('ASVS 15.2.2: more sign-ins than can be checked are 503 with Retry-After, the rest is not', async (t) => {
  const server = await startServer(t, {
    environment: {
      ...{ PASSWORD_CONCURRENCY: '1', PASSWORD_QUEUE_SECONDS: '1' },
      ...{ ARGON2_MEMORY_KIB: '65536', ARGON2_TIME_COST: '3' },
    },
  })
  const storm = Promise.all(
    Array.from({ length: 80 }, (_, index) => server.signIn({ username: `nobody ${index}` })),
  )
  const { bulkhead } = server.rooms
  await eventually(() => bulkhead.running === 1, 'the storm is on')
  t.is((await server.get('/.well-known/jwks.json')).status, 200)
  t.is((await server.clientCredentials()).status, 200)
  const answers = await storm
  const refused = answers.filter(({ status }) => status === 503)
  t.true(refused.length > 0)
  t.true(answers.every(({ status }) => status === 503 || status === 400))
  for (const answer of refused) {
    t.is(answer.body.error, 'temporarily_unavailable')
    t.regex(answer.headers.get('retry-after') ?? '', /^[1-9]\d*$/)
  }
  t.deepEqual([bulkhead.running, bulkhead.waiting], [0, 0])
  t.is((await server.signIn()).status, 200)
})
