import { setImmediate as turn } from 'node:timers/promises'
import { digestBytes } from './revocation-digest.ts'

/** Of a list that is divided by the first bits of its digests. */
export interface Part {
  readonly part: number
  /** A power of two, `mostParts` at most. */
  readonly of: number
}

/** 12 bits of a digest name its bucket. */
export const mostParts = 4096
const shift = 16 - Math.log2(mostParts)
/** Entries that are sorted before other work of the process has its turn. */
const sliceEntries = 50_000

/**
 * Places of digests, sorted by the first bits of these (a counting sort): a part is a slice, whatever the
 * number of parts, and costs what is in it.
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
      if (at % sliceEntries === 0) await turn()
      const bucket = bucketOf(digests, at)
      starts[bucket + 1] = (starts[bucket + 1] as number) + 1
    }
    for (let bucket = 0; bucket < mostParts; bucket += 1) {
      starts[bucket + 1] = (starts[bucket + 1] as number) + (starts[bucket] as number)
    }
    const places = new Uint32Array(length)
    const next = starts.slice()
    for (let at = 0; at < length; at += 1) {
      if (at % sliceEntries === 0) await turn()
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

export const isInPart = (digests: Buffer, at: number, { part, of }: Part): boolean =>
  Math.floor(bucketOf(digests, at) / (mostParts / of)) === part

const bucketOf = (digests: Buffer, at: number): number =>
  digests.readUInt16BE(at * digestBytes) >> shift
