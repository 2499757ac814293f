import test from 'ava'
import { BatchQueue } from '../../src/stores/batch-queue.ts'

/** Batches that end when the test says so. */
function controlledQueue({ maxBatch = 10, maxLingerMilliseconds = 60_000 } = {}) {
  const goes: { items: readonly string[]; end: (error?: Error) => void }[] = []
  const batches = new BatchQueue<string, string>({
    run: (items) =>
      new Promise((resolve, reject) => {
        const end = (error?: Error) =>
          error ? reject(error) : resolve(items.map((item) => item.toUpperCase()))
        goes.push({ items, end })
      }),
    isAtomicFailure: ({ message }: Error) => message === 'refused',
    maxBatch,
    maxLingerMilliseconds,
  } as ConstructorParameters<typeof BatchQueue<string, string>>[0])
  return { goes, batches, items: () => goes.map(({ items }) => items.join('')) }
}

const turn = () => new Promise((resolve) => setImmediate(resolve))

test('an item that finds the queue idle runs at once; items that arrive meanwhile share the next batches', async (t) => {
  const { goes, batches, items } = controlledQueue({ maxBatch: 3 })
  const done = Promise.all([...'abcdef'].map((item) => batches.add(item)))
  t.deepEqual(items(), ['a'])
  for (const at of [0, 1, 2]) {
    goes[at]?.end()
    await turn()
  }
  t.deepEqual(items(), ['a', 'bcd', 'ef'])
  t.deepEqual(await done, [...'ABCDEF'])
  void batches.add('g')
  t.deepEqual(items().at(-1), 'g')
})

test('an atomic failure is traced to its item by halves; the others get their outcome', async (t) => {
  const { goes, batches } = controlledQueue()
  const first = batches.add('-')
  const done = Promise.allSettled([...'abcxefgh'].map((item) => batches.add(item)))
  goes[0]?.end()
  await first
  for (let at = 1; at < 12; at += 1) {
    await turn()
    const go = goes[at]
    go?.end(go.items.includes('x') ? new Error('refused') : undefined)
  }
  const outcomes = (await done).map((one) => (one.status === 'fulfilled' ? one.value : 'refused'))
  t.deepEqual(outcomes, [...'ABC', 'refused', ...'EFGH'])
  t.is(goes.length, 8)
})

test('a failure that may have had effects rejects the whole batch: nothing is done twice', async (t) => {
  const { goes, batches, items } = controlledQueue()
  const first = batches.add('-')
  const done = Promise.allSettled([...'abc'].map((item) => batches.add(item)))
  goes[0]?.end()
  await first
  await turn()
  goes[1]?.end(new Error('the connection is lost'))
  t.deepEqual(new Set((await done).map(({ status }) => status)), new Set(['rejected']))
  t.deepEqual(items(), ['-', 'abc'])
  void batches.add('d')
  t.deepEqual(items(), ['-', 'abc', 'd'])
})

test('a stuck batch delays the next one only for maxLingerMilliseconds', async (t) => {
  const { goes, batches, items } = controlledQueue({ maxLingerMilliseconds: 1 })
  const hanging = batches.add('a')
  const second = batches.add('b')
  while (goes.length < 2) await new Promise((resolve) => setTimeout(resolve, 1))
  t.deepEqual(items(), ['a', 'b'])
  goes[1]?.end()
  t.is(await second, 'B')
  goes[0]?.end()
  t.is(await hanging, 'A')
})

test('with start: tick, everything asked in one turn of the event loop shares a batch', async (t) => {
  const sizes: number[] = []
  const batches = new BatchQueue<number, number>({
    start: 'tick',
    run: async (items) => {
      sizes.push(items.length)
      await turn()
      return items.map((item) => item * 2)
    },
  })
  const first = Promise.all([1, 2, 3].map((item) => batches.add(item)))
  await turn()
  t.is(await batches.add(4), 8, 'it does not wait for the batch in flight')
  t.deepEqual(await first, [2, 4, 6])
  t.deepEqual(sizes, [3, 1])
})
