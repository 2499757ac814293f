/** The Levenshtein distance; stops at the first number above `most`. */
export function distance(a: string, b: string, most: number): number {
  if (Math.abs(a.length - b.length) > most) return most + 1
  let row = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i]
    for (let j = 1; j <= b.length; j += 1) {
      const change = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min(change, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1))
    }
    if (Math.min(...next) > most) return most + 1
    row = next
  }
  return row[b.length] ?? 0
}

/** The known name that is closest to a wrong one. Long input costs no more than a short one. */
export function nearest(wrong: string, known: readonly string[]): string | undefined {
  const name = wrong.slice(0, 60).toLowerCase()
  const ranked = known.map((one) => ({ one, far: distance(name, one.toLowerCase(), 60) }))
  return ranked.sort((a, b) => a.far - b.far)[0]?.one
}
