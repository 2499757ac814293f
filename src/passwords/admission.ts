/** Fewer are let in by so much when one of them was late. */
const decrease = 0.8

/**
 * How many may be under way at once so that those who are let in are answered in time. What holds them
 * up may be anything (the processor, the database, the network to it), so it is not guessed: as long as
 * they are in time one more is tried, and when one is late, fewer.
 */
export class Admission {
  readonly #targetSeconds: number
  readonly #least: number
  #limit = Number.POSITIVE_INFINITY
  #underWay = 0
  #decreasedAt = Number.NEGATIVE_INFINITY

  /** @param least how many are let in however late they are: or nobody would find out that it is over */
  constructor({ targetSeconds, least }: { targetSeconds: number; least: number }) {
    this.#targetSeconds = targetSeconds
    this.#least = least
  }

  get underWay(): number {
    return this.#underWay
  }

  get isFull(): boolean {
    return this.#underWay >= this.#limit
  }

  began(): void {
    this.#underWay += 1
  }

  ended(beganAt: number, at: number): void {
    const isLate = at - beganAt > this.#targetSeconds
    if (!isLate && this.#underWay >= this.#limit / 2) this.#limit += 1 / this.#limit
    // All that were under way together are late together: that is one reason for less, not a hundred.
    if (isLate && beganAt >= this.#decreasedAt) {
      const limit = Math.min(this.#limit, this.#underWay) * decrease
      this.#limit = Math.max(this.#least, limit)
      this.#decreasedAt = at
    }
    this.#underWay -= 1
  }
}
