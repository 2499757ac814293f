import { readFile } from 'node:fs/promises'
import test from 'ava'
import type { Contestant, Sample } from '../bench/contest.ts'
import { outcomeOf } from '../bench/outcome.ts'
import { replaceChapter } from '../bench/report.ts'
import { ratioOf, spreadOf } from '../bench/statistics.ts'

/** The arithmetic of the bench; nothing here is timed. */

test('the median is the middle one, of an even number the mean of both in the middle', (t) => {
  t.deepEqual(spreadOf([30, 1, 20]), { median: 20, lowest: 1, highest: 30 })
  t.deepEqual(spreadOf([4, 100, 2, 1]), { median: 3, lowest: 1, highest: 100 })
  t.deepEqual(spreadOf([7]), { median: 7, lowest: 7, highest: 7 })
  t.throws(() => spreadOf([]), { instanceOf: RangeError })
})

test('numbers are put in order as numbers, and the caller keeps its order', (t) => {
  const values = [10, 9, 1000]
  t.is(spreadOf(values).median, 10)
  t.deepEqual(values, [10, 9, 1000])
})

test('ratios are taken round by round: a slow round slows both sides', (t) => {
  // The last round had a tenth of the machine: the ratio of the medians would be 90 / 100.
  t.deepEqual(ratioOf([80, 90, 8], [100, 100, 10]), { median: 0.8, lowest: 0.8, highest: 0.9 })
  t.throws(() => ratioOf([1, 2], [1]), { instanceOf: RangeError })
})

const contestant = (name: string, role: Contestant['role']): Contestant => ({
  ...{ name, role },
  measure: () => Promise.reject(new Error('nothing is measured here')),
})

test('this server is held against each contestant, and refusals are summed up', (t) => {
  const rounds = (...rates: number[]): Sample[] => rates.map((perSecond) => ({ perSecond }))
  const samples = new Map([
    [contestant('peer', 'peer'), rounds(50, 20, 10).map((one) => ({ ...one, failures: 2 }))],
    [contestant('this server', 'signet'), rounds(100, 80, 60)],
    [contestant('limit', 'limit'), rounds(200, 100, 100)],
  ])
  const work = { name: 'w', title: 'W', limit: 'l', goal: 'g', contestants: [] }
  const { standings } = outcomeOf({ ...work, close: async () => undefined }, samples)
  t.like(standings[0], { name: 'peer', failures: 6, ours: { median: 4, lowest: 2, highest: 6 } })
  t.like(standings[1], { ours: { median: 1, lowest: 1, highest: 1 } })
  t.like(standings[2], { failures: 0, ours: { median: 0.6, lowest: 0.5, highest: 0.8 } })
})

test('costs and latencies are medians of the rounds that have them', (t) => {
  const rounds = [3, 1, 2].map((n) => ({ perSecond: 1, p50: n, cost: { server: 10 * n } }))
  const samples = new Map([
    [contestant('this server', 'signet'), rounds],
    [contestant('limit', 'limit'), rounds.map(() => ({ perSecond: 1 }))],
  ])
  const work = { name: 'w', title: 'W', limit: 'l', goal: 'g', contestants: [] }
  const { standings } = outcomeOf({ ...work, close: async () => undefined }, samples)
  t.like(standings[0], { p50: 2, p99: undefined, cost: { server: 20 } })
  t.like(standings[1], { p50: undefined, cost: {} })
})

test('a chapter replaces the one before and nothing else of the page', (t) => {
  const page = 'a\n<!-- bench: x -->\nold\n<!-- /bench: x -->\nb'
  const once = replaceChapter(page, 'x', 'new')
  t.is(once, 'a\n<!-- bench: x -->\nnew\n<!-- /bench: x -->\nb')
  t.is(replaceChapter(once, 'x', 'new'), once)
  t.throws(() => replaceChapter(page, 'y', 'new'))
})

test('docs/performance.md has a place for every chapter', async (t) => {
  const page = await readFile('docs/performance.md', 'utf8')
  for (const name of ['throughput', 'cost', 'sizing', 'start-up', 'tables']) {
    t.notThrows(() => replaceChapter(page, name, ''), name)
  }
})
