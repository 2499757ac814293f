import { InvalidArgumentError } from 'commander'

/**
 * Adds what was given to what was given before: an option repeated, or its values parted by commas or
 * spaces. Options that take all that follows would swallow the name that the command is about.
 */
export const several = (text: string, before: readonly string[] = []): string[] => [
  ...before,
  ...text.split(/[\s,]+/).filter(Boolean),
]

export function wholeNumber(text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text)
  throw new InvalidArgumentError('It must be a whole number.')
}

/** A year is long enough for every overlap. */
export function hours(text: string): number {
  if (/^\d+(\.\d+)?$/.test(text) && Number(text) <= 8760) return Number(text)
  throw new InvalidArgumentError('It must be a number from 0 to 8760.')
}
