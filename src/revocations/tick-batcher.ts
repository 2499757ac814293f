/** What was found under each key, or undefined when nobody can tell. */
export type FoundValues = readonly (string | null)[] | undefined

/**
 * All that ask in one turn of the event loop share a round trip; who asks alone waits no longer. Redis
 * answers sooner than it pays to wait for the answer before, as `Gathered` does for statements: that took
 * 5 µs more for each question.
 */
export class TickBatcher {
  readonly #ask: (keys: readonly string[]) => Promise<FoundValues>
  #next: { readonly keys: string[]; readonly found: Promise<FoundValues> } | undefined

  /** @param ask never rejects */
  constructor(ask: (keys: readonly string[]) => Promise<FoundValues>) {
    this.#ask = ask
  }

  async find(keys: readonly string[]): Promise<FoundValues> {
    this.#next ??= this.#gather()
    const { keys: all, found } = this.#next
    const from = all.length
    all.push(...keys)
    return (await found)?.slice(from, from + keys.length)
  }

  #gather() {
    const keys: string[] = []
    const found = new Promise<FoundValues>((resolve) =>
      setImmediate(() => {
        this.#next = undefined
        resolve(this.#ask(keys))
      }),
    )
    return { keys, found }
  }
}
