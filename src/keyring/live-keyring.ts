import { type KeyObject, sign } from 'node:crypto'
import type { Now } from '../clock.ts'
import { traced } from '../telemetry/spans.ts'
import { Keyring, type Signer } from './keyring.ts'
import type { SigningKeys, StoredKey } from './signing-keys.ts'
import { mostKeyringAgeSeconds } from './timing.ts'

/**
 * The keyring of this instance, reread every few seconds. While the database is away the last one goes
 * on verifying and publishing: its keys change state by the clock alone. It signs tokens only while it
 * is fresh: a key that was revoked elsewhere signs none after `mostKeyringAgeSeconds`.
 */
export class LiveKeyring {
  readonly #signingKeys: SigningKeys
  readonly #now: Now
  #keyring = new Keyring([], new Map())
  #opened: ReadonlyMap<string, KeyObject> = new Map()
  /** When the statement that read it was sent, on the monotonic clock. */
  #readAt = -Infinity
  #refreshing: Promise<unknown> | undefined

  constructor(signingKeys: SigningKeys, now: Now) {
    this.#signingKeys = signingKeys
    this.#now = now
  }

  get current(): Keyring {
    return this.#keyring
  }

  /**
   * Signs a JWT. The keyring is fresh before and after: a signature that waited for a thread must not
   * be handed out long after its key was revoked.
   * @param typ `typ` of its header, which tells kinds of JWT apart: RFC 8725 §3.11
   * @throws StaleKeyringError if the keys cannot be read in time
   */
  async sign(typ: string, claims: object): Promise<string> {
    const payload = encodePayload(JSON.stringify(claims))
    for (;;) {
      if (this.#isAging) await this.#refresh()
      const signer = this.#keyring.signer(this.#now())
      const jwt = await signJws(signer, typ, payload)
      if (this.#ageSeconds > mostKeyringAgeSeconds) await this.#refresh()
      if (!this.#keyring.isRevoked(signer.kid)) return jwt
    }
  }

  /**
   * Signs a document that must go on being served while PostgreSQL is away: by the last known key that
   * is not revoked, however old the keyring is. Its claims must show its age (ADR 34).
   * @param payload made by `encodePayload`, as it may be long
   */
  async signEvenIfStale(typ: string, payload: string): Promise<string> {
    for (;;) {
      const signer = this.#keyring.signer(this.#now())
      const jwt = await signJws(signer, typ, payload)
      if (!this.#keyring.isRevoked(signer.kid)) return jwt
    }
  }

  /**
   * Makes sure that it can sign, before a caller changes anything that only a signature completes. A
   * fresh keyring costs no query.
   * @throws StaleKeyringError if the keys cannot be read in time
   */
  async freshen(): Promise<void> {
    if (this.#isAging) await this.#refresh()
  }

  /** Read again before it is too old, so that signing rarely waits for it. */
  get #isAging(): boolean {
    return this.#ageSeconds > mostKeyringAgeSeconds / 2
  }

  get #ageSeconds(): number {
    return (performance.now() - this.#readAt) / 1000
  }

  /** Concurrent callers share one reading; none waits while the keyring is fresh enough. */
  async #refresh(): Promise<void> {
    this.#refreshing ??= this.reread().finally(() => {
      this.#refreshing = undefined
    })
    const refreshing = this.#refreshing
    if (this.#ageSeconds <= mostKeyringAgeSeconds) return void refreshing.catch(() => undefined)
    await refreshing.catch((cause) => {
      // A missing master key fails the reading of one private half; the rest of the keyring is fresh.
      if (this.#ageSeconds > mostKeyringAgeSeconds) throw cause
    })
    if (this.#ageSeconds > mostKeyringAgeSeconds) throw new StaleKeyringError()
  }

  /**
   * @throws MasterKeyError if a private half does not open. The keyring is the new one even then: a
   * key that another instance sealed with a master key that is missing here must be published here too.
   */
  async reread(): Promise<Keyring> {
    const readAt = performance.now()
    const stored = await this.#signingKeys.all()
    const opened = new Map<string, KeyObject>()
    const failures: unknown[] = []
    for (const key of stored) {
      const privateKey = await this.#open(key).catch((error) => void failures.push(error))
      if (privateKey) opened.set(key.kid, privateKey)
    }
    // If two readings overlap, the one that began later counts.
    if (readAt < this.#readAt) return this.#keyring
    this.#readAt = readAt
    this.#opened = opened
    this.#keyring = new Keyring(stored, opened)
    if (failures.length > 0) throw failures[0]
    return this.#keyring
  }

  /** Keeps only private halves that the table still has: a destroyed one leaves the memory too. */
  async #open(key: StoredKey): Promise<KeyObject | undefined> {
    if (key.privateJwe === null) return undefined
    return this.#opened.get(key.kid) ?? this.#signingKeys.privateKey(key)
  }
}

export const encodePayload = (json: string): string => Buffer.from(json).toString('base64url')

/** Encoded once for each key and `typ`. */
const headers = new WeakMap<KeyObject, Map<string, string>>()

/**
 * A compact JWS with RS256, RFC 7515 §3.1. Signed and hashed on a libuv thread, by node:crypto itself:
 * through jose the event loop would pay twice as much for each token.
 */
const signJws = (signer: Signer, typ: string, payload: string): Promise<string> =>
  traced(`sign ${typ}`, () => signPayload(signer, typ, payload))

function signPayload({ kid, privateKey }: Signer, typ: string, payload: string): Promise<string> {
  const input = `${headerOf(kid, privateKey, typ)}.${payload}`
  return new Promise((resolve, reject) => {
    sign('RSA-SHA256', Buffer.from(input, 'latin1'), privateKey, (error, signature) => {
      if (error) reject(error)
      else resolve(`${input}.${signature.toString('base64url')}`)
    })
  })
}

function headerOf(kid: string, privateKey: KeyObject, typ: string): string {
  const byTyp = headers.get(privateKey) ?? new Map<string, string>()
  headers.set(privateKey, byTyp)
  const known = byTyp.get(typ)
  if (known !== undefined) return known
  const header = encodePayload(JSON.stringify({ alg: 'RS256', typ, kid }))
  byTyp.set(typ, header)
  return header
}

/** PostgreSQL answers too slowly to know that a key is not revoked. Temporary: callers may try again. */
class StaleKeyringError extends Error {
  override readonly name = 'StaleKeyringError'
  readonly code = 'ETIMEDOUT'

  constructor() {
    super(`the signing keys could not be read within ${mostKeyringAgeSeconds} s`)
  }
}
