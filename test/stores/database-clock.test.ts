import test from 'ava'
import { DatabaseClock } from '../../src/stores/database-clock.ts'

/** A PostgreSQL and a machine whose clocks and whose distance a test sets, in milliseconds. */
function clocks() {
  const state = {
    elapsed: 5000,
    database: 1_800_000_000_000,
    machine: 1_800_000_000_000,
    way: 1,
    back: 1,
  }
  const pass = (milliseconds: number) => {
    state.elapsed += milliseconds
    state.database += milliseconds
    state.machine += milliseconds
  }
  const said: [number, boolean][] = []
  const clock = new DatabaseClock(
    {
      async database() {
        pass(state.way)
        const time = state.database
        pass(state.back)
        return time
      },
      monotonic: () => state.elapsed,
      machine: () => state.machine,
    },
    (offset, agrees) => said.push([Math.round(offset), agrees]),
  )
  const error = () => Math.abs(clock.now().getTime() - state.database)
  return { state, pass, clock, error, said }
}

test('a machine with any clock → PostgreSQL time, within half a round trip', async (t) => {
  const { state, pass, clock, error } = clocks()
  state.machine -= 3_600_000
  await clock.read()
  t.true(error() <= 1)
  pass(500_000)
  t.true(error() <= 1, 'time goes on between readings')
})

test('an answer that is 20 s late, on either way → the clock stays right', async (t) => {
  for (const late of ['way', 'back'] as const) {
    const { state, clock, error } = clocks()
    await clock.read()
    state[late] = 20_000
    await clock.read()
    t.true(error() <= 30, `${late}: ${error()} ms`)
    t.true(clock.isCertain)
  }
})

test('the clock of PostgreSQL is set → followed with the next answer', async (t) => {
  for (const step of [90_000, -90_000]) {
    const { state, clock, error, said } = clocks()
    await clock.read()
    state.database += step
    await clock.read()
    t.true(error() <= 1)
    t.false(clock.agrees)
    t.false(clock.isCertain)
    state.machine += step
    await clock.read()
    t.true(clock.agrees)
    t.deepEqual(
      said,
      [
        [-step / 1000, false],
        [0, true],
      ],
      'each change is reported once',
    )
  }
})

test('a clock that was never read, or not lately → nothing is deleted by it', async (t) => {
  const { pass, clock } = clocks()
  t.false(clock.isCertain)
  await clock.read()
  t.true(clock.isCertain)
  pass(61_000)
  t.false(clock.isCertain)
  t.true(clock.agrees, 'not known to differ either')
  await clock.read()
  t.true(clock.isCertain)
})

test('a first answer that is 30 s late → no verdict and no deletion until a quick one', async (t) => {
  const { state, clock, error } = clocks()
  state.back = 30_000
  await clock.read()
  t.true(clock.agrees)
  t.false(clock.isCertain)
  state.back = 1
  await clock.read()
  t.true(error() <= 2)
  t.true(clock.isCertain)
})
