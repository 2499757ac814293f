/** The admission limit shrinks to this share of itself when admitted work was late. */
const decrease = 0.8

/**
 * Limits how much work is admitted at once, so that admitted work is answered in time. Anything may
 * make it late (the processor, the database, the network), so the cause is not guessed: while work is
 * in time the limit grows, and when work is late it shrinks.
 */
export class Admission {
  readonly #targetSeconds: number
  readonly #least: number
  #limit = Number.POSITIVE_INFINITY
  #running = 0
  #decreasedAt = Number.NEGATIVE_INFINITY

  /** @param least admitted however late it is, or nobody would find out that the overload is over */
  constructor({ targetSeconds, least }: { targetSeconds: number; least: number }) {
    this.#targetSeconds = targetSeconds
    this.#least = least
  }

  get running(): number {
    return this.#running
  }

  get isFull(): boolean {
    return this.#running >= this.#limit
  }

  began(): void {
    this.#running += 1
  }

  /** Both times in seconds, by the same clock. */
  ended(beganAt: number, at: number): void {
    const isLate = at - beganAt > this.#targetSeconds
    if (!isLate && this.#running >= this.#limit / 2) this.#limit += 1 / this.#limit
    // Work that ran together is late together: one reason to admit less, not a hundred.
    if (isLate && beganAt >= this.#decreasedAt) {
      const limit = Math.min(this.#limit, this.#running) * decrease
      this.#limit = Math.max(this.#least, limit)
      this.#decreasedAt = at
    }
    this.#running -= 1
  }
}
