import type { Tally } from '../support/tally.ts'

/** What the recipes show: a line for each guarantee, and how many of them hold. */
export class Report {
  #passed = 0
  #failed = 0

  get tally(): Tally {
    return { passed: this.#passed, failed: this.#failed }
  }

  /** What is thrown says why the guarantee does not hold. */
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
