import type { Options } from './arguments.ts'
import type { Pace } from './contest.ts'
import { type Machine, machineLine } from './machine.ts'
import type { Outcome } from './outcome.ts'
import { costTable, failureLines, throughputTable } from './table.ts'

export interface Report {
  readonly machine: Machine
  readonly pace: Pace
  readonly outcomes: readonly Outcome[]
}

export async function print(report: Report, { json }: Options): Promise<void> {
  if (json) process.stdout.write(`${JSON.stringify(report, null, 2)}\n`)
  else process.stdout.write(`${textOf(report)}\n`)
}

function textOf({ machine, pace, outcomes }: Report): string {
  const method = `Medians of ${pace.rounds} rounds of ${pace.seconds} s, in brackets the lowest and the highest.`
  return [
    ...[machineLine(machine), method, throughputTable(outcomes), costTable(outcomes)],
    ...failureLines(outcomes),
  ].join('\n\n')
}
