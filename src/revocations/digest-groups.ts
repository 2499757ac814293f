import { hash } from 'node:crypto'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Revocation } from './revocation-log.ts'

/** Bytes of a digest: 128 bits withstand second-preimage attacks. */
export const digestBytes = 16

/**
 * An entry as the feed publishes it. The list is public, so it holds digests: a verifier finds the
 * token that it was given, and no reader learns an identifier.
 */
export const revocationDigest = ({ kind, value }: Pick<Revocation, 'kind' | 'value'>): Buffer =>
  hash('sha256', `${kind}:${value}`, 'buffer').subarray(0, digestBytes)

/** One part of a list that is divided by the first bits of its digests. */
export interface Part {
  readonly part: number
  /** A power of two, `mostParts` at most. */
  readonly of: number
}

/** The first 12 bits of a digest are its bucket. */
export const mostParts = 4096
const shift = 16 - Math.log2(mostParts)
/** Entries that are sorted before other work of the process gets its turn. */
const sortedAtOnce = 50_000

/**
 * The places of digests, sorted by their first bits (a counting sort). A part is a slice of it, whatever
 * the number of parts, and costs only its own entries.
 */
export class PrefixOrder {
  readonly length: number
  readonly #places: Uint32Array
  /** Where each bucket begins in `places`, and the end of the last one. */
  readonly #starts: Uint32Array

  private constructor(places: Uint32Array, starts: Uint32Array) {
    this.length = places.length
    this.#places = places
    this.#starts = starts
  }

  static async of(digests: Buffer, length: number): Promise<PrefixOrder> {
    const starts = new Uint32Array(mostParts + 1)
    for (let at = 0; at < length; at += 1) {
      if (at % sortedAtOnce === 0) await nextTurn()
      const bucket = bucketOf(digests, at)
      starts[bucket + 1] = (starts[bucket + 1] as number) + 1
    }
    for (let bucket = 0; bucket < mostParts; bucket += 1) {
      starts[bucket + 1] = (starts[bucket + 1] as number) + (starts[bucket] as number)
    }
    const places = new Uint32Array(length)
    const next = starts.slice()
    for (let at = 0; at < length; at += 1) {
      if (at % sortedAtOnce === 0) await nextTurn()
      const bucket = bucketOf(digests, at)
      const place = next[bucket] as number
      places[place] = at
      next[bucket] = place + 1
    }
    return new PrefixOrder(places, starts)
  }

  placesIn({ part, of }: Part): Uint32Array {
    const buckets = mostParts / of
    const [from, to] = [this.#starts[part * buckets], this.#starts[(part + 1) * buckets]]
    return this.#places.subarray(from, to)
  }
}

const isInPart = (digests: Buffer, at: number, { part, of }: Part): boolean =>
  Math.floor(bucketOf(digests, at) / (mostParts / of)) === part

const bucketOf = (digests: Buffer, at: number): number =>
  digests.readUInt16BE(at * digestBytes) >> shift

/** Digests, one after the other, and the second in which each expires. */
export interface Entries {
  readonly digests: Buffer
  readonly expiries: Uint32Array
  readonly length: number
}

/** Digests by the second in which they expire, one after the other. */
export type Groups = ReadonlyMap<number, Buffer>

/** Entries that are read before other work of the process gets its turn: some milliseconds. */
const sliceEntries = 10_000

/** Collects the entries of a document; expired ones are left out. */
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
      if (at % sliceEntries === 0) await nextTurn()
      this.#add(entries, at)
    }
  }

  /** @param order covers the first entries, nearly all; the rest are scanned */
  async addPart(entries: Entries, order: PrefixOrder, part: Part): Promise<void> {
    for (const [n, at] of order.placesIn(part).entries()) {
      if (n > 0 && n % sliceEntries === 0) await nextTurn()
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
