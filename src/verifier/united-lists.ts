import { DigestSet, markOf, wordsAt } from './digest-set.ts'
import { covers } from './list-cursor.ts'
import { digestBytes, type RevocationList } from './revocation-list.ts'

interface Rooms {
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

/**
 * What all lists together say. They are united, never replaced: an entry is forgotten at its own
 * expiry and by nothing else, so that an old list, replayed, adds nothing false and takes nothing
 * away; it only does not count as fresh.
 */
export class UnitedLists {
  readonly #rooms: Rooms
  readonly #digests = new DigestSet()
  #seq: string | undefined
  #fullAt = 0
  #freshAt = Number.NEGATIVE_INFINITY
  #isStale = false

  constructor(rooms: Rooms) {
    this.#rooms = rooms
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
    return age < 0 || age >= fullEverySeconds ? undefined : this.#seq
  }

  holdsAny(marks: readonly Uint32Array[]): boolean {
    const now = this.#forgottenBefore()
    return marks.some((mark) => this.#digests.has(mark, now))
  }

  /** Whether the newest list is older than it may be; tells of every change. */
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

  /**
   * Takes over a list that was verified and was the answer to `asked`.
   * @returns how many entries were not known
   */
  add(list: RevocationList, asked: string | undefined): number {
    // Whoever has a key that was revoked could go on telling this service that all is well.
    if (this.holdsAny([markOf('kid', list.kid)])) throw this.#restart('signed by a revoked key')
    // Somebody in between answers without reading the question: that would be a hole.
    if (list.since !== undefined && !(asked && covers(list.since, asked))) {
      throw this.#restart('a delta for somebody else')
    }
    const news = this.#addAll(list.groups)
    const full = list.since === undefined
    if (news > 0 || full) this.#rooms.onList({ full, entries: this.entries })
    if (this.holdsAny([markOf('kid', list.kid)])) throw this.#restart('revokes its own key')
    this.#seq = list.seq
    if (full) this.#fullAt = this.nowSeconds()
    this.#freshAt = Math.max(this.#freshAt, Math.min(list.iat, this.nowSeconds()))
    return news
  }

  #addAll(groups: RevocationList['groups']): number {
    const now = this.#forgottenBefore()
    let news = 0
    for (const [expiresAt, digests] of groups) {
      if (expiresAt <= now) continue
      for (let offset = 0; offset < digests.length; offset += digestBytes) {
        if (this.#digests.add(wordsAt(digests, offset), expiresAt)) news++
      }
    }
    this.#digests.forget(now)
    return news
  }

  /** The next question is for the full list. */
  #restart(reason: string): Error {
    this.#seq = undefined
    return new Error(`the list of revocations: ${reason}`)
  }

  nowSeconds(): number {
    return this.#rooms.now().getTime() / 1000
  }

  #forgottenBefore(): number {
    return this.nowSeconds() - this.#rooms.clockToleranceSeconds
  }
}
