import type { KeyObject } from 'node:crypto'
import { Keyring } from './keyring.ts'
import type { SigningKeys, StoredKey } from './signing-keys.ts'

/**
 * The keyring that one instance works with, reread every few seconds. While the database is away the
 * last one read goes on: its keys change state by the clock alone.
 */
export class LiveKeyring {
  readonly #signingKeys: SigningKeys
  #keyring = new Keyring([], new Map())
  #opened: ReadonlyMap<string, KeyObject> = new Map()

  constructor(signingKeys: SigningKeys) {
    this.#signingKeys = signingKeys
  }

  get current(): Keyring {
    return this.#keyring
  }

  /**
   * @throws MasterKeyError when a private half does not open. The keyring is the new one even then:
   * what another instance sealed with a master key that is not here yet must be published here too.
   */
  async reread(): Promise<Keyring> {
    const stored = await this.#signingKeys.all()
    const opened = new Map<string, KeyObject>()
    const failures: unknown[] = []
    for (const key of stored) {
      const privateKey = await this.#open(key).catch((error) => void failures.push(error))
      if (privateKey) opened.set(key.kid, privateKey)
    }
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
