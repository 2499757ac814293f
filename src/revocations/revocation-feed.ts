import { setTimeout as sleep } from 'node:timers/promises'
import type { Now } from '../clock.ts'
import type { LiveKeyring } from '../keyring/live-keyring.ts'
import { ActiveEntries, type FeedCursor, parseCursor } from './active-entries.ts'
import { mostParts, type Part } from './digest-groups.ts'
import { type FeedDocument, FeedDocuments, type Wanted } from './feed-documents.ts'
import { LogReader } from './log-reader.ts'
import type { RevocationLog } from './revocation-log.ts'

interface Dependencies {
  readonly log: RevocationLog
  readonly keyring: LiveKeyring
  readonly issuer: string
  readonly now: Now
  readonly onSigned?: () => void
  readonly mostKeptBytes?: number
}

/** The request of a reader. */
export interface FeedRequest {
  readonly since?: string | undefined
  /** How long to wait for new entries; 0 means not at all. */
  readonly waitSeconds: number
  /** True if the reader understands a list in parts. */
  readonly inParts?: boolean
  /** Aborted when the reader has closed its connection. */
  readonly gone?: AbortSignal
}

/** Why a request gets no document. */
export type FeedRefusal = 'too_large' | 'other_parts'

/** With more waiting readers, the next are answered at once and ask again: nothing grows here. */
const maxWaiting = 10_000
const pruneSeconds = 60
const soonMilliseconds = 50
/** A document of so many entries has 14 MB, which verifiers that do not know parts still accept. */
const mostEntries = 500_000
/** A part has at most 0.9 MB on average, and at least half of it. */
const partEntries = 32_768

/**
 * The log for verifiers, which ask neither PostgreSQL nor Redis: an instance reads it twice a second,
 * keeps the live entries in memory and answers waiting readers as soon as it learns of new ones.
 */
export class RevocationFeed {
  readonly #deps: Dependencies
  readonly #documents: FeedDocuments
  readonly #reader: LogReader
  readonly #waiting = new Set<() => void>()
  #list: ActiveEntries | undefined
  /** True if the list belongs to the position from which the reader goes on. */
  #loaded = false
  /** When the statement that read it was sent: nothing committed earlier is missing. */
  #readAt = new Date(0)
  #prunedAt = new Date(0)
  #running: Promise<void> = Promise.resolve()
  #next: Promise<void> | undefined
  #soon: Promise<void> | undefined
  #draining = false

  constructor(deps: Dependencies) {
    this.#deps = deps
    this.#documents = new FeedDocuments(deps)
    this.#reader = new LogReader(deps.log)
  }

  get size(): number {
    return this.#list?.size ?? 0
  }

  get readAt(): Date {
    return this.#readAt
  }

  get waiting(): number {
    return this.#waiting.size
  }

  /** Reads the whole log. */
  start(): Promise<void> {
    return this.follow()
  }

  /** Reads new entries, in a run that begins after this call. Calls during a run share the next one. */
  follow(): Promise<void> {
    this.#next ??= this.#running
      .catch(() => undefined)
      .then(() => {
        this.#next = undefined
        this.#running = this.#follow()
        return this.#running
      })
    return this.#next
  }

  /** Reads soon, after a revocation by this instance: readers should not wait for the next run. */
  pollSoon(): void {
    // It fails when the database does, which the next run reports.
    if (this.#list && !this.#draining) this.#followSoon().catch(() => undefined)
  }

  /** @returns undefined until the log was read once */
  async read(request: FeedRequest): Promise<FeedDocument | FeedRefusal | undefined> {
    const { since, waitSeconds, inParts = false, gone } = request
    const cursor = parseCursor(since)
    const deadline = performance.now() + waitSeconds * 1000
    await this.#catchUpWith(cursor)
    for (;;) {
      const list = this.#list
      if (!list) return undefined
      const news = cursor ? list.since(cursor) : 0
      const leftMilliseconds = deadline - performance.now()
      if (news !== undefined || leftMilliseconds <= 0 || !this.#mayWait(gone)) {
        const wanted = wantedOf(list, news, inParts)
        return wanted ? this.#documents.document(list, wanted, this.#readAt) : 'too_large'
      }
      await this.#change(leftMilliseconds, gone)
    }
  }

  /**
   * One part of the list. Instances may differ by a step in the number of parts; other divisions are
   * refused, as their documents would be many, or long.
   */
  async readPart(part: Part): Promise<FeedDocument | FeedRefusal | undefined> {
    const list = this.#list
    if (!list) return undefined
    const usual = partsOf(list)
    const isMade = [usual / 2, usual, usual * 2].includes(part.of) && part.of <= mostParts
    if (!isMade || part.of < 2 || part.part >= part.of) return 'other_parts'
    return this.#documents.document(list, part, this.#readAt)
  }

  /** Answers all waiting readers, and from now on every reader at once. */
  drain(): void {
    this.#draining = true
    this.#wake()
  }

  /** Calls within a moment share one run, however many they are. */
  #followSoon(): Promise<void> {
    this.#soon ??= sleep(soonMilliseconds, undefined, { ref: false }).then(() => {
      this.#soon = undefined
      return this.follow()
    })
    return this.#soon
  }

  /** Reads on if the reader has learned more from another instance than this one knows. */
  async #catchUpWith(cursor: FeedCursor | undefined): Promise<void> {
    const known = this.#list?.cursor
    if (!cursor || !known || cursor.history !== known.history) return
    if (cursor.watermark > known.watermark) await this.#followSoon().catch(() => undefined)
  }

  #mayWait(gone: AbortSignal | undefined): boolean {
    return !this.#draining && !gone?.aborted && this.#waiting.size < maxWaiting
  }

  #change(milliseconds: number, gone: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer)
        this.#waiting.delete(done)
        gone?.removeEventListener('abort', done)
        resolve()
      }
      const timer = setTimeout(done, milliseconds)
      this.#waiting.add(done)
      gone?.addEventListener('abort', done)
    })
  }

  #wake(): void {
    for (const done of [...this.#waiting]) done()
  }

  async #follow(): Promise<void> {
    const readAt = this.#deps.now()
    if (!this.#list || !this.#loaded) return this.#load(readAt)
    const changes = await this.#reader.next()
    if (changes.isRestored) return this.#load(readAt)
    // A leaked key leaves the JWKS now, not with the next regular reading of the keys.
    const hasKey = changes.fresh.some(({ kind }) => kind === 'kid')
    if (hasKey) await this.#deps.keyring.reread().catch(() => undefined)
    const news = await this.#list.advance(changes)
    this.#readAt = readAt
    // Not even a list that may be served longer keeps the signature of a leaked key.
    if (news) this.#documents.invalidate({ isNews: !hasKey })
    this.#prune(readAt)
    if (news) this.#wake()
  }

  /** Takes the position first: entries that commit during the reading come with the next run. */
  async #load(readAt: Date): Promise<void> {
    const { log } = this.#deps
    this.#loaded = false
    const { history, watermark } = await this.#reader.begin()
    this.#list = await ActiveEntries.load({ history, watermark }, log.live())
    this.#loaded = true
    this.#readAt = readAt
    this.#prunedAt = readAt
    this.#documents.invalidate({ isNews: false })
    this.#wake()
  }

  #prune(at: Date): void {
    if (at.getTime() - this.#prunedAt.getTime() < pruneSeconds * 1000) return
    this.#prunedAt = at
    this.#list?.prune(at)
    this.#documents.invalidate({ isNews: true })
  }
}

/** @returns undefined if the list is too long for one document and the reader does not know parts */
function wantedOf(
  list: ActiveEntries,
  index: number | undefined,
  inParts: boolean,
): Wanted | undefined {
  if (index === undefined) return 'nothing'
  const entries = list.sizeFrom(index)
  const of = partsOf(list)
  if (inParts && of > 1 && (index === 0 || entries > 2 * partEntries)) return { part: 0, of }
  return entries <= mostEntries ? { index } : undefined
}

const partsOf = ({ size }: ActiveEntries): number =>
  Math.min(mostParts, 2 ** Math.max(0, Math.ceil(Math.log2(size / partEntries))))
