import { createHash, type KeyObject, sign } from 'node:crypto'
import { setImmediate as turn } from 'node:timers/promises'
import { epochSeconds, type Now } from '../clock.ts'
import type { LiveKeyring } from '../keyring/live-keyring.ts'
import type { ActiveEntries, Selection } from './active-entries.ts'
import { type FeedCursor, spellCursor } from './feed-cursor.ts'
import type { Groups } from './grouped-digests.ts'
import type { Part } from './prefix-order.ts'

/** A signed list, ready to be sent. */
export interface FeedDocument {
  readonly jwt: string
  /** The same for the same entries, whenever and by whichever instance they were signed. */
  readonly etag: string
}

/** What a reader is told: news from a place on, all of it, one part of all, or that there is nothing new. */
export type Wanted = Selection | 'nothing'

interface Dependencies {
  readonly keyring: LiveKeyring
  readonly issuer: string
  readonly now: Now
  readonly onSigned?: () => void
  /** Of documents that are kept for the next reader. */
  readonly mostKeptBytes?: number
}

interface Kept {
  /** 0 while it is being made. */
  bytes: number
  readonly readAt: number
  /** For how long it may be handed out although there is news, which the reader then asks for. */
  readonly lastsUntil: number
  readonly document: Promise<FeedDocument>
}

/** The claims of a list without its entries; docs/verifying.md says what they mean. */
interface FeedClaims extends Partial<Part> {
  readonly iss: string
  readonly iat: number
  readonly seq: string
  readonly since?: string
}

/** A list is signed again, with the time of a later reading, when it has become so old. */
const resignSeconds = { full: 5, delta: 1 }
/** Three divisions of a list of 1.5 million entries. */
const usualKeptBytes = 128 * 1024 * 1024
/** A full list of more entries is not made anew for each of them. */
const lastingEntries = 10_000

/**
 * Lists are signed when the first reader asks and kept until the next change: a reader more costs
 * nothing. Their `iat` is when the log was read, so that a list from an instance which lost its database shows
 * its age.
 */
export class FeedDocuments {
  readonly #deps: Dependencies
  readonly #kept = new Map<string, Kept>()

  constructor(deps: Dependencies) {
    this.#deps = deps
  }

  /** Something changed: what was signed before is not the whole truth any more. */
  forget({ isNews }: { readonly isNews: boolean }): void {
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
    const made: Kept = { bytes: 0, readAt: read, lastsUntil, document }
    this.#kept.delete(key)
    this.#kept.set(key, made)
    document.then(
      ({ jwt }) => {
        made.bytes = jwt.length
        this.#limit()
      },
      // The next one who asks tries again.
      () => this.#kept.delete(key),
    )
    return document
  }

  /** The oldest go first. */
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
    // All of it at once, before anything else has its turn: entries and position belong together.
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

  /** In steps of some milliseconds each, whatever the number of entries. */
  async #sign(claims: FeedClaims, groups: Groups): Promise<FeedDocument> {
    const { keyring, now, onSigned } = this.#deps
    const { kid, privateKey } = keyring.current.signer(now())
    const content = createHash('sha256').update(
      JSON.stringify([claims.since === undefined, claims.part, claims.of]),
    )
    const members: string[] = []
    for (const [expiry, digests] of [...groups].sort(([a], [b]) => a - b)) {
      const member = `"${expiry}":"${digests.toString('base64url')}"`
      content.update(member)
      members.push(member)
      if (member.length > longMember) await turn()
    }
    const payload = `${JSON.stringify(claims).slice(0, -1)},"revoked":{${members.join()}}}`
    await turn()
    const input = `${headerOf(kid, claims)}.${Buffer.from(payload, 'latin1').toString('base64url')}`
    await turn()
    const signature = await signed(Buffer.from(input, 'latin1'), privateKey)
    onSigned?.()
    const etag = `W/"${content.digest('base64url').slice(0, 22)}"`
    return { jwt: `${input}.${signature}`, etag }
  }
}

const longMember = 64 * 1024

const isPart = (wanted: Wanted): wanted is Part => wanted !== 'nothing' && 'of' in wanted

const isFull = (wanted: Wanted): boolean =>
  isPart(wanted) || (wanted !== 'nothing' && wanted.index === 0)

const keyOf = (wanted: Wanted): string =>
  wanted === 'nothing' ? wanted : Object.values(wanted).join('/')

/** The more parts there are, the longer each is kept: so that the cost has a limit. */
const secondsOf = (wanted: Wanted): number =>
  isPart(wanted)
    ? Math.max(resignSeconds.full, wanted.of / 8)
    : resignSeconds[isFull(wanted) ? 'full' : 'delta']

function knownBefore(list: ActiveEntries, wanted: Wanted): FeedCursor | undefined {
  if (wanted === 'nothing') return list.unchangedSince
  return isPart(wanted) ? undefined : list.knownFrom(wanted.index)
}

/** A part has a type of its own: who does not know of parts must not take one for everything. */
function headerOf(kid: string, { of }: FeedClaims): string {
  const typ = of === undefined ? 'revocations+jwt' : 'revocations-part+jwt'
  return Buffer.from(JSON.stringify({ alg: 'RS256', typ, kid })).toString('base64url')
}

/** On another thread, hashing included. */
function signed(input: Buffer, key: KeyObject): Promise<string> {
  return new Promise((resolve, reject) => {
    sign('sha256', input, key, (error, signature) =>
      error ? reject(error) : resolve(signature.toString('base64url')),
    )
  })
}
