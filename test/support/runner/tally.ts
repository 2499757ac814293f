import { stripVTControlCharacters } from 'node:util'

export interface Tally {
  readonly passed: number
  readonly failed: number
}

/** Anything that ava's closing summary counts and that is not a pass, a skip or an intention. */
const failures =
  /^ {2}(\d+) (?:tests? failed|hooks? failed|unhandled rej|uncaught exc|tests? remained pending)/

/**
 * Counts passes and failures in ava's own report. ava leaves the passes out of its summary as soon as
 * one test fails, so they are counted where they happen; a run that ended badly, or in which nothing
 * passed, has failed even when ava counts no failure.
 */
export function tally(report: string, exitCode: number): Tally {
  let passed = 0
  let failed = 0
  for (const line of stripVTControlCharacters(report).split('\n')) {
    if (/^ {2}[✔√] (?!\[expected fail\])/.test(line)) passed += 1
    failed += Number(failures.exec(line)?.[1] ?? 0)
  }
  if (failed === 0 && (exitCode !== 0 || passed === 0)) failed = 1
  return { passed, failed }
}
