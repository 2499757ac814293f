import { epochSeconds } from '../clock.ts'
import { type FeedCursor, openDigest } from './feed-cursor.ts'
import { digestBytes, revocationDigest } from './revocation-digest.ts'
import type { LogChanges, LoggedRevocation, LogPosition } from './revocation-log.ts'

/** Digests by the second in which they may be forgotten: as the feed says it. */
export type Revoked = Readonly<Record<string, string>>

/** Expiry is rounded up to it, so that entries share a group and the list stays small. */
const groupSeconds = 60

/**
 * The live entries as one instance knows them, ordered by the transaction that wrote them: 28 bytes
 * each. Entries of transactions at or above the watermark are open: one that was numbered earlier may still
 * commit among them. They are read again with every turn, until they are settled.
 */
export class LiveList {
  #length = 0
  #digests = Buffer.alloc(1024 * digestBytes)
  #expiries = new Uint32Array(1024)
  #xids = new BigUint64Array(1024)
  #open: readonly LoggedRevocation[] = []
  #openDigest = ''
  #position: LogPosition

  constructor(position: LogPosition, entries: readonly LoggedRevocation[]) {
    this.#position = position
    this.#settle(entries)
  }

  get size(): number {
    return this.#length + this.#open.length
  }

  /** What a reader is given that knows all of this list. */
  get cursor(): FeedCursor {
    return { ...this.#position, open: this.#openDigest }
  }

  /**
   * Takes over what the log says since the watermark.
   * @returns whether an entry came that was not here
   */
  advance({ entries, history, watermark }: LogChanges): boolean {
    const wereOpen = this.#openDigest
    this.#position = { history, watermark }
    this.#settle(entries)
    return openDigest(entries.map(({ seq }) => seq)) !== wereOpen
  }

  #settle(entries: readonly LoggedRevocation[]): void {
    const { watermark } = this.#position
    const settled = entries.filter(({ xid }) => xid < watermark)
    settled.sort((a, b) => (a.xid < b.xid ? -1 : a.xid > b.xid ? 1 : 0))
    this.#makeRoom(this.#length + settled.length)
    for (const entry of settled) {
      revocationDigest(entry).copy(this.#digests, this.#length * digestBytes)
      this.#expiries[this.#length] = groupOf(entry.expiresAt)
      this.#xids[this.#length] = entry.xid
      this.#length += 1
    }
    this.#open = entries.filter(({ xid }) => xid >= watermark)
    this.#openDigest = openDigest(this.#open.map(({ seq }) => seq))
  }

  /**
   * Where in the list begins what the reader does not have.
   * @returns undefined when there is nothing; 0 is the full list
   */
  newsFor({ history, watermark, open }: FeedCursor): number | undefined {
    if (history !== this.#position.history || watermark > this.#position.watermark) return 0
    let low = 0
    let high = this.#length
    while (low < high) {
      const middle = (low + high) >> 1
      if ((this.#xids[middle] as bigint) < watermark) low = middle + 1
      else high = middle
    }
    const nothing = low === this.#length && open === this.#openDigest
    return nothing ? undefined : this.#inSteps(low)
  }

  /**
   * A reader that is further behind is told more than it lacks: so that however far behind each of
   * many readers is, only a handful of different answers has to be made.
   */
  #inSteps(index: number): number {
    const missing = this.#length - index
    const told = missing === 0 ? 0 : 2 ** Math.ceil(Math.log2(missing))
    return Math.max(0, this.#length - told)
  }

  /** Who is as far as this has everything. */
  get unchangedSince(): FeedCursor {
    const last = this.#length > 0 ? (this.#xids[this.#length - 1] as bigint) + 1n : 0n
    return { ...this.#position, watermark: last, open: this.#openDigest }
  }

  /** From which transaction on nothing is missing in what begins at this place. */
  knownFrom(index: number): FeedCursor | undefined {
    if (index === 0) return undefined
    return { ...this.#position, watermark: (this.#xids[index - 1] as bigint) + 1n, open: '' }
  }

  /** The entries from this place on, without those that have expired. */
  from(index: number, now: Date): Revoked {
    const after = epochSeconds(now)
    const groups = new Map<number, Buffer[]>()
    const add = (expiry: number, digest: Buffer) => {
      const group = groups.get(expiry)
      if (group) group.push(digest)
      else if (expiry > after) groups.set(expiry, [digest])
    }
    for (let at = index; at < this.#length; at += 1) {
      const digest = this.#digests.subarray(at * digestBytes, (at + 1) * digestBytes)
      add(this.#expiries[at] as number, digest)
    }
    for (const entry of this.#open) add(groupOf(entry.expiresAt), revocationDigest(entry))
    const encoded = [...groups].map(([expiry, digests]) => [
      expiry,
      Buffer.concat(digests).toString('base64url'),
    ])
    return Object.fromEntries(encoded)
  }

  /** Forgets what has expired. Places in the list are others afterwards. */
  prune(now: Date): void {
    const after = epochSeconds(now)
    let kept = 0
    for (let at = 0; at < this.#length; at += 1) {
      if ((this.#expiries[at] as number) <= after) continue
      this.#digests.copyWithin(kept * digestBytes, at * digestBytes, (at + 1) * digestBytes)
      this.#expiries[kept] = this.#expiries[at] as number
      this.#xids[kept] = this.#xids[at] as bigint
      kept += 1
    }
    this.#length = kept
  }

  #makeRoom(wanted: number): void {
    if (wanted <= this.#expiries.length) return
    const size = Math.max(wanted, this.#expiries.length * 2)
    const digests = Buffer.alloc(size * digestBytes)
    const expiries = new Uint32Array(size)
    const xids = new BigUint64Array(size)
    this.#digests.copy(digests, 0, 0, this.#length * digestBytes)
    expiries.set(this.#expiries.subarray(0, this.#length))
    xids.set(this.#xids.subarray(0, this.#length))
    this.#digests = digests
    this.#expiries = expiries
    this.#xids = xids
  }
}

const groupOf = (expiresAt: Date): number =>
  Math.ceil(expiresAt.getTime() / 1000 / groupSeconds) * groupSeconds
