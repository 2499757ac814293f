import { variables } from './environment.ts'

/**
 * Names in the environment that look like ours with a typo: such a variable would be ignored without
 * a word. Short names are left alone: too many other programs have similar ones.
 */
export function misspelt(environment: NodeJS.ProcessEnv): string[] {
  const ours = Object.keys(variables)
  return Object.keys(environment)
    .filter((name) => name.length >= 8 && !ours.includes(name))
    .flatMap((name) => {
      const meant = ours.find((one) => one.length >= 8 && distance(one, name.toUpperCase(), 2) <= 2)
      return meant ? [`${name} is not read. Is ${meant} meant?`] : []
    })
}

/** Levenshtein, good enough up to `most`: more is answered as soon as it is certain. */
function distance(a: string, b: string, most: number): number {
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
