import { setImmediate as turn } from 'node:timers/promises'
import { isInPart, type Part, type PrefixOrder } from './prefix-order.ts'
import { digestBytes } from './revocation-digest.ts'

/** Digests, one after the other, and the second in which each may be forgotten. */
export interface Entries {
  readonly digests: Buffer
  readonly expiries: Uint32Array
  readonly length: number
}

/** Digests by the second in which they may be forgotten, one after the other. */
export type Groups = ReadonlyMap<number, Buffer>

/** Entries that are looked at before other work of the process has its turn: some milliseconds. */
const sliceEntries = 10_000

/** Collects the entries of a document, without those that have expired. */
export class GroupedDigests {
  readonly #after: number
  readonly #buffers = new Map<number, GrowingBuffer>()

  constructor(after: number) {
    this.#after = after
  }

  get groups(): Groups {
    return new Map([...this.#buffers].map(([expiry, buffer]) => [expiry, buffer.bytes]))
  }

  async addFrom(entries: Entries, index: number): Promise<void> {
    for (let at = index; at < entries.length; at += 1) {
      if (at % sliceEntries === 0) await turn()
      this.#add(entries, at)
    }
  }

  /** @param order of the entries at the beginning, nearly all */
  async addPart(entries: Entries, order: PrefixOrder, part: Part): Promise<void> {
    for (const [n, at] of order.placesIn(part).entries()) {
      if (n > 0 && n % sliceEntries === 0) await turn()
      this.#add(entries, at)
    }
    for (let at = order.length; at < entries.length; at += 1) {
      if (isInPart(entries.digests, at, part)) this.#add(entries, at)
    }
  }

  #add({ digests, expiries }: Entries, at: number): void {
    const expiry = expiries[at] as number
    if (expiry <= this.#after) return
    const buffer = this.#buffers.get(expiry) ?? new GrowingBuffer()
    this.#buffers.set(expiry, buffer)
    buffer.append(digests, at * digestBytes, digestBytes)
  }
}

class GrowingBuffer {
  #buffer = Buffer.allocUnsafe(64 * digestBytes)
  #length = 0

  get bytes(): Buffer {
    return this.#buffer.subarray(0, this.#length)
  }

  append(source: Buffer, offset: number, length: number): void {
    if (this.#length + length > this.#buffer.length) {
      const larger = Buffer.allocUnsafe(2 * this.#buffer.length)
      this.#buffer.copy(larger, 0, 0, this.#length)
      this.#buffer = larger
    }
    source.copy(this.#buffer, this.#length, offset, offset + length)
    this.#length += length
  }
}
