import { hkdfSync } from 'node:crypto'
import { CompactEncrypt, compactDecrypt } from 'jose'
import { epochSeconds, type Now } from '../clock.ts'

/**
 * The values that pages carry, such as an authorization request in a URL, an attempt in a form, and a
 * registration that waits for its mail. Each purpose has its own key, so that no value is accepted as another
 * kind.
 */
export type SealedPurpose = 'request' | 'attempt' | 'pending' | 'waiting' | 'api-key'

/** Longer values would not fit the URLs that proxies accept. */
const longestSealed = 6000
/** The header, the nonce and the tag of a JWE, with four dots (RFC 7516 §7.1); base64url adds a third. */
const longestValue = ((longestSealed - 81) / 4) * 3

/**
 * Seals values that browsers keep for this server: JWE, `dir`, A256GCM (RFC 7516). Nothing is stored, so
 * strangers fill no table, and any instance opens what another one has sealed.
 */
export class SealedValues {
  readonly #keys: Readonly<Record<SealedPurpose, Uint8Array>>
  readonly #now: Now

  /** @param secret 256 bits that all instances share */
  constructor(secret: Uint8Array, now: Now) {
    const key = (purpose: SealedPurpose) =>
      new Uint8Array(hkdfSync('sha256', secret, '', `signet sealed ${purpose} v1`, 32))
    this.#keys = {
      request: key('request'),
      attempt: key('attempt'),
      pending: key('pending'),
      waiting: key('waiting'),
      'api-key': key('api-key'),
    }
    this.#now = now
  }

  /** False if the value would be too long for a URL once it is sealed. */
  fits(value: object): boolean {
    return Buffer.byteLength(this.#textOf(value)) <= longestValue
  }

  seal(purpose: SealedPurpose, value: object): Promise<string> {
    return new CompactEncrypt(Buffer.from(this.#textOf(value)))
      .setProtectedHeader({ alg: 'dir', enc: 'A256GCM' })
      .encrypt(this.#keys[purpose])
  }

  #textOf(value: object): string {
    return JSON.stringify({ ...value, sealedAt: epochSeconds(this.#now()) })
  }

  /**
   * @param seconds how long after it was sealed a value is accepted
   * @returns undefined for everything that this server did not seal for this purpose, lately
   */
  async open<Value extends object>(
    purpose: SealedPurpose,
    sealed: string | undefined,
    seconds = Infinity,
  ): Promise<Value | undefined> {
    if (sealed === undefined || sealed.length > longestSealed || !isCanonical(sealed))
      return undefined
    try {
      const { plaintext } = await compactDecrypt(sealed, this.#keys[purpose], {
        keyManagementAlgorithms: ['dir'],
        contentEncryptionAlgorithms: ['A256GCM'],
      })
      const value = JSON.parse(Buffer.from(plaintext).toString())
      return epochSeconds(this.#now()) - value.sealedAt <= seconds ? value : undefined
    } catch {
      return undefined
    }
  }
}

/** Unused bits at the end of a part would give one value many spellings. */
const isCanonical = (sealed: string): boolean =>
  sealed.split('.').every((part) => Buffer.from(part, 'base64url').toString('base64url') === part)
