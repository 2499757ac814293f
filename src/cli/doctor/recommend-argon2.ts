import { cpus } from 'node:os'
import { argon2id, hash } from 'argon2'
import { type Allowance, readAllowance } from '../../server/cgroup.ts'
import { type Result, table } from '../output.ts'
import { openProgress } from '../progress.ts'
import { checkConfiguration } from './check-configuration.ts'

/** OWASP Password Storage Cheat Sheet: argon2id with 19 MiB and 2 passes is the least. */
const owasp = { memoryKib: 19_456, timeCost: 2 }

/** From the least upwards. Memory before passes: it is what makes guessing machines expensive. */
const candidates: readonly Cost[] = [
  owasp,
  { memoryKib: 32_768, timeCost: 2 },
  { memoryKib: 47_104, timeCost: 2 },
  { memoryKib: 65_536, timeCost: 2 },
  { memoryKib: 65_536, timeCost: 3 },
  { memoryKib: 131_072, timeCost: 2 },
  { memoryKib: 131_072, timeCost: 3 },
  { memoryKib: 262_144, timeCost: 3 },
]

/** All checks at once may take this part of the memory: the rest is the process, and whoever is beside it. */
const memoryShare = 1 / 4

const secondsEach = 0.5

export interface Cost {
  readonly memoryKib: number
  readonly timeCost: number
}

export interface Measured extends Cost {
  readonly concurrency: number
  /** Of one check while `concurrency` run: the median. */
  readonly milliseconds: number
  readonly checksPerSecond: number
  /** Of all checks that run at once. */
  readonly memoryMib: number
}

/** Measures password checks on this machine, and recommends what to configure. */
export async function doctorArgon2(milliseconds: number): Promise<Result> {
  const allowance = readAllowance()
  const measured = await measureAll(allowance, milliseconds)
  const recommended = recommend(measured, milliseconds)
  const findings = { ...describe(allowance), milliseconds, measured, recommended, owasp }
  return { json: findings, text: report(allowance, measured, recommended, milliseconds) }
}

/** One on each core (ADR 21), and all must fit into their part of the memory; never none. */
export function concurrencyFor({ cores, memoryBytes }: Allowance, memoryKib: number): number {
  const fitting = Math.floor((memoryBytes * memoryShare) / (memoryKib * 1024))
  return Math.max(1, Math.min(64, Math.floor(cores), fitting))
}

/** The strongest that is quick enough. Where none is, the least that may be: slow is better than weak. */
export function recommend(measured: readonly Measured[], milliseconds: number) {
  const quick = measured.filter((one) => one.milliseconds <= milliseconds)
  const best = quick.at(-1) ?? measured[0]
  if (!best) throw new RangeError('nothing was measured')
  return {
    ARGON2_MEMORY_KIB: best.memoryKib,
    ARGON2_TIME_COST: best.timeCost,
    PASSWORD_CONCURRENCY: best.concurrency,
    milliseconds: best.milliseconds,
    checksPerSecond: best.checksPerSecond,
    memoryMib: best.memoryMib,
  }
}

type Recommended = ReturnType<typeof recommend>

/** Until one is too slow, or would have to run with fewer at once than there are cores. */
async function measureAll(allowance: Allowance, milliseconds: number): Promise<Measured[]> {
  const measured: Measured[] = []
  const progress = openProgress(candidates.length)
  const most = concurrencyFor(allowance, owasp.memoryKib)
  for (const [index, cost] of candidates.entries()) {
    if (concurrencyFor(allowance, cost.memoryKib) < most) break
    progress.tell(index, `${cost.memoryKib / 1024} MiB, ${cost.timeCost} passes`)
    const found = await measure(cost, most)
    measured.push(found)
    if (found.milliseconds > milliseconds) break
  }
  progress.end()
  return measured
}

async function measure(cost: Cost, concurrency: number): Promise<Measured> {
  const { memoryKib, timeCost } = cost
  const options = { type: argon2id, memoryCost: memoryKib, timeCost, parallelism: 1 } as const
  const times: number[] = []
  // The first is slower: its memory is new.
  await hash('a password to measure with', options)
  const startedAt = performance.now()
  const endsAt = startedAt + secondsEach * 1000
  const lane = async () => {
    do {
      const before = performance.now()
      await hash('a password to measure with', options)
      times.push(performance.now() - before)
    } while (performance.now() < endsAt)
  }
  await Promise.all(Array.from({ length: concurrency }, lane))
  const seconds = (performance.now() - startedAt) / 1000
  const median = times.sort((a, b) => a - b)[Math.floor(times.length / 2)] ?? 0
  return {
    ...{ memoryKib, timeCost, concurrency },
    milliseconds: rounded(median),
    checksPerSecond: rounded(times.length / seconds),
    memoryMib: rounded((memoryKib * concurrency) / 1024),
  }
}

const rounded = (number: number): number => Math.round(number * 10) / 10

function describe({ cores, coresFrom, memoryBytes, memoryFrom }: Allowance) {
  const { config } = checkConfiguration()
  return {
    machine: {
      cpu: cpus()[0]?.model.trim() ?? 'unknown',
      ...{ cores: rounded(cores), coresFrom },
      ...{ memoryMib: Math.floor(memoryBytes / 2 ** 20), memoryFrom },
    },
    configured: config && {
      ARGON2_MEMORY_KIB: config.ARGON2_MEMORY_KIB,
      ARGON2_TIME_COST: config.ARGON2_TIME_COST,
      PASSWORD_CONCURRENCY: config.PASSWORD_CONCURRENCY,
    },
  }
}

function report(
  allowance: Allowance,
  measured: readonly Measured[],
  recommended: Recommended,
  milliseconds: number,
): string {
  const { machine, configured } = describe(allowance)
  const of = { machine: 'of this machine', cgroup: 'the limit of the cgroup' }
  const rows = measured.map((one) => [
    ...[one.memoryKib, one.timeCost, one.concurrency, one.milliseconds].map(String),
    ...[one.checksPerSecond, one.memoryMib].map(String),
  ])
  const headings = ['memory KiB', 'passes', 'at once', 'ms a check', 'checks/s', 'MiB at full load']
  const isSlow = recommended.milliseconds > milliseconds
  const names = ['ARGON2_MEMORY_KIB', 'ARGON2_TIME_COST', 'PASSWORD_CONCURRENCY'] as const
  const lines = names.map((name) => {
    const now = configured?.[name]
    const note = now === recommended[name] ? 'as it is' : `it is ${now ?? 'not readable'}`
    return `  ${name}=${recommended[name]}`.padEnd(34) + note
  })
  return [
    `${machine.cpu}: ${machine.cores} cores (${of[machine.coresFrom]}), ${machine.memoryMib} MiB (${of[machine.memoryFrom]})`,
    '',
    table(headings, rows),
    '',
    isSlow
      ? `Nothing here is done in ${milliseconds} ms. The least that OWASP advises (19 MiB, 2 passes) all the same:`
      : `The strongest that takes at most ${milliseconds} ms; OWASP advises at least 19 MiB and 2 passes:`,
    ...lines,
    '',
    `A check then takes ${recommended.milliseconds} ms, ${recommended.checksPerSecond} can be done in a second, and ${recommended.memoryMib} MiB are in use when all run.`,
  ].join('\n')
}
