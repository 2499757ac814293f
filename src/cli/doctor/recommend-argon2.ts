import { cpus } from 'node:os'
import { argon2id, hash } from 'argon2'
import { type Allowance, readAllowance } from '../../server/cgroup.ts'
import { type Result, table } from '../output.ts'
import { openProgress } from '../progress.ts'
import { checkConfiguration } from './check-configuration.ts'

/** The minimum of the OWASP Password Storage Cheat Sheet: argon2id with 19 MiB and 2 passes. */
const owasp = { memoryKib: 19_456, timeCost: 2 }

/** In ascending order. Memory grows before passes, because memory makes guessing hardware expensive. */
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

/** The share of the memory for concurrent checks; the rest is for the server and its neighbours. */
const memoryShare = 1 / 4

const secondsEach = 0.5

interface Cost {
  readonly memoryKib: number
  readonly timeCost: number
}

export interface Measured extends Cost {
  readonly concurrency: number
  /** Median duration of one check while `concurrency` checks run. */
  readonly milliseconds: number
  readonly checksPerSecond: number
  /** Memory of all concurrent checks. */
  readonly memoryMib: number
}

/** Measures password checks on this machine and recommends a configuration. */
export async function doctorArgon2(milliseconds: number): Promise<Result> {
  const allowance = readAllowance()
  const measured = await measureAll(allowance, milliseconds)
  const recommended = recommend(measured, milliseconds)
  const findings = { ...describe(allowance), milliseconds, measured, recommended, owasp }
  return { json: findings, text: report(allowance, measured, recommended, milliseconds) }
}

/** One check per core (ADR 21), as far as they fit into their share of the memory; at least one. */
export function concurrencyFor({ cores, memoryBytes }: Allowance, memoryKib: number): number {
  const fitting = Math.floor((memoryBytes * memoryShare) / (memoryKib * 1024))
  return Math.max(1, Math.min(64, Math.floor(cores), fitting))
}

/** The strongest cost that is fast enough, or the minimum when none is: slow is better than weak. */
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

/** Stops at a cost that is too slow, or whose memory allows fewer checks than there are cores. */
async function measureAll(allowance: Allowance, milliseconds: number): Promise<Measured[]> {
  const measured: Measured[] = []
  const progress = openProgress(candidates.length)
  const most = concurrencyFor(allowance, owasp.memoryKib)
  for (const [index, cost] of candidates.entries()) {
    if (concurrencyFor(allowance, cost.memoryKib) < most) break
    progress.update(index, `${cost.memoryKib / 1024} MiB, ${cost.timeCost} passes`)
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
  // The first check is slower, because its memory is not mapped yet.
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
    memoryKib,
    timeCost,
    concurrency,
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
      cores: rounded(cores),
      coresFrom,
      memoryMib: Math.floor(memoryBytes / 2 ** 20),
      memoryFrom,
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
  const source = { machine: 'machine', cgroup: 'cgroup limit' }
  const rows = measured.map((one) => [
    String(one.memoryKib),
    String(one.timeCost),
    String(one.concurrency),
    String(one.milliseconds),
    String(one.checksPerSecond),
    String(one.memoryMib),
  ])
  const headings = [
    'memory KiB',
    'passes',
    'concurrent',
    'ms per check',
    'checks/s',
    'MiB at full load',
  ]
  const isSlow = recommended.milliseconds > milliseconds
  const names = ['ARGON2_MEMORY_KIB', 'ARGON2_TIME_COST', 'PASSWORD_CONCURRENCY'] as const
  const lines = names.map((name) => {
    const now = configured?.[name]
    const note = now === recommended[name] ? 'unchanged' : `now ${now ?? 'not readable'}`
    return `  ${name}=${recommended[name]}`.padEnd(34) + note
  })
  return [
    `${machine.cpu}: ${machine.cores} cores (${source[machine.coresFrom]}), ${machine.memoryMib} MiB (${source[machine.memoryFrom]})`,
    '',
    table(headings, rows),
    '',
    isSlow
      ? `No setting takes at most ${milliseconds} ms. Use the OWASP minimum (19 MiB, 2 passes) anyway:`
      : `The strongest setting that takes at most ${milliseconds} ms (OWASP minimum: 19 MiB, 2 passes):`,
    ...lines,
    '',
    `A check takes ${recommended.milliseconds} ms, ${recommended.checksPerSecond} checks run per second, and ${recommended.memoryMib} MiB are in use at full load.`,
  ].join('\n')
}
