/** How long two kinds of the same thing take, told apart or not. */
export interface Comparison {
  /** How often a sample of the first kind takes longer than one of the second: 0.5 is "no idea". */
  readonly superiority: number
  readonly medians: readonly [number, number]
  readonly alike: boolean
}

type Sample = () => Promise<unknown>

const median = (numbers: readonly number[]): number =>
  [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? 0

/** The share of pairs in which the first is larger (Mann and Whitney's U, made a probability). */
function superiorityOf(first: readonly number[], second: readonly number[]): number {
  const wins = first.flatMap((a) => second.map((b) => (a > b ? 1 : a === b ? 0.5 : 0)))
  return wins.reduce<number>((sum, win) => sum + win, 0) / wins.length
}

/**
 * True when somebody with a watch could tell the two apart. They are alike when neither is usually the
 * slower one, or when it is by so little that it is no news. In an order that chance makes, so that
 * what one request leaves to be done in the background slows both kinds equally.
 */
export async function compareTimes(
  [first, second]: readonly [Sample, Sample],
  samples: number,
): Promise<Comparison> {
  const times: [number[], number[]] = [[], []]
  const order = Array.from({ length: 2 * samples }, (_, i) => ({ kind: i % 2, at: Math.random() }))
  for (const { kind } of order.sort((a, b) => a.at - b.at)) {
    const began = performance.now()
    await (kind === 0 ? first : second)()
    times[kind]?.push(performance.now() - began)
  }
  // Four standard deviations of what chance alone does to so many samples.
  const chance = 4 * Math.sqrt(1 / (6 * samples))
  const superiority = superiorityOf(...times)
  const medians = [median(times[0]), median(times[1])] as const
  const apart = Math.abs(medians[0] - medians[1]) / Math.max(...medians)
  return { superiority, medians, alike: Math.abs(superiority - 0.5) < chance || apart < 0.05 }
}
