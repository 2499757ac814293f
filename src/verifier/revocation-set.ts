import { setImmediate as turn } from 'node:timers/promises'
import { DigestSet, markOf, wordsAt } from './digest-set.ts'
import { digestBytes, type Part, type RevocationList } from './revocation-list.ts'

interface Dependencies {
  readonly now: () => Date
  readonly maxStaleSeconds: number
  /** Expired tokens are still accepted for this long, so their revocations must be kept as well. */
  readonly clockToleranceSeconds: number
  readonly onList: (list: { full: boolean; entries: number }) => void
  readonly onStale: (staleSeconds: number) => void
  readonly onFresh: () => void
}

/** How often a full list is requested: after a database restore, deltas may lack revocations. */
const fullEverySeconds = 900
/** The pause after a full list failed, while deltas continue. */
const fullRetrySeconds = 60
/** Entries that are added before the event loop gets a turn, which takes some milliseconds. */
const sliceEntries = 10_000

/** A request to the feed: a delta since a cursor, a part of the full list, or the full list. */
export interface Request {
  readonly seq?: string | undefined
  readonly part?: Part | undefined
}

export interface Added {
  /** How many entries were new. */
  readonly news: number
  /** False while parts are missing. */
  readonly isComplete: boolean
}

/** The progress of a full list that arrives in parts. */
interface Walk {
  readonly of: number
  readonly next: number
  /** The earliest cursor of all parts. */
  readonly seq: string
  /** The earliest `iat` of all parts. */
  readonly iat: number
}

/**
 * The union of all lists. A list never replaces another one: an entry is removed only when it expires, so
 * a replayed old list adds nothing false and removes nothing; it only does not count as fresh (ADR 19).
 */
export class RevocationSet {
  readonly #deps: Dependencies
  readonly #digests = new DigestSet()
  #seq: string | undefined
  #walk: Walk | undefined
  #fullAt = 0
  #fullFailedAt = Number.NEGATIVE_INFINITY
  #freshAt = Number.NEGATIVE_INFINITY
  #isStale = false

  constructor(deps: Dependencies) {
    this.#deps = deps
  }

  get entries(): number {
    return this.#digests.size
  }

  /** When the issuer read the newest known list, in seconds since the epoch; -Infinity before the first one. */
  get freshAt(): number {
    return this.#freshAt
  }

  /** Seconds since the issuer read the newest known list. */
  get staleSeconds(): number {
    return Math.max(0, this.nowSeconds() - this.#freshAt)
  }

  /** The cursor for the next request; undefined: request the full list. */
  get seq(): string | undefined {
    const age = this.nowSeconds() - this.#fullAt
    const isDue = age < 0 || age >= fullEverySeconds
    const sinceFailure = this.nowSeconds() - this.#fullFailedAt
    const mayTry = sinceFailure < 0 || sinceFailure >= fullRetrySeconds
    return isDue && mayTry ? undefined : this.#seq
  }

  /** The next missing part of a full list that arrives in parts. */
  get nextPart(): Part | undefined {
    return this.#walk && { part: this.#walk.next, of: this.#walk.of }
  }

  /** Records that a full list failed: deltas continue where there is a cursor. */
  fullFailed(): void {
    this.#fullFailedAt = this.nowSeconds()
  }

  /** Starts again with the first part, when the issuer no longer has the next one. */
  leaveParts(): void {
    this.#walk = undefined
  }

  isRevokedAny(marks: readonly Uint32Array[]): boolean {
    const now = this.#expiredBefore()
    return marks.some((mark) => this.#digests.has(mark, now))
  }

  /** True if the newest list is too old; calls `onStale` and `onFresh` on changes. */
  checkStale(): boolean {
    const { staleSeconds } = this
    const isStale = staleSeconds > this.#deps.maxStaleSeconds
    if (isStale !== this.#isStale) {
      this.#isStale = isStale
      if (isStale) this.#deps.onStale(staleSeconds)
      else this.#deps.onFresh()
    }
    return isStale
  }

  /** Adds a verified list, the response to this request. */
  async add(list: RevocationList, { seq: requested, part }: Request): Promise<Added> {
    // A thief of a revoked key could keep sending lists without its revocation.
    if (this.isRevokedAny([markOf('kid', list.kid)])) throw this.#restart('signed by a revoked key')
    // A cache that ignores the request could leave a gap.
    if (list.since !== undefined && !(requested && covers(list.since, requested))) {
      throw this.#restart('a delta that was not requested')
    }
    const { part: number = 0, of = list.part?.of } = part ?? {}
    if (list.part && (list.part.part !== number || list.part.of !== of)) {
      throw this.#restart('a part that was not requested')
    }
    const news = await this.#addAll(list.groups)
    if (this.isRevokedAny([markOf('kid', list.kid)])) throw this.#restart('revokes its own key')
    const complete = this.#completed(list)
    if (!complete) return { news, isComplete: false }
    const full = complete.since === undefined
    if (news > 0 || full) this.#deps.onList({ full, entries: this.entries })
    this.#walk = undefined
    this.#seq = complete.seq
    if (full) this.#fullAt = this.nowSeconds()
    this.#freshAt = Math.max(this.#freshAt, Math.min(complete.iat, this.nowSeconds()))
    return { news, isComplete: true }
  }

  /** @returns the list, or the sum of its parts; undefined while parts are missing */
  #completed(list: RevocationList): Pick<RevocationList, 'seq' | 'iat' | 'since'> | undefined {
    if (!list.part) return list
    const { part, of } = list.part
    const before = part > 0 ? this.#walk : undefined
    if (part > 0 && before?.of !== of) throw this.#restart('a part of another division')
    // Parts may have been read at different times, so the next delta starts at the earliest cursor.
    const seq = before ? earlier(before.seq, list.seq) : list.seq
    if (seq === undefined) throw this.#restart('parts of different histories')
    const iat = Math.min(before?.iat ?? list.iat, list.iat)
    if (part + 1 === of) return { seq, iat }
    this.#walk = { of, next: part + 1, seq, iat }
    return undefined
  }

  async #addAll(groups: RevocationList['groups']): Promise<number> {
    const now = this.#expiredBefore()
    let news = 0
    let seen = 0
    for (const [expiresAt, digests] of groups) {
      if (expiresAt <= now) continue
      for (let offset = 0; offset < digests.length; offset += digestBytes) {
        if (++seen % sliceEntries === 0) await turn()
        if (this.#digests.add(wordsAt(digests, offset), expiresAt)) news++
      }
    }
    this.#digests.forget(now)
    return news
  }

  /** Makes the next request one for the full list. */
  #restart(reason: string): Error {
    this.#seq = undefined
    this.#walk = undefined
    return new Error(`the revocation list: ${reason}`)
  }

  nowSeconds(): number {
    return this.#deps.now().getTime() / 1000
  }

  #expiredBefore(): number {
    return this.nowSeconds() - this.#deps.clockToleranceSeconds
  }
}

const cursorForm = /^([\w-]{8})\.(\d{1,19})(?:\.([\w-]{8}))?$/

/**
 * Chooses the one of two cursors from which a reader of both lists misses nothing.
 * @returns undefined when they belong to different histories
 */
function earlier(one: string, two: string): string | undefined {
  const [, history, number = '', open] = cursorForm.exec(one) ?? []
  const [, itsHistory, itsNumber = '', itsOpen] = cursorForm.exec(two) ?? []
  if (history === undefined || history !== itsHistory) return undefined
  if (number !== itsNumber) return BigInt(number) < BigInt(itsNumber) ? one : two
  return open === itsOpen ? one : `${history}.${number}`
}

/**
 * True if a delta since `since` has everything that is new to a reader at `own`: it starts in the same
 * history and no later, and presumes either no open entries or those that the reader knows. Otherwise a
 * genuine delta for a reader further ahead, served to every reader, would leave an unnoticed gap.
 */
function covers(since: string, own: string): boolean {
  if (since === own) return true
  const [, itsHistory, itsNumber = '', itsOpen] = cursorForm.exec(since) ?? []
  const [, ourHistory, ourNumber = '', ourOpen] = cursorForm.exec(own) ?? []
  if (itsHistory === undefined || itsHistory !== ourHistory) return false
  const presumesNothing = itsOpen === undefined || itsOpen === ourOpen
  return presumesNothing && BigInt(itsNumber) <= BigInt(ourNumber)
}
