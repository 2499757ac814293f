import { setImmediate as turn } from 'node:timers/promises'
import { epochSeconds } from '../clock.ts'
import { type FeedCursor, openDigest } from './feed-cursor.ts'
import { type Entries, GroupedDigests, type Groups } from './grouped-digests.ts'
import { type Part, PrefixOrder } from './prefix-order.ts'
import { digestBytes, revocationDigest } from './revocation-digest.ts'
import type { LogChanges, LoggedRevocation, LogPosition } from './revocation-log.ts'

/** Which digests: from a place in the list on, or those of one part. */
export type Selection = { readonly index: number } | Part

/** Expiry is rounded up to it, so that entries share a group and the list stays small. */
const groupSeconds = 60
/** Entries that are looked at before other work of the process has its turn: some milliseconds. */
const sliceEntries = 10_000

/**
 * The live entries as one instance knows them, in the order of their arrival: 28 bytes each. Entries of
 * transactions at or above the watermark are open: one that was numbered earlier may still commit among
 * them. They are told with every list, until they are settled.
 */
export class ActiveEntries {
  #length = 0
  #digests = Buffer.alloc(1024 * digestBytes)
  #expiries = new Uint32Array(1024)
  /** The highest transaction number up to each place, so that it rises whatever the order of arrival. */
  #xids = new Float64Array(1024)
  #open: readonly LoggedRevocation[] = []
  #openDigest = ''
  /** By the digests that are sorted: a copy of them has none yet. */
  readonly #orders = new WeakMap<Buffer, { length: number; order: Promise<PrefixOrder> }>()
  #packedOpen: Promise<Entries> | undefined
  #position: LogPosition

  private constructor(position: LogPosition) {
    this.#position = position
  }

  /** Reads all pages; other work has its turn after each. */
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
    list.#setOpen(open)
    return list
  }

  get size(): number {
    return this.#length + this.#open.length
  }

  /** What a reader is given that knows all of this list. */
  get cursor(): FeedCursor {
    return { ...this.#position, open: this.#openDigest }
  }

  /**
   * Takes over what the log says since the watermark. The position moves when all of it is here.
   * @returns whether an entry came that was not here
   */
  async advance({ entries, history, watermark }: LogChanges): Promise<boolean> {
    // New entries stand at the end. A long transaction may leave very many of them open.
    const isSame = entries.length === this.#open.length && entries.at(-1) === this.#open.at(-1)
    if (isSame && watermark === this.#position.watermark) return false
    const wereOpen = this.#openDigest
    // Both at once: a list that is made during the settling must not have entries twice.
    this.#length = await this.#settle(entries.filter(({ xid }) => xid < watermark))
    this.#position = { history, watermark }
    this.#setOpen(entries.filter(({ xid }) => xid >= watermark))
    return openDigest(entries.map(({ seq }) => seq)) !== wereOpen
  }

  /** @returns how many there are then; until the caller takes it over, none of the new ones counts */
  async #settle(settled: readonly LoggedRevocation[]): Promise<number> {
    let length = this.#length
    this.#makeRoom(length + settled.length)
    for (const [at, entry] of settled.entries()) {
      if (at > 0 && at % sliceEntries === 0) await turn()
      const before = length > 0 ? (this.#xids[length - 1] as number) : 0
      revocationDigest(entry).copy(this.#digests, length * digestBytes)
      this.#expiries[length] = groupOf(entry.expiresAt)
      this.#xids[length] = Math.max(before, Number(entry.xid))
      length += 1
    }
    return length
  }

  #setOpen(open: readonly LoggedRevocation[]): void {
    const digest = openDigest(open.map(({ seq }) => seq))
    if (digest !== this.#openDigest) this.#packedOpen = undefined
    this.#open = open
    this.#openDigest = digest
  }

  /**
   * Where in the list begins what the reader does not have.
   * @returns undefined when there is nothing; 0 is the full list
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

  /** How many entries a list has that begins at this place. */
  sizeFrom(index: number): number {
    return this.size - index
  }

  /** Who is as far as this has everything. */
  get unchangedSince(): FeedCursor {
    return { ...this.#position, watermark: this.#after(this.#length), open: this.#openDigest }
  }

  /** From which transaction on nothing is missing in what begins at this place. */
  knownFrom(index: number): FeedCursor | undefined {
    if (index === 0) return undefined
    return { ...this.#position, watermark: this.#after(index), open: '' }
  }

  #after(index: number): bigint {
    return index > 0 ? BigInt(this.#xids[index - 1] as number) + 1n : 0n
  }

  /**
   * The entries of now without those that have expired. The list may change meanwhile: what was there is kept
   * by nobody else then, because pruning copies.
   */
  async select(selection: Selection, now: Date): Promise<Groups> {
    const settled = { digests: this.#digests, expiries: this.#expiries, length: this.#length }
    this.#packedOpen ??= pack(this.#open)
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

  /** Made once for all parts. Entries that came since are looked at one by one, until they are many. */
  #orderOf({ digests, length }: Entries): Promise<PrefixOrder> {
    const known = this.#orders.get(digests)
    if (known && length - known.length <= sliceEntries) return known.order
    const order = PrefixOrder.of(digests, length)
    this.#orders.set(digests, { length, order })
    return order
  }

  /** Forgets what has expired. Places in the list are others afterwards. */
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

async function pack(entries: readonly LoggedRevocation[]): Promise<Entries> {
  const digests = Buffer.alloc(entries.length * digestBytes)
  const expiries = new Uint32Array(entries.length)
  for (const [at, entry] of entries.entries()) {
    if (at > 0 && at % sliceEntries === 0) await turn()
    revocationDigest(entry).copy(digests, at * digestBytes)
    expiries[at] = groupOf(entry.expiresAt)
  }
  return { digests, expiries, length: entries.length }
}

const groupOf = (expiresAt: Date): number =>
  Math.ceil(expiresAt.getTime() / 1000 / groupSeconds) * groupSeconds
