import test from 'ava'
import { Heartbeat } from '../../../src/server/workers/heartbeat.ts'
import { openLog } from '../../../src/telemetry/log.ts'
import { eventually } from '../../support/eventually.ts'
import { ask, counted, startWorkers } from '../../support/workers.ts'

test('a worker that hangs is replaced, and the service answers; one that was only busy is left', async (t) => {
  const server = await startWorkers(t, {}, 10)
  const [first = 0, second = 0] = server.pids()
  const said = (text: RegExp, ofPid?: number) =>
    server.logged().filter(({ msg, pid }) => text.test(msg) && (!ofPid || pid === ofPid))
  t.teardown(() => {
    for (const pid of [first, second]) {
      try {
        process.kill(pid, 'SIGCONT')
      } catch {
        // It is the one that was replaced.
      }
    }
  })

  // On a busy machine it may have been silent for a moment before.
  const saidAgain = async (text: RegExp, signal: NodeJS.Signals) => {
    const before = said(text, second).length
    process.kill(second, signal)
    await eventually(() => said(text, second).length > before, String(text), 60)
  }
  await saidAgain(/^a worker says nothing/, 'SIGSTOP')
  await saidAgain(/^a worker speaks again/, 'SIGCONT')

  process.kill(first, 'SIGSTOP')
  await eventually(() => server.pids().length === 3, 'another has taken its place', 90)
  t.throws(() => process.kill(first, 0), { code: 'ESRCH' })
  t.notThrows(() => process.kill(second, 0))
  const statuses = await Promise.all(Array.from({ length: 16 }, () => ask(server.url)))
  t.deepEqual(new Set(statuses), new Set([200]))
  t.is((await server.browser.signIn()).status, 200)

  const [ended, ...others] = said(/^a worker hangs and is ended/)
  t.deepEqual(others, [])
  t.like(ended, { pid: first, silentSeconds: 10 })
  if (process.platform === 'linux') t.is(ended.state, 'it was stopped with a signal')
  t.is(said(/has ended and is replaced/)[0]?.why, 'it hung')
  const after = await counted(server)
  t.like(after, { signet_workers: 2, signet_workers_replaced: 1, signet_workers_hung: 1 })

  server.signal('SIGTERM')
  t.is(await server.exited, 0, server.stderr())
})

/** A watch of ten seconds over workers that are no processes, on a clock that is moved. */
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
  /** Seconds in which the primary is on time and hears these. */
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
  /** A turn after the primary has not run for so long. */
  const wake = (seconds: number) => {
    at += seconds * 1000
    heartbeat.tick(at)
  }
  return { heartbeat, workers, ended, lines, pass, speak, wake }
}

test('a worker is ended when it has said nothing for the whole time, not a second before', (t) => {
  const { heartbeat, workers, ended, lines, pass, speak } = watching(2)
  speak(1, 2)
  pass(9, 1)
  t.deepEqual(ended, [])
  speak(2)
  pass(9, 1)
  t.deepEqual(ended, [], 'it was heard in time')
  pass(1, 1)
  t.deepEqual([ended, heartbeat.ended], [[2], 1])
  t.deepEqual(
    lines.map(({ msg, worker }) => `${worker}: ${msg}`),
    [
      '2: a worker says nothing',
      '2: a worker speaks again: something held up its event loop',
      '2: a worker says nothing',
      '2: a worker hangs and is ended',
    ],
  )
  pass(60, 1)
  t.deepEqual(ended, [2], 'once')
  t.true(heartbeat.gone(2, workers[1] as never))
  t.false(heartbeat.gone(1, workers[0] as never))
})

test('a worker that starts may take its time: it is listened to from its first word', (t) => {
  const { ended, pass, speak } = watching(2)
  pass(1000, 1)
  t.deepEqual(ended, [])
  speak(2)
  pass(10, 1)
  t.deepEqual(ended, [2])
})

test('workers that are all silent are ended one by one, each with the whole time again', (t) => {
  const { ended, pass, speak } = watching(3)
  speak(1, 2, 3)
  pass(10)
  t.is(ended.length, 1)
  pass(8)
  t.is(ended.length, 1, 'on a machine that is short of everything they all live on')
  speak(1, 2, 3)
  pass(9)
  t.is(ended.length, 1)
})

test('time in which the primary itself did not run is nobody’s silence', (t) => {
  const { ended, lines, pass, speak, wake } = watching(2)
  pass(1, 1, 2)
  wake(3600)
  t.deepEqual(ended, [], 'a machine that slept')
  pass(9)
  wake(2)
  pass(9)
  t.deepEqual(ended, [], 'a machine on which the primary comes late as well')
  speak(1, 2)
  const noticed = lines.filter(({ msg }) => /says nothing/.test(msg)).length
  t.is(lines.length, 2 * noticed, 'the log hears the end of what it heard the beginning of')
  for (let tick = 0; tick < 100; tick += 1) wake(2)
  t.deepEqual(ended, [])
  pass(10)
  t.is(ended.length, 1)
})
