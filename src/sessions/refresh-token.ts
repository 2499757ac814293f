import { SignedTokenCodec, uuidBytes, uuidOf } from '../oauth/opaque-token.ts'

/** The content of a refresh token: the session, how often it was rotated, and the seed of its family. */
export interface RefreshTokenContent {
  readonly sid: string
  readonly generation: number
  /** 128 random bits of the family. The row has only their digest, so a dump yields no token. */
  readonly seed: Buffer
}

const prefix = 'srt_'
const sidBytes = 16
const generationBytes = 4

export const seedBytes = 16

/**
 * Encodes and decodes refresh tokens: sid ‖ generation ‖ seed, signed. A token proves itself before
 * the database is asked anything, and its successor can be computed again.
 */
export class RefreshTokenCodec {
  readonly #codec: SignedTokenCodec

  /** @param secret 256 bits that all instances share */
  constructor(secret: Uint8Array) {
    const bodyBytes = sidBytes + generationBytes + seedBytes
    this.#codec = new SignedTokenCodec(prefix, bodyBytes, secret, 'signet refresh token v1')
  }

  encode({ sid, generation, seed }: RefreshTokenContent): string {
    const number = Buffer.alloc(generationBytes)
    number.writeUInt32BE(generation)
    return this.#codec.encode(Buffer.concat([uuidBytes(sid), number, seed]))
  }

  /** The check that a token fails by itself. */
  faultOf(token: string): 'form' | 'signature' | undefined {
    return this.#codec.faultOf(token)
  }

  /** @returns undefined for everything that this server did not encode */
  decode(token: string): RefreshTokenContent | undefined {
    const body = this.#codec.decode(token)
    return (
      body && {
        sid: uuidOf(body.subarray(0, sidBytes)),
        generation: body.readUInt32BE(sidBytes),
        seed: Buffer.from(body.subarray(sidBytes + generationBytes)),
      }
    )
  }
}

export const looksLikeRefreshToken = (token: string): boolean => token.startsWith(prefix)
