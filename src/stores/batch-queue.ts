/** What became of one of several things that were done together. */
type Waiting<Item, Outcome> = {
  readonly item: Item
  readonly resolve: (outcome: Outcome) => void
  readonly reject: (error: unknown) => void
}

interface Options<Item, Outcome> {
  /** Does them in one go, and gives the outcome of each at its place. */
  readonly run: (items: readonly Item[]) => Promise<readonly Outcome[]>
  /** Whether this failure left nothing done, and lies in what was asked: then parts may go well. */
  readonly isAtomicFailure: (error: unknown) => boolean
  readonly maxBatch: number
  /** How long one go may hold up those who come after it: then the next begins beside it. */
  readonly maxLingerMilliseconds: number
}

/**
 * Does together what arrives while the last go is under way. Who comes while nothing is under way is
 * done at once and waits for nobody, so that gathering costs no time when there is little to do.
 */
export class BatchQueue<Item, Outcome> {
  readonly #options: Options<Item, Outcome>
  #waiting: Waiting<Item, Outcome>[] = []
  #busy = false

  constructor(options: Options<Item, Outcome>) {
    this.#options = options
  }

  do(item: Item): Promise<Outcome> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ item, resolve, reject })
      if (!this.#busy) this.#flush()
    })
  }

  #flush(): void {
    const { maxBatch, maxLingerMilliseconds } = this.#options
    const group = this.#waiting.splice(0, maxBatch)
    this.#busy = true
    let holdsUp = true
    const next = () => {
      if (!holdsUp) return
      holdsUp = false
      this.#busy = false
      if (this.#waiting.length > 0) this.#flush()
    }
    const impatient = setTimeout(next, maxLingerMilliseconds).unref()
    void this.#settle(group).finally(() => {
      clearTimeout(impatient)
      next()
    })
  }

  /** Each half again, until a failure is only that of the one whose it is. */
  async #settle(group: readonly Waiting<Item, Outcome>[]): Promise<void> {
    const { run, isAtomicFailure } = this.#options
    try {
      const outcomes = await run(group.map(({ item }) => item))
      group.forEach(({ resolve }, at) => {
        resolve(outcomes[at] as Outcome)
      })
    } catch (error) {
      if (group.length > 1 && isAtomicFailure(error)) {
        const half = Math.ceil(group.length / 2)
        await Promise.all(
          [group.slice(0, half), group.slice(half)].map((part) => this.#settle(part)),
        )
      } else {
        for (const { reject } of group) reject(error)
      }
    }
  }
}
