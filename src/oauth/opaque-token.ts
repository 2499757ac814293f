import { createHmac, hash, hkdfSync, randomBytes, timingSafeEqual } from 'node:crypto'

/** A secret of 256 random bits behind a prefix that secret scanners can find. */
export const createSecret = (prefix: string, bits: Buffer = randomBytes(32)): string =>
  prefix + bits.toString('base64url')

/** SHA-256. A secret of 128 random bits or more needs no salt and no slow hash: ASVS 6.5.2. */
export const digestSecret = (secret: string | Buffer): Buffer => hash('sha256', secret, 'buffer')

const macBytes = 32

/**
 * Encodes and decodes signed opaque values: a prefix, then base64url(body ‖ HMAC-SHA-256). A value that
 * was changed or invented is refused before anything is looked up.
 */
export class SignedTokenCodec {
  readonly #prefix: string
  readonly #bodyBytes: number
  readonly #key: Buffer

  /**
   * @param secret 256 bits that all instances share
   * @param purpose separates the keys of different codecs that share a secret
   */
  constructor(prefix: string, bodyBytes: number, secret: Uint8Array, purpose: string) {
    this.#prefix = prefix
    this.#bodyBytes = bodyBytes
    this.#key = Buffer.from(hkdfSync('sha256', secret, '', purpose, 32))
  }

  encode(body: Buffer): string {
    return this.#prefix + Buffer.concat([body, this.#mac(body)]).toString('base64url')
  }

  /**
   * The body of a value that this server encoded; undefined for any other. Only the exact spelling of
   * `encode` is accepted, and the HMAC is compared in constant time.
   */
  decode(value: string): Buffer | undefined {
    const opened = this.#open(value)
    return typeof opened === 'string' ? undefined : opened
  }

  /** The check that a value fails: its form, or its HMAC. Undefined for one that this server encoded. */
  faultOf(value: string): 'form' | 'signature' | undefined {
    const opened = this.#open(value)
    return typeof opened === 'string' ? opened : undefined
  }

  #open(value: string): Buffer | 'form' | 'signature' {
    if (!value.startsWith(this.#prefix)) return 'form'
    const text = value.slice(this.#prefix.length)
    const bytes = Buffer.from(text, 'base64url')
    if (bytes.length !== this.#bodyBytes + macBytes) return 'form'
    if (bytes.toString('base64url') !== text) return 'form'
    const body = bytes.subarray(0, this.#bodyBytes)
    return timingSafeEqual(this.#mac(body), bytes.subarray(this.#bodyBytes)) ? body : 'signature'
  }

  #mac(body: Buffer): Buffer {
    return createHmac('sha256', this.#key).update(body).digest()
  }
}

/** The 16 bytes of a UUID. */
export const uuidBytes = (uuid: string): Buffer => Buffer.from(uuid.replaceAll('-', ''), 'hex')

export const uuidOf = (bytes: Buffer): string =>
  bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
