import { createHmac, hash, hkdfSync, timingSafeEqual } from 'node:crypto'

/** What a refresh token says: which session, which turn of it, and the seed that its row knows. */
export interface RefreshTokenContent {
  readonly sid: string
  readonly generation: number
  /** 128 random bits of the family. The row keeps only their digest, so a dump makes no token. */
  readonly seed: Buffer
}

const prefix = 'srt_'
const sizes = { sid: 16, generation: 4, seed: 16, mac: 32 }
const bodySize = sizes.sid + sizes.generation + sizes.seed
const tokenSize = bodySize + sizes.mac

export const seedSize = sizes.seed

export const digestOf = (seed: Buffer): Buffer => hash('sha256', seed, 'buffer')

/**
 * Writes and reads refresh tokens: `srt_` + base64url(sid ‖ generation ‖ seed ‖ HMAC-SHA-256). A
 * token proves itself before the database is asked anything, and its successor can be computed again.
 */
export class RefreshTokenCodec {
  readonly #key: Buffer

  /** @param secret 256 bits that all instances share */
  constructor(secret: Uint8Array) {
    this.#key = Buffer.from(hkdfSync('sha256', secret, '', 'signet refresh token v1', 32))
  }

  encode({ sid, generation, seed }: RefreshTokenContent): string {
    const body = Buffer.alloc(bodySize)
    body.write(sid.replaceAll('-', ''), 0, sizes.sid, 'hex')
    body.writeUInt32BE(generation, sizes.sid)
    seed.copy(body, sizes.sid + sizes.generation)
    return prefix + Buffer.concat([body, this.#mac(body)]).toString('base64url')
  }

  /** Undefined for everything that this server did not write, letter for letter. */
  decode(token: string): RefreshTokenContent | undefined {
    if (!looksLikeRefreshToken(token)) return undefined
    const text = token.slice(prefix.length)
    const bytes = Buffer.from(text, 'base64url')
    if (bytes.length !== tokenSize || bytes.toString('base64url') !== text) return undefined
    const body = bytes.subarray(0, bodySize)
    if (!timingSafeEqual(this.#mac(body), bytes.subarray(bodySize))) return undefined
    const hex = body.toString('hex', 0, sizes.sid)
    return {
      sid: hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5'),
      generation: body.readUInt32BE(sizes.sid),
      seed: Buffer.from(body.subarray(sizes.sid + sizes.generation)),
    }
  }

  #mac(body: Buffer): Buffer {
    return createHmac('sha256', this.#key).update(body).digest()
  }
}

export const looksLikeRefreshToken = (token: string): boolean => token.startsWith(prefix)
