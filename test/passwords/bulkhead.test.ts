import test from 'ava'
import { Bulkhead, OverloadedError } from '../../src/passwords/bulkhead.ts'
import { eventually } from '../../tools/eventually.ts'
import { startServer } from '../support/server/start-server.ts'

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

async function admitted<T>(bulkhead: Bulkhead, work: () => Promise<T>, ip?: string): Promise<T> {
  using _admission = bulkhead.enter(ip)
  return await work()
}

test('more jobs than the limit → they run in order, never more than the limit at once', async (t) => {
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

test('a job that arrives when a place becomes free → does not overtake waiting jobs', async (t) => {
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

test('a job that throws or rejects → its place becomes free', async (t) => {
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

test('a job waits beyond the deadline → refused, and no place is lost', async (t) => {
  const bulkhead = new Bulkhead({ concurrency: 1, queueSeconds: 0.05 })
  const long = job()
  const holding = bulkhead.run(long.run)
  const late = [job(), job()]
  const errors = await Promise.allSettled(late.map(({ run }) => bulkhead.run(run)))
  for (const error of errors) {
    t.true(error.status === 'rejected' && error.reason instanceof OverloadedError)
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

test('a job that could only time out → refused at once', async (t) => {
  const bulkhead = new Bulkhead({ concurrency: 1, queueSeconds: 1 })
  const long = job()
  const holding = bulkhead.run(long.run)
  const waiting: Promise<unknown>[] = []
  let refusal: unknown
  // A job is estimated at 20 ms at first, so the fifty-first could not be in time.
  for (let count = 0; count < 60; count += 1) {
    const turn = bulkhead.run(async () => {})
    turn.catch((error) => {
      refusal ??= error
    })
    waiting.push(turn)
  }
  await settled()
  t.true(refusal instanceof OverloadedError)
  t.is(bulkhead.waiting, 50)
  long.finish()
  await holding
  await Promise.allSettled(waiting)
})

/** Fills the queue: a job is estimated at 20 ms at first, so 1000 jobs wait for 20 s of one place. */
function flooded(ip: string) {
  const bulkhead = new Bulkhead({ concurrency: 1, queueSeconds: 20 })
  const order: string[] = []
  const holder = job()
  const all: Promise<unknown>[] = [bulkhead.run(holder.run, ip)]
  const come = (name: string, from: string) => {
    const turn = bulkhead.run(async () => void order.push(name), from)
    const outcome = turn.then(
      () => 'done',
      (error) => error.name,
    )
    all.push(outcome)
    return outcome
  }
  const flood = Array.from({ length: 1000 }, (_, index) => come(`flood ${index}`, ip))
  const finish = async () => {
    holder.finish()
    await Promise.all(all)
  }
  return { bulkhead, order, come, flood, finish }
}

test('one source sends a thousand jobs and another sends one → they are served in turn', async (t) => {
  const { bulkhead, order, come, flood, finish } = flooded('192.0.2.1')
  const guest = come('guest', '192.0.2.2')
  await settled()
  t.is(await flood.at(-1), 'OverloadedError', 'the last of the longest line gives way')
  t.is(bulkhead.waiting, 1000)
  await finish()
  t.is(await guest, 'done')
  t.deepEqual(order.slice(0, 3), ['flood 0', 'guest', 'flood 1'])
  t.is(order.length, 1000)
})

test('a full queue → a source displaces only sources with more waiting jobs', async (t) => {
  const { come, flood, order, finish } = flooded('192.0.2.1')
  const more = come('one more', '192.0.2.1')
  const guests = Array.from({ length: 499 }, (_, index) => come(`guest ${index}`, '192.0.2.2'))
  await settled()
  const lost = await Promise.all(flood.slice(-499))
  t.deepEqual([...new Set(lost)], ['OverloadedError'], 'the last of the longer line, one for each')
  guests.push(come('guest 499', '192.0.2.2'))
  const last = come('guest 500', '192.0.2.2')
  await finish()
  t.is(await more, 'OverloadedError', 'the flood takes no place')
  t.is(await last, 'OverloadedError', 'the lines are equal by then')
  t.deepEqual([...new Set(await Promise.all(guests))], ['done'])
  t.is(order.length, 1000)
})

test('every source waits for one job → a later source displaces none', async (t) => {
  const bulkhead = new Bulkhead({ concurrency: 1, queueSeconds: 20 })
  const holder = job()
  const held = bulkhead.run(holder.run)
  const address = (index: number) => `10.0.${index >> 8}.${index & 255}`
  const all = Array.from({ length: 1000 }, (_, index) =>
    bulkhead.run(async () => 'done', address(index)),
  )
  const late = bulkhead.run(async () => 'done', address(1000)).catch((error) => error.name)
  holder.finish()
  await held
  t.is(await late, 'OverloadedError')
  t.deepEqual([...new Set(await Promise.all(all))], ['done'])
})

test('addresses of one IPv6 /64 → one queue', async (t) => {
  const { come, finish } = flooded('2001:db8:1:2::1')
  const neighbour = come('a neighbour', '2001:db8:1:2:ffff::9')
  const elsewhere = come('elsewhere', '2001:db8:1:3::1')
  await finish()
  t.is(await elsewhere, 'done')
  t.is(await neighbour, 'OverloadedError')
})

test('work whose job would be refused → refused before it starts', async (t) => {
  const { bulkhead, come, finish } = flooded('192.0.2.1')
  let begun = 0
  const begin = (ip: string) =>
    admitted(
      bulkhead,
      async () => {
        begun += 1
        return come(`admitted ${ip}`, ip)
      },
      ip,
    ).catch((error) => error.name)
  const storm = Array.from({ length: 1500 }, () => begin('192.0.2.1'))
  await settled()
  t.is(begun, 1001, 'as many as can be in time: one at once and 1000 in line')
  const guest = begin('192.0.2.9')
  t.is(begun, 1002, 'somebody else, in whose favour the flood gives way')
  await finish()
  t.is(await guest, 'done')
  t.is((await Promise.all(storm)).filter((outcome) => outcome === 'OverloadedError').length, 1500)
  t.is(await begin('192.0.2.1'), 'done', 'and who comes when it is over')
})

test('a handful of callers after a stall → all are admitted', async (t) => {
  const queueSeconds = 0.2
  const bulkhead = new Bulkhead({ concurrency: 2, queueSeconds })
  const handful = async (work: () => Promise<unknown>) => {
    const all = Array.from({ length: 8 }, () => admitted(bulkhead, work))
    return (await Promise.allSettled(all)).map(({ status }) => status)
  }
  const beganAt = performance.now()
  const stalled = () =>
    eventually(() => performance.now() - beganAt > 1000 * queueSeconds + 1, 'all are late')
  const allIn = Array.from({ length: 8 }, () => 'fulfilled')
  t.deepEqual(await handful(stalled), allIn)
  t.deepEqual(await handful(settled), allIn)
})

test('jobs that are refused together → different Retry-After times', async (t) => {
  const bulkhead = new Bulkhead({ concurrency: 1, queueSeconds: 2 })
  const holder = job()
  const all = Array.from({ length: 400 }, () => bulkhead.run(holder.run))
  const refused = all.slice(101)
  holder.finish()
  const told = (await Promise.allSettled(refused)).map(
    (one) => one.status === 'rejected' && (one.reason as OverloadedError).retryAfterSeconds,
  )
  t.deepEqual([...new Set(told)].sort(), [2, 3, 4])
})

test('a storm of jobs with failures and timeouts → no place and no waiting job is left', async (t) => {
  const bulkhead = new Bulkhead({ concurrency: 3, queueSeconds: 0.05 })
  const counts = { running: 0, most: 0, started: 0 }
  const outcomes = { done: 0, failed: 0, refused: 0 }
  const one = async (index: number) => {
    const ip = `192.0.2.${index % 7}`
    const work = async () => {
      counts.started += 1
      counts.running += 1
      counts.most = Math.max(counts.most, counts.running)
      for (let turn = 0; turn < index % 9; turn += 1) await settled()
      counts.running -= 1
      if (index % 5 === 0) throw new Error('failed')
    }
    const asked =
      index % 2 ? bulkhead.run(work, ip) : admitted(bulkhead, () => bulkhead.run(work), ip)
    await asked.then(
      () => {
        outcomes.done += 1
      },
      (error) => {
        outcomes[error instanceof OverloadedError ? 'refused' : 'failed'] += 1
      },
    )
  }
  for (let round = 0; round < 30; round += 1) {
    await Promise.all(Array.from({ length: 200 }, (_, index) => one(round * 200 + index)))
    t.deepEqual([bulkhead.running, bulkhead.waiting], [0, 0])
  }
  t.is(counts.most, 3)
  t.is(outcomes.done + outcomes.failed + outcomes.refused, 6000, 'each has one outcome')
  t.is(counts.started, outcomes.done + outcomes.failed, 'what was refused is never done')
  t.true(outcomes.refused > 0 && outcomes.done > 0)
})

test('ASVS 15.2.2: more sign-ins than can be checked → 503 with Retry-After, other requests are answered', async (t) => {
  const server = await startServer(t, {
    environment: {
      ...{ PASSWORD_CONCURRENCY: '1', PASSWORD_QUEUE_SECONDS: '1' },
      ...{ ARGON2_MEMORY_KIB: '65536', ARGON2_TIME_COST: '3' },
    },
  })
  const storm = Promise.all(
    Array.from({ length: 80 }, (_, index) => server.signIn({ username: `nobody ${index}` })),
  )
  const { bulkhead } = server.services
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
