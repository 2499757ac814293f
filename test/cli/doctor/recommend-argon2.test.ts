import test from 'ava'
import {
  concurrencyFor,
  type Measured,
  recommend,
} from '../../../src/cli/doctor/recommend-argon2.ts'
import type { Allowance } from '../../../src/server/cgroup.ts'
import { emptyFolder, signet } from '../../support/server/signet.ts'

const allowance = (cores: number, memoryMib: number): Allowance => ({
  ...{ cores, memoryBytes: memoryMib * 2 ** 20 },
  ...{ coresFrom: 'cgroup', memoryFrom: 'cgroup' },
})

test('as many checks at once as cores, and no more than a quarter of the memory holds', (t) => {
  t.is(concurrencyFor(allowance(8, 16_384), 19_456), 8)
  t.is(concurrencyFor(allowance(2, 16_384), 19_456), 2)
  t.is(concurrencyFor(allowance(1.5, 16_384), 19_456), 1)
  t.is(concurrencyFor(allowance(0.2, 16_384), 19_456), 1)
  t.is(concurrencyFor(allowance(8, 256), 19_456), 3, '3 × 19 MiB in 64')
  t.is(concurrencyFor(allowance(8, 32), 19_456), 1, 'at least one')
})

const measured = (memoryKib: number, timeCost: number, milliseconds: number): Measured => ({
  ...{ memoryKib, timeCost, milliseconds, concurrency: 2, checksPerSecond: 2000 / milliseconds },
  memoryMib: (2 * memoryKib) / 1024,
})

test('the strongest that is quick enough is recommended, and never less than OWASP’s least', (t) => {
  const found = [measured(19_456, 2, 20), measured(32_768, 2, 35), measured(47_104, 2, 52)]
  t.like(recommend(found, 50), {
    ...{ ARGON2_MEMORY_KIB: 32_768, ARGON2_TIME_COST: 2, PASSWORD_CONCURRENCY: 2 },
    ...{ milliseconds: 35, memoryMib: 64 },
  })
  t.like(recommend(found, 10), { ARGON2_MEMORY_KIB: 19_456, ARGON2_TIME_COST: 2 })
})

test('signet doctor argon2 measures this machine, for people and for programs', async (t) => {
  const cwd = await emptyFolder(t)
  const { code, json, stderr } = await signet(['doctor', 'argon2', '--json'], { cwd })
  t.is(code, 0, stderr)
  const { machine, measured: rows, recommended, owasp } = json()
  t.true(machine.cores > 0 && machine.memory_mib > 0)
  t.deepEqual(owasp, { memory_kib: 19_456, time_cost: 2 })
  t.like(rows[0], owasp, 'the least is always measured')
  for (const row of rows) t.true(row.milliseconds > 0 && row.checks_per_second > 0)
  t.true(recommended.ARGON2_MEMORY_KIB >= 19_456)
  t.true(recommended.PASSWORD_CONCURRENCY >= 1)
  t.is((await signet(['doctor', 'argon3'], { cwd })).code, 1)
  const people = await signet(['doctor', 'argon2', '--milliseconds', '1'], { cwd })
  t.is(people.code, 0)
  t.regex(people.stdout, /^ {2}ARGON2_MEMORY_KIB=19456 +unchanged$/m)
  t.regex(people.stdout, /No setting takes at most 1 ms/)
  t.regex(people.stdout, /MiB are in use at full load/)
})
