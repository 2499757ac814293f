import type { Child } from './child.ts'
import { cpuTimeOf } from './cpu-time.ts'
import type { Say } from './stage.ts'

/** One round of one contestant. */
export interface Sample {
  readonly perSecond: number
  /** Milliseconds; none where there was no HTTP. */
  readonly p50?: number
  readonly p99?: number
  /** Microseconds of a core for one answer, by who used them. */
  readonly cost?: Readonly<Record<string, number>>
  /** Answers that were not the expected ones, and the first of them. */
  readonly failures?: number
  readonly sample?: string
}

export interface Contestant {
  readonly name: string
  readonly role: 'signet' | 'limit' | 'peer'
  measure(seconds: number): Promise<Sample>
}

export interface Work {
  readonly name: string
  readonly title: string
  /** The limit in words. */
  readonly limit: string
  readonly goal: string
  readonly contestants: readonly Contestant[]
  close(): Promise<void>
}

export interface Pace {
  readonly rounds: number
  readonly seconds: number
  readonly warmUpSeconds: number
}

/** Everybody in turn, and everybody first in some round, so that no one has the quiet moments. */
export async function contest(
  { contestants, name: work }: Work,
  { rounds, seconds, warmUpSeconds }: Pace,
  say: Say,
): Promise<Map<Contestant, Sample[]>> {
  const samples = new Map<Contestant, Sample[]>(contestants.map((one) => [one, []]))
  for (const one of contestants) await one.measure(warmUpSeconds)
  for (let round = 0; round < rounds; round += 1) {
    const turn = round % contestants.length
    for (const one of [...contestants.slice(turn), ...contestants.slice(0, turn)]) {
      const sample = await one.measure(seconds)
      samples.get(one)?.push(sample)
      const failed = sample.failures ? `, ${sample.failures} failed: ${sample.sample}` : ''
      say(`${work} ${round + 1}/${rounds} ${one.name}: ${Math.round(sample.perSecond)}/s${failed}`)
    }
  }
  return samples
}

interface Answered extends Sample {
  readonly total: number
  readonly cpuMicroseconds: number
}

/** A contestant that is asked over HTTP by the generator. */
export function asked(
  { name, role }: Pick<Contestant, 'name' | 'role'>,
  generator: Child,
  job: Readonly<Record<string, unknown>>,
  processes: Readonly<Record<string, number | undefined>>,
): Contestant {
  // Tokens go to the generator once, which keeps the chains from then on.
  let once = job
  return {
    ...{ name, role },
    async measure(seconds) {
      const before = cpuTimes(processes)
      const { total, cpuMicroseconds, ...answered } = await generator.ask<Answered>({
        ...{ ...once, seconds },
      })
      once = withoutTokens(job)
      const cost: Record<string, number> = { generator: cpuMicroseconds / total }
      for (const [who, time] of Object.entries(cpuTimes(processes))) {
        const earlier = before[who]
        if (time !== undefined && earlier !== undefined) cost[who] = (time - earlier) / total
      }
      return { ...answered, cost }
    },
  }
}

/** A limit that is no server. */
export const counted = (name: string, child: Child): Contestant => ({
  ...{ name, role: 'limit' },
  measure: (seconds) => child.ask<Sample>({ seconds }),
})

const cpuTimes = (processes: Readonly<Record<string, number | undefined>>) =>
  Object.fromEntries(Object.entries(processes).map(([who, pid]) => [who, cpuTimeOf(pid)]))

/** For a generator that has them already. */
export function withoutTokens(job: Readonly<Record<string, unknown>>) {
  const { chain } = job as { chain?: { tokens?: unknown } }
  return chain ? { ...job, chain: { ...chain, tokens: undefined } } : job
}
