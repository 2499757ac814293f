const spelling = /^([\w-]{8})\.(\d{1,19})(?:\.([\w-]{8}))?$/

/**
 * The one of two places from which a reader that has been told of both misses nothing.
 * @returns undefined when they are places of different histories
 */
export function earlier(one: string, two: string): string | undefined {
  const [, history, number = '', open] = spelling.exec(one) ?? []
  const [, itsHistory, itsNumber = '', itsOpen] = spelling.exec(two) ?? []
  if (history === undefined || history !== itsHistory) return undefined
  if (number !== itsNumber) return BigInt(number) < BigInt(itsNumber) ? one : two
  return open === itsOpen ? one : `${history}.${number}`
}

/**
 * Whether a delta since `since` has everything that is new to who is at `own`: it begins in the same
 * history and no later, and presumes no open entries, or just those that are known. Else a genuine delta that
 * was made for somebody further ahead, and is served to everybody, would leave a hole that nobody notices.
 */
export function covers(since: string, own: string): boolean {
  if (since === own) return true
  const [, itsHistory, itsNumber = '', itsOpen] = spelling.exec(since) ?? []
  const [, ourHistory, ourNumber = '', ourOpen] = spelling.exec(own) ?? []
  if (itsHistory === undefined || itsHistory !== ourHistory) return false
  const presumesNothing = itsOpen === undefined || itsOpen === ourOpen
  return presumesNothing && BigInt(itsNumber) <= BigInt(ourNumber)
}
