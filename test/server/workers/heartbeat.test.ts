import test from 'ava'
import { Heartbeat } from '../../../src/server/workers/heartbeat.ts'
import { openLog } from '../../../src/telemetry/log.ts'
import { eventually } from '../../../tools/eventually.ts'
import { ask, counted, startWorkers } from '../../support/server/workers.ts'

test('a worker that hangs → replaced while the service answers; one that was only busy is kept', async (t) => {
  const server = await startWorkers(t, {}, 10)
  const [first = 0, second = 0] = server.pids()
  const said = (text: RegExp, ofPid?: number) =>
    server.logged().filter(({ msg, pid }) => text.test(msg) && (!ofPid || pid === ofPid))
  t.teardown(() => {
    for (const pid of [first, second]) {
      try {
        process.kill(pid, 'SIGCONT')
      } catch {
        // This one was replaced.
      }
    }
  })

  // On a busy machine it may have been silent for a moment already.
  const saidAgain = async (text: RegExp, signal: NodeJS.Signals) => {
    const before = said(text, second).length
    process.kill(second, signal)
    await eventually(() => said(text, second).length > before, String(text))
  }
  await saidAgain(/^a worker is silent/, 'SIGSTOP')
  await saidAgain(/^a worker answers again/, 'SIGCONT')

  process.kill(first, 'SIGSTOP')
  await eventually(() => server.pids().length === 3, 'another has taken its place')
  t.throws(() => process.kill(first, 0), { code: 'ESRCH' })
  t.notThrows(() => process.kill(second, 0))
  const statuses = await Promise.all(Array.from({ length: 16 }, () => ask(server.url)))
  t.deepEqual(new Set(statuses), new Set([200]))
  t.is((await server.browser.signIn()).status, 200)

  const [ended, ...others] = said(/^a worker hangs and is killed/)
  t.deepEqual(others, [])
  t.like(ended, { pid: first, silentSeconds: 10 })
  if (process.platform === 'linux') t.is(ended.state, 'it was stopped with a signal')
  t.is(said(/has ended and is replaced/)[0]?.why, 'it hung')
  const after = await counted(server)
  t.like(after, { signet_workers: 2, signet_workers_replaced: 1, signet_workers_hung: 1 })

  server.signal('SIGTERM')
  t.is(await server.exited, 0, server.stderr())
})

/** A heartbeat of ten seconds over fake workers, on a clock that the test moves. */
function watching(count: number) {
  const lines: { msg: string; worker: number }[] = []
  const log = openLog({ level: 'info', format: 'json', to: (line) => lines.push(JSON.parse(line)) })
  const heartbeat = new Heartbeat({ log, silentSeconds: 10 })
  const ended: number[] = []
  const workers = Array.from({ length: count }, (_, index) => {
    const kill = (signal?: string) => signal === 'SIGKILL' && ended.push(index + 1) > 0
    return { process: { pid: undefined, kill } }
  })
  let at = 0
  /** Lets seconds pass in which the primary is on time and hears these workers. */
  const pass = (seconds: number, ...heard: number[]) => {
    for (let second = 0; second < seconds; second += 1) {
      at += 1000
      heartbeat.tick(at)
      speak(...heard)
    }
  }
  const speak = (...numbers: number[]) => {
    for (const number of numbers) heartbeat.heard(number, workers[number - 1] as never)
  }
  /** Ticks after the primary did not run for this long. */
  const wake = (seconds: number) => {
    at += seconds * 1000
    heartbeat.tick(at)
  }
  return { heartbeat, workers, ended, lines, pass, speak, wake }
}

test('a worker that is silent for the whole time → killed, and not a second earlier', (t) => {
  const { heartbeat, workers, ended, lines, pass, speak } = watching(2)
  speak(1, 2)
  pass(9, 1)
  t.deepEqual(ended, [])
  speak(2)
  pass(9, 1)
  t.deepEqual(ended, [], 'it was heard in time')
  pass(1, 1)
  t.deepEqual([ended, heartbeat.killed], [[2], 1])
  t.deepEqual(
    lines.map(({ msg, worker }) => `${worker}: ${msg}`),
    [
      '2: a worker is silent',
      '2: a worker answers again: something blocked its event loop',
      '2: a worker is silent',
      '2: a worker hangs and is killed',
    ],
  )
  pass(60, 1)
  t.deepEqual(ended, [2], 'once')
  t.true(heartbeat.gone(2, workers[1] as never))
  t.false(heartbeat.gone(1, workers[0] as never))
})

test('a worker that starts slowly → watched only from its first message', (t) => {
  const { ended, pass, speak } = watching(2)
  pass(1000, 1)
  t.deepEqual(ended, [])
  speak(2)
  pass(10, 1)
  t.deepEqual(ended, [2])
})

test('several silent workers → killed one at a time, each with the whole time again', (t) => {
  const { ended, pass, speak } = watching(3)
  speak(1, 2, 3)
  pass(10)
  t.is(ended.length, 1)
  pass(8)
  t.is(ended.length, 1, 'on an overloaded machine the others live')
  speak(1, 2, 3)
  pass(9)
  t.is(ended.length, 1)
})

test('time in which the primary did not run → not counted as silence', (t) => {
  const { ended, lines, pass, speak, wake } = watching(2)
  pass(1, 1, 2)
  wake(3600)
  t.deepEqual(ended, [], 'a machine that slept')
  pass(9)
  wake(2)
  pass(9)
  t.deepEqual(ended, [], 'a machine on which the primary is late as well')
  speak(1, 2)
  const noticed = lines.filter(({ msg }) => /is silent/.test(msg)).length
  t.is(lines.length, 2 * noticed, 'each warning is followed by a recovery')
  for (let tick = 0; tick < 100; tick += 1) wake(2)
  t.deepEqual(ended, [])
  pass(10)
  t.is(ended.length, 1)
})
