/** Beyond so many, the oldest are forgotten: the stores still know them. */
const mostBlocks = 10_000

/**
 * What this instance has seen refused, until when: asking costs no round trip, so a door that is
 * passed thousands of times a second can ask each time.
 */
export class Blocks {
  readonly #until = new Map<string, number>()

  add(key: string, milliseconds: number): void {
    this.#until.delete(key)
    this.#until.set(key, performance.now() + milliseconds)
    if (this.#until.size <= mostBlocks) return
    for (const oldest of this.#until.keys()) {
      this.#until.delete(oldest)
      return
    }
  }

  /** 0 when it is not blocked. */
  millisecondsLeft(key: string): number {
    const left = (this.#until.get(key) ?? 0) - performance.now()
    if (left > 0) return left
    this.#until.delete(key)
    return 0
  }
}
