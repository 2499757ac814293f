/** Beyond so many, the oldest are forgotten: the stores still know them. */
const mostBlocks = 10_000

/**
 * What this instance has seen refused, until when: asking costs no round trip, so a door that is
 * passed thousands of times a second can ask each time.
 */
export class Blocks {
  readonly #until = new Map<string, number>()
  /** When the last of them is over. */
  #quietAt = 0

  /** Nobody is blocked, as nearly always: then nobody has to be named. */
  get quiet(): boolean {
    return performance.now() >= this.#quietAt
  }

  add(key: string, milliseconds: number): void {
    this.#until.delete(key)
    const until = performance.now() + milliseconds
    this.#quietAt = Math.max(this.#quietAt, until)
    this.#until.set(key, until)
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
