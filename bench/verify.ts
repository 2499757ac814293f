import { cpus } from 'node:os'
import Table from 'cli-table3'
import type { Spread } from './statistics.ts'
import { atOnce, contests, jose, signet } from './verify-contests.ts'
import { type Memory, weigh } from './verify-memory.ts'
import { type Result, roundMilliseconds, rounds, run } from './verify-rounds.ts'

/**
 * `npx tsx bench/verify.ts [--json]`: how many tokens a service verifies in a second, beside bare jose
 * and fast-jwt in the same run, and what 100,000 revocations weigh in its memory. About 30 s.
 */

/** How many times as many tokens as the other it verifies at least. */
const goals = [
  { work: 'first time, one after another', contestant: jose, atLeast: 0.95 },
  { work: `first time, ${atOnce} at once`, contestant: jose, atLeast: 0.95 },
  { work: 'again, one after another', contestant: jose, atLeast: 10 },
]

function print(results: readonly Result[], memory: Memory): void {
  const count = (value: number) => Math.round(value).toLocaleString('en')
  const head = ['tokens', 'by', 'per second', 'range', 'CPU µs', 'signet/verifier is', 'goal']
  const spelled = ({ median, lowest, highest }: Spread) =>
    `${median.toFixed(2)} × (${lowest.toFixed(2)}–${highest.toFixed(2)})`
  const table = new Table({ head, style: { head: [], border: [] } })
  for (const { work, contestant, perSecond, cpuMicroseconds, ratio } of results) {
    const goal = goals.find((one) => one.work === work && one.contestant === contestant)
    const verdict = goal && (ratio.median >= goal.atLeast ? 'holds' : 'MISSED')
    table.push([
      ...[work, contestant, count(perSecond.median)],
      `${count(perSecond.lowest)}–${count(perSecond.highest)}`,
      cpuMicroseconds.median.toFixed(1),
      contestant === signet ? '' : spelled(ratio),
      goal ? `≥ ${goal.atLeast} ×: ${verdict}` : '',
    ])
  }
  console.log(table.toString())
  const megabytes = (memory.bytes / 1e6).toFixed(1)
  console.log(
    `${count(memory.entries)} revocations: ${megabytes} MB, ${memory.bytesPerEntry.toFixed(0)} bytes each`,
  )
}

async function main(): Promise<void> {
  const memory = await weigh()
  const results: Result[] = []
  for (const contest of await contests()) results.push(...(await run(contest)))
  const [cpu] = cpus()
  const machine = { cpu: cpu?.model, cores: cpus().length, node: process.version }
  if (process.argv.includes('--json')) {
    console.log(JSON.stringify({ machine, rounds, roundMilliseconds, results, memory }, null, 2))
    return
  }
  console.log(`${machine.cores} × ${machine.cpu}, Node ${machine.node}, ${rounds} rounds, RSA-2048`)
  print(results, memory)
}

await main()
