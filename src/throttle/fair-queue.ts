/**
 * One queue for each source; the queues are served in turn. A source with a thousand items waits for its
 * own thousand, and another source waits for one of them.
 */
export class FairQueue<T> {
  /** In the order in which the sources are served. None is empty. */
  readonly #lines = new Map<string, T[]>()
  #size = 0

  get size(): number {
    return this.#size
  }

  push(source: string, item: T): void {
    const line = this.#lines.get(source)
    if (line) line.push(item)
    else this.#lines.set(source, [item])
    this.#size += 1
  }

  /** Removes the next item; its source is served last from now on. */
  shift(): T | undefined {
    for (const [source, line] of this.#lines) {
      const item = line.shift()
      this.#lines.delete(source)
      if (line.length > 0) this.#lines.set(source, line)
      this.#size -= 1
      return item
    }
    return undefined
  }

  remove(source: string, item: T): void {
    const line = this.#lines.get(source) ?? []
    const index = line.indexOf(item)
    if (index >= 0) this.#take(source, line, index)
  }

  /** True if another source would keep at least as many items as this one gets, if it lost one. */
  mayDisplace(source: string): boolean {
    return this.#longest()[1].length > (this.#lines.get(source)?.length ?? 0) + 1
  }

  /** Removes the last item of the longest queue, to make room for one of this source. */
  displace(source: string): T | undefined {
    if (!this.mayDisplace(source)) return undefined
    const [longest, line] = this.#longest()
    return this.#take(longest, line, line.length - 1)
  }

  #longest(): [string, T[]] {
    let longest: [string, T[]] = ['', []]
    for (const one of this.#lines) if (one[1].length > longest[1].length) longest = one
    return longest
  }

  #take(source: string, line: T[], index: number): T | undefined {
    const [item] = line.splice(index, 1)
    if (line.length === 0) this.#lines.delete(source)
    this.#size -= 1
    return item
  }
}
