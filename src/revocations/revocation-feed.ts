import { setTimeout as sleep } from 'node:timers/promises'
import type { Now } from '../clock.ts'
import type { LiveKeyring } from '../keyring/live-keyring.ts'
import { ActiveEntries } from './active-entries.ts'
import { type FeedCursor, parseCursor } from './feed-cursor.ts'
import { type FeedDocument, FeedDocuments, type Wanted } from './feed-documents.ts'
import { LogReader } from './log-reader.ts'
import { mostParts, type Part } from './prefix-order.ts'
import type { RevocationLog } from './revocation-log.ts'

interface Dependencies {
  readonly log: RevocationLog
  readonly keyring: LiveKeyring
  readonly issuer: string
  readonly now: Now
  readonly onSigned?: () => void
  readonly mostKeptBytes?: number
}

/** What a reader asks for. */
export interface FeedRequest {
  readonly since?: string | undefined
  /** How long to wait for news, in seconds; 0: not at all. */
  readonly waitSeconds: number
  /** Whether the reader knows that everything may come in parts. */
  readonly inParts?: boolean
  /** Raised when the reader has gone. */
  readonly gone?: AbortSignal
}

/** What became of a question, when it is no document. */
export type FeedRefusal = 'too_large' | 'other_parts'

/** Beyond it readers are answered at once: they ask again, and nothing grows here. */
const maxWaiting = 10_000
const pruneSeconds = 60
const hasteMilliseconds = 50
/** A document of so many entries is 14 MB: what readers before there were parts take in one piece. */
const mostEntries = 500_000
/** 0.9 MB at most on average, and half of it at least. */
const partEntries = 32_768

/**
 * The log as those see it who ask neither PostgreSQL nor Redis: an instance reads it twice a second,
 * keeps the live entries in memory and tells its readers of new ones as soon as it knows them.
 */
export class RevocationFeed {
  readonly #deps: Dependencies
  readonly #documents: FeedDocuments
  readonly #reader: LogReader
  readonly #waiting = new Set<() => void>()
  #list: ActiveEntries | undefined
  /** False until the list is that of the place where the reader goes on. */
  #loaded = false
  /** Before the statement that read it was sent: nothing committed earlier is missing. */
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

  /** Reads what is new, in a turn that begins after this call. Who calls meanwhile shares the next one. */
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

  /** Something was revoked here: readers should not have to wait for the next turn. */
  pollSoon(): void {
    // It fails when the database does, and the next turn says so.
    if (this.#list && !this.#draining) this.#followSoon().catch(() => undefined)
  }

  /** @returns undefined while the log was never read */
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
   * One part of everything. Instances may differ by a step in how many parts there are; other divisions are not
   * made: their documents would be many, or long.
   */
  async readPart(part: Part): Promise<FeedDocument | FeedRefusal | undefined> {
    const list = this.#list
    if (!list) return undefined
    const usual = partsOf(list)
    const isMade = [usual / 2, usual, usual * 2].includes(part.of) && part.of <= mostParts
    if (!isMade || part.of < 2 || part.part >= part.of) return 'other_parts'
    return this.#documents.document(list, part, this.#readAt)
  }

  /** Answers everybody who waits and lets nobody wait any more. */
  drain(): void {
    this.#draining = true
    this.#wake()
  }

  /** A turn that all who ask for one within a moment share: however many ask, it is no storm. */
  #followSoon(): Promise<void> {
    this.#soon ??= sleep(hasteMilliseconds, undefined, { ref: false }).then(() => {
      this.#soon = undefined
      return this.follow()
    })
    return this.#soon
  }

  /** Another instance has told a reader more than this one knows: it reads on, before it says otherwise. */
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
    // A key that leaked leaves the JWKS now, not with the next turn of those who tend the keys.
    const hasKey = changes.fresh.some(({ kind }) => kind === 'kid')
    if (hasKey) await this.#deps.keyring.reread().catch(() => undefined)
    const news = await this.#list.advance(changes)
    this.#readAt = readAt
    // Not even a list that lasts may go on bearing the signature of a key that leaked.
    if (news) this.#documents.forget({ isNews: !hasKey })
    this.#prune(readAt)
    if (news) this.#wake()
  }

  /** The position is noted first: what commits during the reading comes with the next turn. */
  async #load(readAt: Date): Promise<void> {
    const { log } = this.#deps
    this.#loaded = false
    const { history, watermark } = await this.#reader.begin()
    this.#list = await ActiveEntries.load({ history, watermark }, log.live())
    this.#loaded = true
    this.#readAt = readAt
    this.#prunedAt = readAt
    this.#documents.forget({ isNews: false })
    this.#wake()
  }

  #prune(at: Date): void {
    if (at.getTime() - this.#prunedAt.getTime() < pruneSeconds * 1000) return
    this.#prunedAt = at
    this.#list?.prune(at)
    this.#documents.forget({ isNews: true })
  }
}

/** @returns undefined for what is too long for one document, to a reader that takes nothing else */
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
