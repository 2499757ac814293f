import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { startChild } from '../bench/child.ts'
import type { Contestant, Sample } from '../bench/contest.ts'
import { chooseGenerator } from '../bench/load-generator.ts'
import { outcomeOf } from '../bench/outcome.ts'
import { replaceChapter } from '../bench/report.ts'
import { ratioOf, spreadOf } from '../bench/statistics.ts'

/** The arithmetic of the bench and its choices; nothing here is timed. */

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
  for (const name of ['throughput', 'cost', 'sizing', 'pages', 'start-up', 'workers', 'tables']) {
    t.notThrows(() => replaceChapter(page, name, ''), name)
  }
})

/** A folder with a program `wrk` of these lines: what starts it can be tested where there is none. */
async function folderWithWrk(t: ExecutionContext, ...lines: string[]): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'signet-test-wrk-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  await writeFile(join(folder, 'wrk'), ['#!/bin/sh', ...lines, ''].join('\n'))
  await chmod(join(folder, 'wrk'), 0o755)
  return folder
}

test('wrk makes the load where it is on the PATH, and is not made up where it is not', async (t) => {
  const folder = await folderWithWrk(t, 'echo "wrk debian/4.1.0-3+b2 [epoll] Copyright"', 'exit 1')
  const { PATH } = process.env
  const choose = (path: string, wanted?: 'wrk' | 'autocannon') => {
    process.env.PATH = path
    const chosen = chooseGenerator(wanted)
    process.env.PATH = PATH
    return chosen
  }
  t.is(choose(folder)?.name, 'wrk')
  t.is(choose(folder, 'wrk')?.version(), '4.1.0')
  t.is(choose(folder, 'autocannon')?.name, 'autocannon')
  t.is(choose(join(folder, 'nothing'))?.name, 'autocannon')
  t.is(choose(join(folder, 'nothing'), 'wrk'), undefined)
})

const generatorIn = (t: ExecutionContext, folder: string) => {
  const PATH = `${folder}:${process.env.PATH}`
  const child = startChild(['bench/generator-wrk.mjs'], { PATH, TMPDIR: folder })
  t.teardown(child.close)
  return child
}

const round = { url: 'http://127.0.0.1:1/token', method: 'POST', headers: {}, connections: 1 }

test('a round goes on with the refresh tokens of the one before, and puts them in no argument', async (t) => {
  const folder = await folderWithWrk(
    t,
    'echo "$@" >> "$TMPDIR/arguments"; cat >> "$TMPDIR/jobs"',
    'echo Running; echo what the bench is told',
    'printf "%s\\n" "answers 8" "unexpected 1" "duration 2000000" "p50 1500" "cpu 80" "broken 2"',
    'printf "%s\\n" "unanswered 3" "late 1" "sample 400 no" "token second" "token third"',
  )
  const generator = generatorIn(t, folder)
  const chain = { name: 'a', before: 'token=' }
  const job = { ...round, seconds: 2, headers: { authorization: 'Basic eA==' } }
  const first = await generator.ask<object>({ ...job, chain: { ...chain, tokens: ['first/1'] } })
  t.like(first, { perSecond: 3.5, p50: 1.5, total: 8, failures: 5, sample: '400 no' })
  await generator.ask({ ...job, chain })
  const jobs = await readFile(join(folder, 'jobs'), 'utf8')
  const tokens = [...jobs.matchAll(/^token (.*)$/gm)].map(([, token]) => token)
  t.deepEqual(tokens, ['first%2F1', 'second', 'third'])
  t.notRegex(await readFile(join(folder, 'arguments'), 'utf8'), /first|second|Basic/)
})

test('a code for each request → the authorization request with its cookies goes before', async (t) => {
  const folder = await folderWithWrk(
    t,
    'cat >> "$TMPDIR/jobs"; echo Running; echo what the bench is told',
    'printf "%s\\n" "answers 4" "unexpected 1" "duration 2000000" "p50 1500" "cpu 80" "broken 0"',
    'printf "%s\\n" "unanswered 0" "late 0"',
  )
  const url = 'http://127.0.0.1:1/authorize?scope=openid'
  const codes = { url, cookies: ['session=1', 'session=2'], before: 'code=' }
  const measured = await generatorIn(t, folder).ask<object>({ ...round, seconds: 2, codes })
  t.like(measured, { perSecond: 1.5, total: 4, failures: 1 })
  const lines = (await readFile(join(folder, 'jobs'), 'utf8')).split('\n')
  const opening = ['opening GET /authorize?scope=openid HTTP/1.1', 'opening host: 127.0.0.1:1']
  for (const line of [...opening, 'cookie session=1', 'cookie session=2', 'before code=']) {
    t.true(lines.includes(line), line)
  }
})

test('a wrk that fails says why, also when it ends as if nothing were', async (t) => {
  const failing = await folderWithWrk(t, 'echo unable to connect >&2', 'exit 1')
  const blind = await folderWithWrk(t, 'echo cannot open the script >&2', 'echo Running')
  const ask = (folder: string) => generatorIn(t, folder).ask({ ...round, seconds: 1, body: 'a=b' })
  await t.throwsAsync(ask(failing), { message: /unable to connect/ })
  await t.throwsAsync(ask(blind), { message: /cannot open the script/ })
})
