import { ratioOf, type Spread, spreadOf } from './statistics.ts'
import { type Contest, signet, type Verify } from './verify-contests.ts'

export const rounds = 5
export const roundMilliseconds = 300

interface Round {
  readonly perSecond: number
  readonly cpuMicroseconds: number
}

async function play(verify: Verify, { tokens, concurrency }: Contest): Promise<Round> {
  const cpuBefore = process.cpuUsage()
  const started = performance.now()
  let done = 0
  let elapsed = 0
  const worker = async () => {
    while (elapsed < roundMilliseconds) {
      await verify(tokens[done % tokens.length] as string)
      done += 1
      elapsed = performance.now() - started
    }
  }
  await Promise.all(Array.from({ length: concurrency }, worker))
  const { user, system } = process.cpuUsage(cpuBefore)
  return { perSecond: (done / elapsed) * 1000, cpuMicroseconds: (user + system) / done }
}

export interface Result {
  readonly work: string
  readonly contestant: string
  readonly perSecond: Spread
  /** CPU time of all threads for one token. */
  readonly cpuMicroseconds: Spread
  /** How many times as many the verifier does. */
  readonly ratio: Spread
}

/** Everybody takes a turn in each round, so that what slows the machine down slows down all. */
export async function run(contest: Contest): Promise<Result[]> {
  const names = Object.keys(contest.contestants)
  const figures = new Map<string, Round[]>(names.map((name) => [name, []]))
  // The first turn is for the compiler.
  for (let round = 0; round <= rounds; round++) {
    for (const [name, verify] of Object.entries(contest.contestants)) {
      const figure = await play(verify, contest)
      if (round > 0) figures.get(name)?.push(figure)
    }
  }
  const speeds = (name: string) => (figures.get(name) ?? []).map(({ perSecond }) => perSecond)
  return [...figures].map(([contestant, theirs]) => ({
    ...{ work: contest.work, contestant, perSecond: spreadOf(speeds(contestant)) },
    cpuMicroseconds: spreadOf(theirs.map(({ cpuMicroseconds }) => cpuMicroseconds)),
    ratio: ratioOf(speeds(signet), speeds(contestant)),
  }))
}
