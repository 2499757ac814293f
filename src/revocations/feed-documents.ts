import { createHash } from 'node:crypto'
import { SignJWT } from 'jose'
import { epochSeconds, type Now } from '../clock.ts'
import type { LiveKeyring } from '../keyring/live-keyring.ts'
import { spellCursor } from './feed-cursor.ts'
import type { LiveList, Revoked } from './live-list.ts'

/** A signed list, ready to be sent. */
export interface FeedDocument {
  readonly jwt: string
  /** The same for the same entries, whenever and by whichever instance they were signed. */
  readonly etag: string
}

interface Rooms {
  readonly keyring: LiveKeyring
  readonly issuer: string
  readonly now: Now
  readonly onSigned?: () => void
}

interface Kept {
  readonly readAt: number
  readonly document: Promise<FeedDocument>
}

/** The claims of a list; docs/verifying.md says what they mean. */
interface FeedClaims {
  readonly iss: string
  readonly iat: number
  readonly seq: string
  readonly since?: string
  readonly revoked: Revoked
}

/** A list is signed again, with the time of a later reading, when it has become so old. */
const resignSeconds = { full: 5, delta: 1 }

/**
 * Lists are signed when the first reader asks and kept until the next change: a reader more costs
 * nothing. Their `iat` is when the log was read, so that a list from an instance which lost its database shows
 * its age.
 */
export class FeedDocuments {
  readonly #rooms: Rooms
  readonly #kept = new Map<number | 'nothing', Kept>()

  constructor(rooms: Rooms) {
    this.#rooms = rooms
  }

  /** Something changed: what was signed before is not the whole truth any more. */
  forget(): void {
    this.#kept.clear()
  }

  /** What begins at this place of the list; undefined: nothing new. */
  document(list: LiveList, index: number | undefined, readAt: Date): Promise<FeedDocument> {
    const key = index ?? 'nothing'
    const read = epochSeconds(readAt)
    const kept = this.#kept.get(key)
    const oldest = read - (index === 0 ? resignSeconds.full : resignSeconds.delta)
    if (kept && kept.readAt > oldest) return kept.document
    const revoked = index === undefined ? {} : list.from(index, this.#rooms.now())
    const known = index === undefined ? list.unchangedSince : list.knownFrom(index)
    const document = this.#sign({
      iss: this.#rooms.issuer,
      iat: read,
      seq: spellCursor(list.cursor),
      ...(known && { since: spellCursor(known) }),
      revoked,
    })
    this.#kept.set(key, { readAt: read, document })
    // The next one who asks tries again.
    document.catch(() => this.#kept.delete(key))
    return document
  }

  async #sign(claims: FeedClaims): Promise<FeedDocument> {
    const { keyring, now, onSigned } = this.#rooms
    const { kid, privateKey } = keyring.current.signer(now())
    const content = JSON.stringify([claims.since === undefined, claims.revoked])
    const etag = `W/"${createHash('sha256').update(content).digest('base64url').slice(0, 22)}"`
    const jwt = await new SignJWT({ ...claims })
      .setProtectedHeader({ alg: 'RS256', typ: 'revocations+jwt', kid })
      .sign(privateKey)
    onSigned?.()
    return { jwt, etag }
  }
}
