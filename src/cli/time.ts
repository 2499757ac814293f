import { secondsBetween } from '../clock.ts'

const units = [
  ['d', 86_400],
  ['h', 3600],
  ['min', 60],
] as const

/** How far away a time is, for a person: `in 29 d`, `in 16 min`, `3 h ago`. Never says less than is left. */
export function distance(to: Date, now: Date): string {
  const seconds = secondsBetween(now, to)
  if (Math.abs(seconds) < 1) return 'now'
  return seconds > 0 ? `in ${duration(seconds)}` : `${duration(-seconds)} ago`
}

/** To two digits or so: 90 s, 16 min, 35 h, 29 d. */
export function duration(seconds: number): string {
  const [unit, size] = units.find(([, length]) => seconds >= 2 * length) ?? ['s', 1]
  return `${Math.ceil(seconds / size)} ${unit}`
}
