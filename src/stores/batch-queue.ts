import { activeSpan, type Span, within } from '../telemetry/spans.ts'

interface Waiting<Item, Outcome> {
  readonly item: Item
  /** The span of the caller, if it is recorded. */
  readonly span: Span | undefined
  readonly resolve: (outcome: Outcome) => void
  readonly reject: (error: unknown) => void
}

interface Options<Item, Outcome> {
  /** Does the items together and returns the outcome of each at its place. */
  readonly run: (items: readonly Item[]) => Promise<readonly Outcome[]>
  /**
   * When a batch starts. `idle`: at once, unless a batch is in flight; then the items that arrive
   * meanwhile are the next batch. `tick`: at the end of each turn of the event loop, for a store that
   * answers so fast that waiting for a batch in flight would cost more than it saves.
   */
  readonly start?: 'idle' | 'tick'
  /** True if an error left nothing done and may be due to a single item: then the halves are tried. */
  readonly isAtomicFailure?: (error: unknown) => boolean
  readonly maxBatch?: number
  /** How long a batch delays the next one; after that they overlap. */
  readonly maxLingerMilliseconds?: number
}

/** Batches items that arrive together, so that they share a round trip. */
export class BatchQueue<Item, Outcome> {
  readonly #options: Required<Options<Item, Outcome>>
  #waiting: Waiting<Item, Outcome>[] = []
  #busy = false

  constructor(options: Options<Item, Outcome>) {
    this.#options = {
      start: 'idle',
      isAtomicFailure: () => false,
      maxBatch: 100,
      maxLingerMilliseconds: 50,
      ...options,
    }
  }

  add(item: Item): Promise<Outcome> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ item, span: activeSpan(), resolve, reject })
      if (this.#busy) return
      this.#busy = true
      if (this.#options.start === 'idle') this.#flush()
      else setImmediate(() => this.#flushTick())
    })
  }

  /** Everything that was asked in this turn; the next turn does not wait for the outcome. */
  #flushTick(): void {
    const batch = this.#waiting
    this.#waiting = []
    this.#busy = false
    void this.#settle(batch)
  }

  #flush(): void {
    const { maxBatch, maxLingerMilliseconds } = this.#options
    const batch = this.#waiting.splice(0, maxBatch)
    this.#busy = true
    let isDelaying = true
    const next = () => {
      if (!isDelaying) return
      isDelaying = false
      this.#busy = false
      if (this.#waiting.length > 0) this.#flush()
    }
    const linger = setTimeout(next, maxLingerMilliseconds).unref()
    void this.#settle(batch).finally(() => {
      clearTimeout(linger)
      next()
    })
  }

  /** Splits a batch that failed until the error is that of a single item. */
  async #settle(batch: readonly Waiting<Item, Outcome>[]): Promise<void> {
    const { run, isAtomicFailure } = this.#options
    try {
      // The statement belongs to the traces of all items, but a span has one parent: the first that is recorded.
      const span = batch.find((one) => one.span)?.span
      const outcomes = await within(span, () => run(batch.map(({ item }) => item)))
      batch.forEach(({ resolve }, at) => {
        resolve(outcomes[at] as Outcome)
      })
    } catch (error) {
      if (batch.length > 1 && isAtomicFailure(error)) {
        const half = Math.ceil(batch.length / 2)
        await Promise.all(
          [batch.slice(0, half), batch.slice(half)].map((part) => this.#settle(part)),
        )
      } else {
        for (const { reject } of batch) reject(error)
      }
    }
  }
}
