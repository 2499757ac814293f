import type { Contestant, Sample, Work } from './contest.ts'
import { ratioOf, type Spread, spreadOf } from './statistics.ts'

/** The result of a work, for tables and for `--json`. */
export interface Outcome {
  readonly work: string
  readonly title: string
  readonly limit: string
  readonly goal: string
  readonly standings: readonly Standing[]
}

export interface Standing {
  readonly name: string
  readonly role: Contestant['role']
  readonly perSecond: Spread
  /** Milliseconds: the middle of the rounds. */
  readonly p50: number | undefined
  readonly p99: number | undefined
  /** Microseconds of a core for one answer. */
  readonly cost: Readonly<Record<string, number>>
  readonly failures: number
  /** How many times as much this server does: below 1 for a limit. */
  readonly ours: Spread
}

export function outcomeOf(
  { name: work, title, limit, goal }: Work,
  samples: ReadonlyMap<Contestant, readonly Sample[]>,
): Outcome {
  const all = [...samples]
  const own = all.find(([{ role }]) => role === 'signet')?.[1].map((one) => one.perSecond) ?? []
  const standings = all.map(([contestant, rounds]) => standingOf(contestant, rounds, own))
  return { work, title, limit, goal, standings }
}

function standingOf(
  { name, role }: Contestant,
  rounds: readonly Sample[],
  own: readonly number[],
): Standing {
  const rates = rounds.map(({ perSecond }) => perSecond)
  const who = new Set(rounds.flatMap(({ cost = {} }) => Object.keys(cost)))
  return {
    ...{ name, role, perSecond: spreadOf(rates), ours: ratioOf(own, rates) },
    p50: middle(rounds.map(({ p50 }) => p50)),
    p99: middle(rounds.map(({ p99 }) => p99)),
    cost: Object.fromEntries(
      [...who].map((one) => [one, middle(rounds.map(({ cost }) => cost?.[one])) ?? 0]),
    ),
    failures: rounds.reduce((sum, { failures = 0 }) => sum + failures, 0),
  }
}

function middle(values: readonly (number | undefined)[]): number | undefined {
  const known = values.filter((value) => value !== undefined)
  return known.length > 0 ? spreadOf(known).median : undefined
}
