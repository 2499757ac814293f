import { createHash } from 'node:crypto'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { epochSeconds, type Now } from '../clock.ts'
import { encodePayload, type LiveKeyring } from '../keyring/live-keyring.ts'
import {
  type ActiveEntries,
  type FeedCursor,
  type Selection,
  spellCursor,
} from './active-entries.ts'
import type { Groups, Part } from './digest-groups.ts'

/** A signed list, ready to be sent. */
export interface FeedDocument {
  readonly jwt: string
  /** The same for the same entries, whenever and by whichever instance they were signed. */
  readonly etag: string
}

/** The content of a document: entries from a place on, one part of all entries, or none. */
export type Wanted = Selection | 'nothing'

interface Dependencies {
  readonly keyring: LiveKeyring
  readonly issuer: string
  readonly now: Now
  readonly onSigned?: () => void
  /** Limit for documents that are kept for the next reader. */
  readonly mostKeptBytes?: number
}

interface Kept {
  /** 0 while the document is being made. */
  bytes: number
  readonly readAt: number
  /** Until when it may be served although there are newer entries, which the reader then asks for. */
  readonly lastsUntil: number
  readonly document: Promise<FeedDocument>
}

/** The claims of a list, except its entries; docs/verifying.md explains them. */
interface FeedClaims extends Partial<Part> {
  readonly iss: string
  readonly iat: number
  readonly seq: string
  readonly since?: string
}

/** After so long a list is signed again, with the time of a later reading. */
const resignSeconds = { full: 5, delta: 1 }
/** A list of 1.5 million entries in three different divisions. */
const usualKeptBytes = 128 * 1024 * 1024
/** A full list of more entries is not made again for each new one. */
const lastingEntries = 10_000

/**
 * Signs a list when the first reader asks and keeps it until the next change: further readers cost
 * nothing. `iat` is when the log was read, so a list from an instance that lost its database shows its
 * age; it is signed even if the keyring is stale (ADR 34).
 */
export class FeedDocuments {
  readonly #deps: Dependencies
  readonly #kept = new Map<string, Kept>()

  constructor(deps: Dependencies) {
    this.#deps = deps
  }

  /** Drops documents that lack an entry. */
  invalidate({ isNews }: { readonly isNews: boolean }): void {
    const at = performance.now()
    for (const [key, { lastsUntil }] of this.#kept) {
      if (!isNews || lastsUntil <= at) this.#kept.delete(key)
    }
  }

  document(list: ActiveEntries, wanted: Wanted, readAt: Date): Promise<FeedDocument> {
    const key = keyOf(wanted)
    const read = epochSeconds(readAt)
    const kept = this.#kept.get(key)
    const seconds = secondsOf(wanted)
    if (kept && kept.readAt > read - seconds) return kept.document
    const lasts = isFull(wanted) && list.size > lastingEntries
    const document = this.#make(list, wanted, read)
    const lastsUntil = lasts ? performance.now() + seconds * 1000 : 0
    const entry: Kept = { bytes: 0, readAt: read, lastsUntil, document }
    this.#kept.delete(key)
    this.#kept.set(key, entry)
    document.then(
      ({ jwt }) => {
        entry.bytes = jwt.length
        this.#limit()
      },
      // The next reader tries again.
      () => this.#kept.delete(key),
    )
    return document
  }

  /** Drops the oldest documents above the limit. */
  #limit(): void {
    const { mostKeptBytes = usualKeptBytes } = this.#deps
    let sum = 0
    for (const { bytes } of this.#kept.values()) sum += bytes
    for (const [key, { bytes }] of this.#kept) {
      if (sum <= mostKeptBytes) return
      this.#kept.delete(key)
      sum -= bytes
    }
  }

  async #make(list: ActiveEntries, wanted: Wanted, read: number): Promise<FeedDocument> {
    // In one turn, without await: entries and position belong together.
    const known = knownBefore(list, wanted)
    const claims: FeedClaims = {
      iss: this.#deps.issuer,
      iat: read,
      seq: spellCursor(list.cursor),
      ...(known && { since: spellCursor(known) }),
      ...(isPart(wanted) && wanted),
    }
    const groups = wanted === 'nothing' ? undefined : list.select(wanted, this.#deps.now())
    return this.#sign(claims, (await groups) ?? new Map())
  }

  /** Works in steps of some milliseconds each, however many entries there are. */
  async #sign(claims: FeedClaims, groups: Groups): Promise<FeedDocument> {
    const { keyring, onSigned } = this.#deps
    const content = createHash('sha256').update(
      JSON.stringify([claims.since === undefined, claims.part, claims.of]),
    )
    const members: string[] = []
    for (const [expiry, digests] of [...groups].sort(([a], [b]) => a - b)) {
      const member = `"${expiry}":"${digests.toString('base64url')}"`
      content.update(member)
      members.push(member)
      if (member.length > longMember) await nextTurn()
    }
    const json = `${JSON.stringify(claims).slice(0, -1)},"revoked":{${members.join()}}}`
    await nextTurn()
    const payload = encodePayload(json)
    await nextTurn()
    const jwt = await keyring.signEvenIfStale(typOf(claims), payload)
    onSigned?.()
    return { jwt, etag: `W/"${content.digest('base64url').slice(0, 22)}"` }
  }
}

const longMember = 64 * 1024

const isPart = (wanted: Wanted): wanted is Part => wanted !== 'nothing' && 'of' in wanted

const isFull = (wanted: Wanted): boolean =>
  isPart(wanted) || (wanted !== 'nothing' && wanted.index === 0)

const keyOf = (wanted: Wanted): string =>
  wanted === 'nothing' ? wanted : Object.values(wanted).join('/')

/** The more parts there are, the longer each is kept, which limits the cost. */
const secondsOf = (wanted: Wanted): number =>
  isPart(wanted)
    ? Math.max(resignSeconds.full, wanted.of / 8)
    : resignSeconds[isFull(wanted) ? 'full' : 'delta']

function knownBefore(list: ActiveEntries, wanted: Wanted): FeedCursor | undefined {
  if (wanted === 'nothing') return list.unchangedSince
  return isPart(wanted) ? undefined : list.knownFrom(wanted.index)
}

/** A part has a type of its own: a reader that does not know parts must not take one for everything. */
const typOf = ({ of }: FeedClaims): string =>
  of === undefined ? 'revocations+jwt' : 'revocations-part+jwt'
