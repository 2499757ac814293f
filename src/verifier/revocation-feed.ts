import type { KeyObject } from 'node:crypto'
import { DigestSet, markOf, wordsAt } from './digest-set.ts'
import { type Door, download } from './download.ts'
import { unrefPoll } from './open-polls.ts'
import { pause } from './pause.ts'
import { digestBytes, type RevocationList, readRevocationList } from './revocation-list.ts'

interface Rooms extends Door {
  readonly issuer: string
  readonly findKey: (kid: string) => Promise<KeyObject>
  readonly signal: AbortSignal
  readonly now: () => Date
  readonly maxListBytes: number
  readonly maxStaleSeconds: number
  /** For so long an expired token still passes: its revocation has to as well. */
  readonly clockToleranceSeconds: number
  readonly onList: (list: { full: boolean; entries: number }) => void
  readonly onStale: (staleSeconds: number) => void
  readonly onFresh: () => void
  readonly onProblem: (error: unknown) => void
}

const longestWaitSeconds = 25
/** A database that was restored from a backup may have lost what deltas never repeat. */
const fullEverySeconds = 900
/** After news, so that a burst of them is one delta and not a hundred. */
const pauseMilliseconds = 200
/** After an answer that came early and said nothing: somebody in between does not wait. */
const idleMilliseconds = 2000
const firstRetryMilliseconds = 500
const lastRetryMilliseconds = 15_000

/**
 * Follows the feed of revocations. Lists are united, never replaced: an entry is forgotten at its own
 * expiry and by nothing else, so that an old list, replayed, adds nothing false and takes nothing
 * away; it only does not count as fresh.
 */
export class RevocationFeed {
  readonly #rooms: Rooms
  readonly #digests = new DigestSet()
  #url: string | undefined
  #seq: string | undefined
  #fullAt = 0
  #freshAt = Number.NEGATIVE_INFINITY
  #isStale = false
  #failures = 0
  #pauseMilliseconds = 0
  #first: Promise<void> | undefined
  #running: Promise<void> | undefined

  constructor(rooms: Rooms) {
    this.#rooms = rooms
  }

  get following(): boolean {
    return this.#url !== undefined
  }

  get entries(): number {
    return this.#digests.size
  }

  /** Seconds since the issuer read what is known here. */
  get staleSeconds(): number {
    return Math.max(0, this.#nowSeconds() - this.#freshAt)
  }

  /** Begins, or goes on at another address. */
  follow(url: string): void {
    this.#url = url
    if (this.#running) return
    this.#first = this.#turn().then(() => {
      this.#first = undefined
    })
    this.#running = this.#first.then(() => this.#run())
  }

  /** Until the first list is there, or did not come: then nobody waits any longer. */
  get first(): Promise<void> | undefined {
    return this.#first
  }

  /** After its signal was aborted. */
  async ended(): Promise<void> {
    await this.#running
  }

  holdsAny(marks: readonly Uint32Array[]): boolean {
    const now = this.#forgottenBefore()
    return marks.some((mark) => this.#digests.has(mark, now))
  }

  /** Whether the list is older than it may be; tells of every change. */
  checkStale(): boolean {
    const { staleSeconds } = this
    const isStale = staleSeconds > this.#rooms.maxStaleSeconds
    if (isStale !== this.#isStale) {
      this.#isStale = isStale
      if (isStale) this.#rooms.onStale(staleSeconds)
      else this.#rooms.onFresh()
    }
    return isStale
  }

  async #run(): Promise<void> {
    while (!this.#rooms.signal.aborted) {
      await pause(this.#pauseMilliseconds, this.#rooms.signal)
      if (!this.#rooms.signal.aborted) await this.#turn()
    }
  }

  async #turn(): Promise<void> {
    try {
      this.#pauseMilliseconds = await this.#poll()
      this.#failures = 0
    } catch (error) {
      if (this.#rooms.signal.aborted) return
      const longest = Math.min(lastRetryMilliseconds, firstRetryMilliseconds * 2 ** this.#failures)
      this.#failures = Math.min(this.#failures + 1, 10)
      // Spread out, so that a thousand services do not come back as one.
      this.#pauseMilliseconds = longest * (0.5 + Math.random() / 2)
      this.#rooms.onProblem(error)
    }
    this.checkStale()
  }

  /** @returns how long to pause after it */
  async #poll(): Promise<number> {
    const seq = this.#isFullDue() ? undefined : this.#seq
    const waitSeconds = seq === undefined ? 0 : this.#waitSeconds
    const started = performance.now()
    const text = await this.#ask(seq, waitSeconds)
    const list = await readRevocationList(text, {
      ...this.#rooms,
      nowSeconds: () => this.#nowSeconds(),
    })
    const news = this.#apply(list, seq)
    if (news > 0) return pauseMilliseconds
    const early = performance.now() - started < (waitSeconds / 2) * 1000
    return early ? idleMilliseconds * (0.5 + Math.random() / 2) : pauseMilliseconds * Math.random()
  }

  async #ask(seq: string | undefined, waitSeconds: number): Promise<string> {
    const url = new URL(this.#url as string)
    if (seq !== undefined) {
      url.searchParams.set('since', seq)
      url.searchParams.set('wait', String(waitSeconds))
    }
    const over = seq === undefined ? undefined : unrefPoll(url.href)
    try {
      const { signal, maxListBytes: limitBytes } = this.#rooms
      const options = { accept: 'application/jwt', limitBytes, waitSeconds, signal }
      return (await download(this.#rooms, url.href, options)).body.toString('latin1')
    } finally {
      over?.()
    }
  }

  /** @returns how many entries were not known */
  #apply(list: RevocationList, asked: string | undefined): number {
    // Whoever has a key that was revoked could go on telling this service that all is well.
    if (this.holdsAny([markOf('kid', list.kid)])) throw this.#restart('signed by a revoked key')
    // Somebody in between answers without reading the question: that would be a hole.
    if (list.since !== undefined && !asked) throw this.#restart('a delta for the whole')
    const now = this.#forgottenBefore()
    let news = 0
    for (const [expiresAt, digests] of list.groups) {
      if (expiresAt <= now) continue
      for (let offset = 0; offset < digests.length; offset += digestBytes) {
        if (this.#digests.add(wordsAt(digests, offset), expiresAt)) news++
      }
    }
    this.#digests.forget(now)
    const full = list.since === undefined
    if (news > 0 || full) this.#rooms.onList({ full, entries: this.entries })
    if (this.holdsAny([markOf('kid', list.kid)])) throw this.#restart('revokes its own key')
    this.#seq = list.seq
    if (full) this.#fullAt = this.#nowSeconds()
    this.#freshAt = Math.max(this.#freshAt, Math.min(list.iat, this.#nowSeconds()))
    return news
  }

  /** The next question is for the full list. */
  #restart(reason: string): Error {
    this.#seq = undefined
    return new Error(`the list of revocations: ${reason}`)
  }

  #isFullDue(): boolean {
    const age = this.#nowSeconds() - this.#fullAt
    return age < 0 || age >= fullEverySeconds
  }

  /** An answer has to come well before the list would be stale. */
  get #waitSeconds(): number {
    return Math.max(1, Math.min(longestWaitSeconds, Math.floor(this.#rooms.maxStaleSeconds / 2)))
  }

  #nowSeconds(): number {
    return this.#rooms.now().getTime() / 1000
  }

  #forgottenBefore(): number {
    return this.#nowSeconds() - this.#rooms.clockToleranceSeconds
  }
}
