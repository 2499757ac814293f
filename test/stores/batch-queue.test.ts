import test from 'ava'
import { BatchQueue } from '../../src/stores/batch-queue.ts'

/** Goes that end when the test says so. */
function stage({ maxBatch = 10, maxLingerMilliseconds = 60_000 } = {}) {
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

test('who comes first waits for nobody; who comes meanwhile goes together, in order', async (t) => {
  const { goes, batches, items } = stage({ maxBatch: 3 })
  const done = Promise.all([...'abcdef'].map((item) => batches.do(item)))
  t.deepEqual(items(), ['a'])
  for (const at of [0, 1, 2]) {
    goes[at]?.end()
    await turn()
  }
  t.deepEqual(items(), ['a', 'bcd', 'ef'])
  t.deepEqual(await done, [...'ABCDEF'])
  void batches.do('g')
  t.deepEqual(items().at(-1), 'g')
})

test('a failure that did nothing is found out by halves: the others get their outcome', async (t) => {
  const { goes, batches } = stage()
  const first = batches.do('-')
  const done = Promise.allSettled([...'abcxefgh'].map((item) => batches.do(item)))
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

test('a failure that may have done something is that of all: nothing is done twice', async (t) => {
  const { goes, batches, items } = stage()
  const first = batches.do('-')
  const done = Promise.allSettled([...'abc'].map((item) => batches.do(item)))
  goes[0]?.end()
  await first
  await turn()
  goes[1]?.end(new Error('the connection is lost'))
  t.deepEqual(new Set((await done).map(({ status }) => status)), new Set(['rejected']))
  t.deepEqual(items(), ['-', 'abc'])
  void batches.do('d')
  t.deepEqual(items(), ['-', 'abc', 'd'])
})

test('a go that does not end holds up those behind it only for a moment', async (t) => {
  const { goes, batches, items } = stage({ maxLingerMilliseconds: 1 })
  const hanging = batches.do('a')
  const second = batches.do('b')
  while (goes.length < 2) await new Promise((resolve) => setTimeout(resolve, 1))
  t.deepEqual(items(), ['a', 'b'])
  goes[1]?.end()
  t.is(await second, 'B')
  goes[0]?.end()
  t.is(await hanging, 'A')
})
