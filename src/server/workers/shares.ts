import { availableParallelism } from 'node:os'
import { InvalidArgumentError } from 'commander'
import { readAllowance } from '../cgroup.ts'

const mostWorkers = 256

/** `auto` is one for each core that this process may use. */
export function workerCount(text: string): number {
  if (text === 'auto') return Math.max(1, Math.ceil(readAllowance().cores))
  const count = /^\d{1,3}$/.test(text) ? Number(text) : 0
  if (count >= 1 && count <= mostWorkers) return count
  throw new InvalidArgumentError(`It must be auto, or a number from 1 to ${mostWorkers}.`)
}

/**
 * Password checks are so many at once in the whole server, however many processes it has: each has its
 * share, and at least one.
 */
export function shareOf(total: number, workers: number, number: number): number {
  const isAmongFirst = number <= total % workers
  return Math.max(1, Math.floor(total / workers) + (isAmongFirst ? 1 : 0))
}

/** As in main.cts, of the cores that are one worker's share: threads of all do not add up without end. */
export const threadsFor = (workers: number, cores = availableParallelism()): number =>
  Math.min(1024, Math.max(4, Math.ceil(cores / workers) + 2))

/** A worker that lived for so long was well: whatever ends it is no failure to start. */
const wellSeconds = 30
const longestDelaySeconds = 30

/**
 * How long to wait before a worker is replaced. The first time not at all; one that dies again and again
 * as soon as it has started gets longer and longer, or it would burn a core and flood the log.
 */
export function replacement({
  failures,
  livedSeconds,
}: {
  failures: number
  livedSeconds: number
}) {
  const before = livedSeconds >= wellSeconds ? 0 : failures
  const delaySeconds = before === 0 ? 0 : Math.min(longestDelaySeconds, 2 ** (before - 1))
  return { delaySeconds, failures: before + 1 }
}
