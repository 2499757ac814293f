/** The result of many rounds: the median, and the lowest and the highest. */
export interface Spread {
  readonly median: number
  readonly lowest: number
  readonly highest: number
}

/** @throws RangeError when there is nothing to be in the middle of */
export function spreadOf(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b)
  const [lowest, highest] = [sorted.at(0), sorted.at(-1)]
  if (lowest === undefined || highest === undefined) throw new RangeError('no round was measured')
  return { median: medianOf(sorted), lowest, highest }
}

/**
 * How many times as much as the other, round by round: both sides of a round saw the same machine, so
 * what slows down a whole round changes nothing.
 */
export function ratioOf(these: readonly number[], those: readonly number[]): Spread {
  if (these.length !== those.length) throw new RangeError('rounds are compared in pairs')
  return spreadOf(these.map((value, round) => value / (those[round] as number)))
}

function medianOf(sorted: readonly number[]): number {
  const middle = sorted.length / 2
  const upper = sorted[Math.floor(middle)] as number
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] as number)) / 2
}
