import { randomBytes } from 'node:crypto'
import { epochSeconds } from '../clock.ts'
import { SignedTokenCodec, uuidBytes } from '../oauth/opaque-token.ts'

const userBytes = 16
const deviceBytes = 16
const issuedAtBytes = 4
const lifeSeconds = 90 * 86_400

interface DeviceToken {
  readonly user: Buffer
  readonly device: Buffer
  readonly issuedAt: Date
}

/**
 * A device from which a person signed in keeps a signed token: user ‖ device ‖ time of issue. It grants
 * no access; guesses from this device are counted apart from those of strangers. Nothing is stored.
 */
export class DeviceTokens {
  readonly #codec: SignedTokenCodec

  /** @param secret 256 bits that all instances share */
  constructor(secret: Uint8Array) {
    const bodyBytes = userBytes + deviceBytes + issuedAtBytes
    this.#codec = new SignedTokenCodec('sdt_', bodyBytes, secret, 'signet device token v1')
  }

  /** @param device the same device again, or a new one */
  issue(userId: string, at: Date, device: Buffer = randomBytes(deviceBytes)): string {
    const issuedAt = Buffer.alloc(issuedAtBytes)
    issuedAt.writeUInt32BE(epochSeconds(at))
    return this.#codec.encode(Buffer.concat([uuidBytes(userId), device, issuedAt]))
  }

  /** @returns the device; undefined unless this server issued the token to this user, and lately */
  deviceOf(token: string, userId: string, now: Date): Buffer | undefined {
    const read = this.read(token, now)
    return read?.user.equals(uuidBytes(userId)) ? read.device : undefined
  }

  /** When the token was issued to this user; undefined where `deviceOf` is. */
  issuedAt(token: string, userId: string, now: Date): Date | undefined {
    const read = this.read(token, now)
    return read?.user.equals(uuidBytes(userId)) ? read.issuedAt : undefined
  }

  /** @returns undefined unless this server issued the token lately, to any user */
  read(token: string, now: Date): DeviceToken | undefined {
    const body = this.#codec.decode(token)
    if (!body) return undefined
    const issuedAt = body.readUInt32BE(userBytes + deviceBytes)
    if (epochSeconds(now) - issuedAt >= lifeSeconds) return undefined
    return {
      issuedAt: new Date(issuedAt * 1000),
      user: body.subarray(0, userBytes),
      device: Buffer.from(body.subarray(userBytes, userBytes + deviceBytes)),
    }
  }
}
