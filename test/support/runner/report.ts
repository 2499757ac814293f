import type { Tally } from './tally.ts'

/** A line for each guarantee that was tried, and how many of them hold. */
export class Report {
  #passed = 0
  #failed = 0

  get tally(): Tally {
    return { passed: this.#passed, failed: this.#failed }
  }

  /** A thrown error says why the guarantee does not hold. */
  async check(guarantee: string, holds: () => Promise<string | undefined>): Promise<void> {
    try {
      const figures = await holds()
      this.#passed += 1
      console.log(`  ✔ ${guarantee}${figures ? ` (${figures})` : ''}`)
    } catch (error) {
      this.#failed += 1
      console.log(`  ✘ ${guarantee}\n    ${(error as Error).message.replaceAll('\n', '\n    ')}`)
    }
  }
}
