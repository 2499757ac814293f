import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Outcome, Plan, Sample } from './flood-load.ts'

/** Sends a plan from a process of its own. */
export async function load(plan: Plan): Promise<Outcome> {
  const path = fileURLToPath(new URL('./flood-load.ts', import.meta.url))
  const child = fork(path, { execArgv: ['--import=tsx'] })
  child.send(plan)
  const [outcome] = await once(child, 'message')
  child.disconnect()
  return outcome
}

/** Latencies of the requests of one kind with this answer, in milliseconds. */
export function distribution(samples: readonly Sample[], name: string, status = 200) {
  const sorted = samples
    .filter((sample) => sample.name === name && sample.status === status)
    .map(({ milliseconds }) => milliseconds)
    .sort((a, b) => a - b)
  const at = (share: number) =>
    sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN
  return { count: sorted.length, p50: at(0.5), p90: at(0.9), p99: at(0.99), max: at(1) }
}
