import { InvalidArgumentError } from 'commander'
import { readAllowance } from '../server/cgroup.ts'

/**
 * Collects the values of an option that is repeated, or whose values are separated by commas or spaces.
 * A variadic option would swallow the argument that follows it.
 */
export const several = (text: string, before: readonly string[] = []): string[] => [
  ...before,
  ...text.split(/[\s,]+/).filter(Boolean),
]

export function wholeNumber(text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text)
  throw new InvalidArgumentError('It must be a whole number.')
}

/** Up to a year. */
export function hours(text: string): number {
  if (/^\d+(\.\d+)?$/.test(text) && Number(text) <= 8760) return Number(text)
  throw new InvalidArgumentError('It must be a number from 0 to 8760.')
}

const mostWorkers = 256

/** `auto` is one worker for each core that this process may use. */
export function workerCount(text: string): number {
  if (text === 'auto') return Math.max(1, Math.ceil(readAllowance().cores))
  const count = /^\d{1,3}$/.test(text) ? Number(text) : 0
  if (count >= 1 && count <= mostWorkers) return count
  throw new InvalidArgumentError(`It must be auto, or a number from 1 to ${mostWorkers}.`)
}
