import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setImmediate as turn } from 'node:timers/promises'
import test from 'ava'
import { BatchQueue } from '../../src/stores/batch-queue.ts'
import { openPostgres } from '../../src/stores/postgres.ts'
import { openLog } from '../../src/telemetry/log.ts'
import {
  activeSpan,
  recorded,
  type Span,
  type Tracer,
  tracedJob,
  within,
} from '../../src/telemetry/spans.ts'
import { openTracer } from '../../src/telemetry/tracer.ts'
import { eventually } from '../../tools/eventually.ts'
import { copyTemplate } from '../support/server/start-server.ts'

/** A span that notes its children and how it ended. */
function fakeSpan(name: string) {
  const notes: string[] = []
  const state = { isOpen: true }
  const span: Span = {
    traceId: name,
    spanId: name,
    get isOpen() {
      return state.isOpen
    },
    child: (childName) => {
      const child = fakeSpan(`${name} > ${childName}`)
      notes.push(childName)
      return { ...child.span, isOpen: true, rename: (renamed) => void notes.push(renamed) }
    },
    rename: () => undefined,
    set: () => undefined,
    fail: (error) => void notes.push(`failed: ${(error as Error).message}`),
    detach: () => undefined,
    end: () => void notes.push('ended'),
    headers: () => ({}),
  }
  return { span, notes, state }
}

test('a batch → runs in the span of its first item that is recorded, and in none if none is', async (t) => {
  const seen: (string | undefined)[] = []
  let last: Promise<number> | undefined
  const queue = new BatchQueue<number, number>({
    run: async (items) => {
      seen.push(activeSpan()?.traceId)
      if (seen.length === 2) last = within(undefined, () => queue.add(5))
      await turn()
      return items
    },
    maxLingerMilliseconds: 60_000,
  })
  const [a, b, c] = ['a', 'b', 'c'].map(fakeSpan)
  const asked = [
    within(a?.span, () => queue.add(1)),
    // The next batch begins in the turn that ends the first.
    queue.add(2),
    within(b?.span, () => queue.add(3)),
    within(c?.span, () => queue.add(4)),
  ]
  t.deepEqual(await Promise.all(asked), [1, 2, 3, 4])
  t.is(await last, 5)
  t.deepEqual(seen, ['a', 'b', undefined])
})

test('statements that wait for the same connection → each is recorded in the span of its caller', async (t) => {
  const postgres = openPostgres({ url: await copyTemplate(t), poolSize: 1, timeoutSeconds: 20 })
  t.teardown(postgres.close)
  // For each new connection knex asks for the version.
  await postgres.db.raw('SELECT 1')
  const held = await postgres.pool.connect()
  const spans = ['a', 'b', 'c'].map(fakeSpan)
  const waiting = [
    within(spans[0]?.span, () => postgres.pool.query('SELECT id FROM users')),
    postgres.pool.query('SELECT 1'),
    within(spans[1]?.span, async () => void (await postgres.db('clients').select('id'))),
    within(spans[2]?.span, () =>
      postgres.pool.query({ name: 'signet_x_0123456789ab', text: 'SELECT 2' }),
    ),
  ]
  await within(fakeSpan('other').span, async () => held.release())
  await Promise.all(waiting)
  t.deepEqual(
    spans.map(({ notes }) => notes),
    [
      ['wait for a connection', 'statement', 'SELECT users'],
      ['wait for a connection', 'statement', 'SELECT clients'],
      ['wait for a connection', 'statement', 'x'],
    ],
  )
})

test('work that goes on after its trace has ended → belongs to none', async (t) => {
  const { span, state } = fakeSpan('a')
  await within(span, async () => {
    t.is(activeSpan(), span)
    state.isOpen = false
    await turn()
    t.is(activeSpan(), undefined)
  })
})

const tracerTo = (endpoint: string): Tracer =>
  openTracer({
    endpoint,
    headers: {},
    serviceName: 'signet',
    sampler: 'always_on',
    ratio: 1,
    exportSeconds: 1,
    log: openLog({ level: 'silent', format: 'json' }),
  })

test('a collector that hangs → 4096 spans wait, those beyond are dropped at once, and closing ends', async (t) => {
  const collector = createServer(() => undefined)
  collector.listen(0, '127.0.0.1')
  await once(collector, 'listening')
  t.teardown(() => {
    collector.closeAllConnections()
    collector.close()
  })
  const tracer = tracerTo(`http://127.0.0.1:${(collector.address() as AddressInfo).port}`)
  for (let count = 0; count < 4096; count += 1) tracer.job('x')?.end()
  t.is(tracer.spans.dropped, 0)
  for (let count = 0; count < 1000; count += 1) tracer.job('x')?.end()
  t.is(tracer.spans.dropped, 1000)
  await tracer.close(30)
  await eventually(() => tracer.spans.dropped === 5096, 'the exports have ended as well')
  t.is(tracer.spans.exported, 0)
})

test('a trace with more than 500 spans → those beyond are counted and not recorded', async (t) => {
  const tracer = tracerTo('http://127.0.0.1:9')
  const root = tracer.job('x')
  const children = Array.from({ length: 510 }, () => root?.child('y'))
  t.is(children.filter((child) => child !== undefined).length, 500)
  for (const child of children) child?.end()
  root?.end()
  await tracer.close(30)
  await eventually(() => tracer.spans.dropped === 501, 'the exports have ended as well')
})

test('a long poll lets go of its trace → what it does is not followed, and other traces are', async (t) => {
  const tracer = tracerTo('http://127.0.0.1:9')
  const [poll, other] = [tracer.request({}, false), tracer.request({}, false)]
  await within(other, async () => {
    await within(poll, async () => {
      t.is(activeSpan(), poll)
      poll?.detach()
      await turn()
      t.is(activeSpan(), undefined)
      poll?.end()
    })
    t.is(activeSpan(), other)
    other?.end()
    await turn()
    t.is(activeSpan(), undefined)
  })
  await tracer.close(5)
  await eventually(() => tracer.spans.dropped === 2, 'both were to be exported')
})

test('background work that a request starts → a trace of its own, or none', async (t) => {
  const request = fakeSpan('request')
  const job = fakeSpan('job')
  const tracer = { job: () => job.span } as never
  const seen = await within(request.span, () =>
    Promise.all([
      tracedJob(tracer, 'job', async () => activeSpan()?.traceId),
      tracedJob(undefined, 'job', async () => activeSpan()?.traceId),
    ]),
  )
  t.deepEqual(seen, ['job', undefined])
  t.deepEqual(job.notes, ['ended'])
})

test('work that fails → its span fails and ends, and the caller gets the error', async (t) => {
  const { span, notes } = fakeSpan('a')
  const work = recorded(span, () => Promise.reject(new Error('x')))
  await t.throwsAsync(work, { message: 'x' })
  t.deepEqual(notes, ['failed: x', 'ended'])
})
