import { setImmediate as turn } from 'node:timers/promises'
import { DigestSet, markOf, wordsAt } from './digest-set.ts'
import { covers, earlier } from './list-cursor.ts'
import { digestBytes, type Part, type RevocationList } from './revocation-list.ts'

interface Dependencies {
  readonly now: () => Date
  readonly maxStaleSeconds: number
  /** For so long an expired token still passes: its revocation has to as well. */
  readonly clockToleranceSeconds: number
  readonly onList: (list: { full: boolean; entries: number }) => void
  readonly onStale: (staleSeconds: number) => void
  readonly onFresh: () => void
}

/** A database that was restored from a backup may have lost what deltas never repeat. */
const fullEverySeconds = 900
/** After a full list that could not be had, while deltas go on. */
const fullRetrySeconds = 60
/** So many are taken over before the service has its turn: some milliseconds. */
const sliceEntries = 10_000

/** What the issuer was asked: for news since a place, for a part of everything, or for everything. */
export interface Question {
  readonly seq?: string | undefined
  readonly part?: Part | undefined
}

export interface Added {
  /** How many entries were not known. */
  readonly news: number
  /** False while parts are missing. */
  readonly isComplete: boolean
}

/** What is known of a list that comes in parts. */
interface Walk {
  readonly of: number
  readonly next: number
  /** The earliest place of all parts. */
  readonly seq: string
  /** The earliest reading of all parts. */
  readonly iat: number
}

/**
 * What all lists together say. They are united, never replaced: an entry is forgotten at its own
 * expiry and by nothing else, so that an old list, replayed, adds nothing false and takes nothing
 * away; it only does not count as fresh.
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

  /** Seconds since the issuer read what is known here. */
  get staleSeconds(): number {
    return Math.max(0, this.nowSeconds() - this.#freshAt)
  }

  /** From where on to ask; undefined: for everything. */
  get seq(): string | undefined {
    const age = this.nowSeconds() - this.#fullAt
    const isDue = age < 0 || age >= fullEverySeconds
    const sinceFailure = this.nowSeconds() - this.#fullFailedAt
    const mayTry = sinceFailure < 0 || sinceFailure >= fullRetrySeconds
    return isDue && mayTry ? undefined : this.#seq
  }

  /** The part to ask for, when everything comes in parts and some are missing. */
  get nextPart(): Part | undefined {
    return this.#walk && { part: this.#walk.next, of: this.#walk.of }
  }

  /** Everything could not be had: deltas go on, where there is a place to go on from. */
  fullFailed(): void {
    this.#fullFailedAt = this.nowSeconds()
  }

  /** The issuer has no such part any more: the first one is asked for again. */
  leaveParts(): void {
    this.#walk = undefined
  }

  isRevokedAny(marks: readonly Uint32Array[]): boolean {
    const now = this.#forgottenBefore()
    return marks.some((mark) => this.#digests.has(mark, now))
  }

  /** Whether the newest list is older than it may be; tells of every change. */
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

  /**
   * Takes over a list that was verified and was the answer to this question.
   */
  async add(list: RevocationList, { seq: asked, part }: Question): Promise<Added> {
    // Whoever has a key that was revoked could go on telling this service that all is well.
    if (this.isRevokedAny([markOf('kid', list.kid)])) throw this.#restart('signed by a revoked key')
    // Somebody in between answers without reading the question: that would be a hole.
    if (list.since !== undefined && !(asked && covers(list.since, asked))) {
      throw this.#restart('a delta for somebody else')
    }
    const { part: number = 0, of = list.part?.of } = part ?? {}
    if (list.part && (list.part.part !== number || list.part.of !== of)) {
      throw this.#restart('a part that was not asked for')
    }
    const news = await this.#addAll(list.groups)
    if (this.isRevokedAny([markOf('kid', list.kid)])) throw this.#restart('revokes its own key')
    const whole = this.#whole(list)
    if (!whole) return { news, isComplete: false }
    const full = whole.since === undefined
    if (news > 0 || full) this.#deps.onList({ full, entries: this.entries })
    this.#walk = undefined
    this.#seq = whole.seq
    if (full) this.#fullAt = this.nowSeconds()
    this.#freshAt = Math.max(this.#freshAt, Math.min(whole.iat, this.nowSeconds()))
    return { news, isComplete: true }
  }

  /** @returns what is known now; undefined while parts are missing */
  #whole(list: RevocationList): Pick<RevocationList, 'seq' | 'iat' | 'since'> | undefined {
    if (!list.part) return list
    const { part, of } = list.part
    const before = part > 0 ? this.#walk : undefined
    if (part > 0 && before?.of !== of) throw this.#restart('a part of another division')
    // Each part may have been read at another time: what came since the first of them is asked for next.
    const seq = before ? earlier(before.seq, list.seq) : list.seq
    if (seq === undefined) throw this.#restart('parts of different histories')
    const iat = Math.min(before?.iat ?? list.iat, list.iat)
    if (part + 1 === of) return { seq, iat }
    this.#walk = { of, next: part + 1, seq, iat }
    return undefined
  }

  async #addAll(groups: RevocationList['groups']): Promise<number> {
    const now = this.#forgottenBefore()
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

  /** The next question is for the full list. */
  #restart(reason: string): Error {
    this.#seq = undefined
    this.#walk = undefined
    return new Error(`the list of revocations: ${reason}`)
  }

  nowSeconds(): number {
    return this.#deps.now().getTime() / 1000
  }

  #forgottenBefore(): number {
    return this.nowSeconds() - this.#deps.clockToleranceSeconds
  }
}
