import type { KeyObject } from 'node:crypto'
import type { Now } from '../clock.ts'
import { Keyring, type Signer } from './keyring.ts'
import type { SigningKeys, StoredKey } from './signing-keys.ts'
import { mostKeyringAgeSeconds } from './timing.ts'

/**
 * The keyring that one instance works with, reread every few seconds. While the database is away the
 * last one read goes on, to verify and to publish: its keys change state by the clock alone. It signs
 * only while it is young: a key that was revoked elsewhere signs nothing after `mostKeyringAgeSeconds`.
 */
export class LiveKeyring {
  readonly #signingKeys: SigningKeys
  #keyring = new Keyring([], new Map())
  #opened: ReadonlyMap<string, KeyObject> = new Map()
  /** Before the statement that read it was sent, on the monotonic clock. */
  #readAt = -Infinity
  #refreshing: Promise<unknown> | undefined

  constructor(signingKeys: SigningKeys) {
    this.#signingKeys = signingKeys
  }

  get current(): Keyring {
    return this.#keyring
  }

  /**
   * Signs by the key whose turn it is. The keyring is young before and after, or what waited for a thread would be
   * handed out long after its key was revoked.
   * @throws StaleKeyring when the keys cannot be read in time
   */
  async sign<T>(now: Now, work: (signer: Signer) => Promise<T>): Promise<T> {
    for (;;) {
      if (this.#isAging) await this.#refresh()
      const signer = this.#keyring.signer(now())
      const signed = await work(signer)
      if (this.#ageSeconds > mostKeyringAgeSeconds) await this.#refresh()
      if (!this.#keyring.isRevoked(signer.kid)) return signed
    }
  }

  /**
   * Makes sure that it can sign, before a caller does what only a signature completes. A young keyring costs no query.
   * @throws StaleKeyring when the keys cannot be read in time
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

  /** One reading for all who wait; those whose keyring is young enough wait for nobody. */
  async #refresh(): Promise<void> {
    this.#refreshing ??= this.reread().finally(() => {
      this.#refreshing = undefined
    })
    const refreshing = this.#refreshing
    if (this.#ageSeconds <= mostKeyringAgeSeconds) return void refreshing.catch(() => undefined)
    await refreshing.catch((cause) => {
      // A master key that is missing here keeps the rest of a keyring from nobody.
      if (this.#ageSeconds > mostKeyringAgeSeconds) throw cause
    })
    if (this.#ageSeconds > mostKeyringAgeSeconds) throw new StaleKeyringError()
  }

  /**
   * @throws MasterKeyError when a private half does not open. The keyring is the new one even then:
   * what another instance sealed with a master key that is not here yet must be published here too.
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
    // Of two readings that overlap the one that began later counts.
    if (readAt < this.#readAt) return this.#keyring
    this.#readAt = readAt
    this.#opened = opened
    this.#keyring = new Keyring(stored, opened)
    if (failures.length > 0) throw failures[0]
    return this.#keyring
  }

  /** Only private halves that the table still has are kept: a destroyed one leaves the memory too. */
  async #open(key: StoredKey): Promise<KeyObject | undefined> {
    if (key.privateJwe === null) return undefined
    return this.#opened.get(key.kid) ?? this.#signingKeys.privateKey(key)
  }
}

/** Callers may try again: PostgreSQL answers too slowly for a key to be known as not revoked. */
class StaleKeyringError extends Error {
  override readonly name = 'StaleKeyringError'
  readonly code = 'ETIMEDOUT'

  constructor() {
    super(`the signing keys could not be read within ${mostKeyringAgeSeconds} s`)
  }
}
