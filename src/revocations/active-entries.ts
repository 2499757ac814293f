import { hash } from 'node:crypto'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { epochSeconds } from '../clock.ts'
import {
  digestBytes,
  type Entries,
  GroupedDigests,
  type Groups,
  type Part,
  PrefixOrder,
  revocationDigest,
} from './digest-groups.ts'
import type { LogChanges, LoggedRevocation, LogPosition } from './revocation-log.ts'

/**
 * How far a reader of the feed has come, sent to it and back as the opaque `seq`: the history, the
 * transaction number below which it has everything, and a digest of the open entries that it has
 * beyond that, so that it is not answered at once with what it has just received.
 */
export interface FeedCursor extends LogPosition {
  readonly open: string
}

const spelling = /^([\w-]{8})\.(\d{1,19})(?:\.([\w-]{8}))?$/

/** @returns undefined for anything that this server did not write: such a reader gets the full list */
export function parseCursor(text: string | undefined): FeedCursor | undefined {
  const [, history, watermark, open = ''] = spelling.exec(text ?? '') ?? []
  if (history === undefined || watermark === undefined) return undefined
  return { history, watermark: BigInt(watermark), open }
}

export const spellCursor = ({ history, watermark, open }: FeedCursor): string =>
  [history, watermark, ...(open ? [open] : [])].join('.')

/** The digests from a place in the list on, or those of one part. */
export type Selection = { readonly index: number } | Part

/** Expiry is rounded up to it, so that entries share a group and the list stays small. */
const groupSeconds = 60
/** Entries that are read before other work of the process gets its turn: some milliseconds. */
const sliceEntries = 10_000

/**
 * The live entries that this instance knows, in the order of their arrival: 28 bytes each. Entries of
 * transactions at or above the watermark are open: one that was numbered earlier may still commit among
 * them. They are part of every list until they are settled.
 */
export class ActiveEntries {
  #length = 0
  #digests = Buffer.alloc(1024 * digestBytes)
  #expiries = new Uint32Array(1024)
  /** The highest transaction number up to each place, so that it rises whatever the order of arrival. */
  #xids = new Float64Array(1024)
  readonly #open = new OpenEntries()
  /** By the buffer that was sorted: a copy of it has no order yet. */
  readonly #orders = new WeakMap<Buffer, { length: number; order: Promise<PrefixOrder> }>()
  #packedOpen: Promise<Entries> | undefined
  #position: LogPosition

  private constructor(position: LogPosition) {
    this.#position = position
  }

  /** Reads all pages; other work gets its turn after each. */
  static async load(
    position: LogPosition,
    pages: AsyncIterable<readonly LoggedRevocation[]>,
  ): Promise<ActiveEntries> {
    const list = new ActiveEntries(position)
    const open: LoggedRevocation[] = []
    for await (const page of pages) {
      list.#length = await list.#settle(page.filter(({ xid }) => xid < position.watermark))
      open.push(...page.filter(({ xid }) => xid >= position.watermark))
    }
    list.#open.replace(open)
    return list
  }

  get size(): number {
    return this.#length + this.#open.size
  }

  /** The cursor of a reader that has all of this list. */
  get cursor(): FeedCursor {
    return { ...this.#position, open: this.#open.digest }
  }

  /**
   * Takes over what the log says since the watermark. The position moves once all of it is here.
   * @returns whether an entry came or went
   */
  async advance({ entries, history, watermark }: LogChanges): Promise<boolean> {
    const isSame = this.#open.has(entries)
    if (isSame && watermark === this.#position.watermark) return false
    // Length and position at once: a list that is made during the settling must not have entries twice.
    this.#length = await this.#settle(entries.filter(({ xid }) => xid < watermark))
    this.#position = { history, watermark }
    if (this.#open.replace(entries.filter(({ xid }) => xid >= watermark))) {
      this.#packedOpen = undefined
    }
    return !isSame
  }

  /** @returns the new length; until the caller sets it, none of the new entries counts */
  async #settle(settled: readonly LoggedRevocation[]): Promise<number> {
    let length = this.#length
    this.#makeRoom(length + settled.length)
    for (const [at, entry] of settled.entries()) {
      if (at > 0 && at % sliceEntries === 0) await nextTurn()
      const before = length > 0 ? (this.#xids[length - 1] as number) : 0
      revocationDigest(entry).copy(this.#digests, length * digestBytes)
      this.#expiries[length] = groupOf(entry.expiresAt)
      this.#xids[length] = Math.max(before, Number(entry.xid))
      length += 1
    }
    return length
  }

  /**
   * The place in the list from which on the reader lacks entries.
   * @returns undefined if it lacks none; 0 means the full list
   */
  since({ history, watermark, open }: FeedCursor): number | undefined {
    if (history !== this.#position.history || watermark > this.#position.watermark) return 0
    let low = 0
    let high = this.#length
    while (low < high) {
      const middle = (low + high) >> 1
      if ((this.#xids[middle] as number) < watermark) low = middle + 1
      else high = middle
    }
    const nothing = low === this.#length && open === this.#open.digest
    return nothing ? undefined : this.#inSteps(low)
  }

  /**
   * Rounds what a reader lacks up to a power of two: however far behind each of many readers is, only a
   * handful of different documents is made.
   */
  #inSteps(index: number): number {
    const missing = this.#length - index
    const rounded = missing === 0 ? 0 : 2 ** Math.ceil(Math.log2(missing))
    return Math.max(0, this.#length - rounded)
  }

  /** The number of entries of a list that begins at this place. */
  sizeFrom(index: number): number {
    return this.size - index
  }

  /** A reader with this cursor has everything. */
  get unchangedSince(): FeedCursor {
    return { ...this.#position, watermark: this.#after(this.#length), open: this.#open.digest }
  }

  /** A list that begins at this place has everything since this cursor. */
  knownFrom(index: number): FeedCursor | undefined {
    if (index === 0) return undefined
    return { ...this.#position, watermark: this.#after(index), open: '' }
  }

  #after(index: number): bigint {
    return index > 0 ? BigInt(this.#xids[index - 1] as number) + 1n : 0n
  }

  /**
   * The current entries; expired ones are left out. The list may change meanwhile: pruning makes a copy
   * and leaves these buffers alone.
   */
  async select(selection: Selection, now: Date): Promise<Groups> {
    const settled = { digests: this.#digests, expiries: this.#expiries, length: this.#length }
    this.#packedOpen ??= pack(this.#open.entries)
    const packedOpen = this.#packedOpen
    const grouped = new GroupedDigests(epochSeconds(now))
    if ('of' in selection) {
      await grouped.addPart(settled, await this.#orderOf(settled), selection)
      const open = await packedOpen
      await grouped.addPart(open, await this.#orderOf(open), selection)
    } else {
      await grouped.addFrom(settled, selection.index)
      await grouped.addFrom(await packedOpen, 0)
    }
    return grouped.groups
  }

  /** Made once for all parts. Entries that came since are scanned one by one, until they are many. */
  #orderOf({ digests, length }: Entries): Promise<PrefixOrder> {
    const known = this.#orders.get(digests)
    if (known && length - known.length <= sliceEntries) return known.order
    const order = PrefixOrder.of(digests, length)
    this.#orders.set(digests, { length, order })
    return order
  }

  /** Removes expired entries. Places in the list change. */
  prune(now: Date): void {
    const after = epochSeconds(now)
    const [digests, expiries, xids, length] = [
      this.#digests,
      this.#expiries,
      this.#xids,
      this.#length,
    ]
    this.#allocate(length)
    let kept = 0
    let from = 0
    for (let at = 0; at <= length; at += 1) {
      if (at < length && (expiries[at] as number) > after) continue
      digests.copy(this.#digests, kept * digestBytes, from * digestBytes, at * digestBytes)
      this.#expiries.set(expiries.subarray(from, at), kept)
      this.#xids.set(xids.subarray(from, at), kept)
      kept += at - from
      from = at + 1
    }
    this.#length = kept
  }

  #makeRoom(wanted: number): void {
    if (wanted <= this.#expiries.length) return
    const [digests, expiries, xids] = [this.#digests, this.#expiries, this.#xids]
    this.#allocate(Math.max(wanted, expiries.length * 2))
    digests.copy(this.#digests, 0, 0, this.#length * digestBytes)
    this.#expiries.set(expiries.subarray(0, this.#length))
    this.#xids.set(xids.subarray(0, this.#length))
  }

  #allocate(entries: number): void {
    const size = Math.max(1024, entries)
    this.#digests = Buffer.alloc(size * digestBytes)
    this.#expiries = new Uint32Array(size)
    this.#xids = new Float64Array(size)
  }
}

/** Entries that are not settled, and a digest of which they are, kept up to date by what changes. */
class OpenEntries {
  #bySeq = new Map<string, LoggedRevocation>()
  /** XOR of the hashes of all `seq`: the same on every instance, in whatever order they came. */
  readonly #sum = Buffer.alloc(6)

  get size(): number {
    return this.#bySeq.size
  }

  get entries(): readonly LoggedRevocation[] {
    return [...this.#bySeq.values()]
  }

  get digest(): string {
    return this.size === 0 ? '' : this.#sum.toString('base64url')
  }

  /** True if these are the open entries. */
  has(entries: readonly LoggedRevocation[]): boolean {
    return entries.length === this.size && entries.every(({ seq }) => this.#bySeq.has(seq))
  }

  /** @returns whether anything changed */
  replace(entries: readonly LoggedRevocation[]): boolean {
    if (this.has(entries)) return false
    const before = this.#bySeq
    this.#bySeq = new Map(entries.map((entry) => [entry.seq, entry]))
    for (const seq of this.#bySeq.keys()) if (!before.has(seq)) this.#toggle(seq)
    for (const seq of before.keys()) if (!this.#bySeq.has(seq)) this.#toggle(seq)
    return true
  }

  #toggle(seq: string): void {
    const digest = hash('sha256', seq, 'buffer')
    for (let at = 0; at < this.#sum.length; at += 1) {
      this.#sum[at] = (this.#sum[at] as number) ^ (digest[at] as number)
    }
  }
}

async function pack(entries: readonly LoggedRevocation[]): Promise<Entries> {
  const digests = Buffer.alloc(entries.length * digestBytes)
  const expiries = new Uint32Array(entries.length)
  for (const [at, entry] of entries.entries()) {
    if (at > 0 && at % sliceEntries === 0) await nextTurn()
    revocationDigest(entry).copy(digests, at * digestBytes)
    expiries[at] = groupOf(entry.expiresAt)
  }
  return { digests, expiries, length: entries.length }
}

const groupOf = (expiresAt: Date): number =>
  Math.ceil(expiresAt.getTime() / 1000 / groupSeconds) * groupSeconds
