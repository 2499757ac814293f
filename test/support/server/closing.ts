import type { ExecutionContext } from 'ava'

/** Things that end with the run, the last one first. */
export class Closing {
  readonly #steps: (() => unknown)[] = []

  /** The test kit knows a test by its teardown, and needs nothing else of it. */
  get test(): ExecutionContext<unknown> {
    const teardown = (step: () => unknown) => void this.#steps.push(step)
    return { teardown } as unknown as ExecutionContext<unknown>
  }

  add(step: () => unknown): void {
    this.#steps.push(step)
  }

  async close(): Promise<void> {
    for (const step of this.#steps.splice(0).reverse()) {
      await Promise.resolve()
        .then(step)
        .catch((error) => console.error(`✘ while tidying up: ${error.message}`))
    }
  }
}
