import { createHmac, hkdfSync, randomBytes, timingSafeEqual } from 'node:crypto'
import { epochSeconds } from '../clock.ts'

const prefix = 'sdt_'
const sizes = { user: 16, device: 16, issuedAt: 4, mac: 32 }
const bodySize = sizes.user + sizes.device + sizes.issuedAt
const lifeSeconds = 90 * 86_400

/**
 * A device that somebody signed in from keeps `sdt_` + base64url(user ‖ device ‖ issued at ‖
 * HMAC-SHA-256). It opens nothing: it only says that guesses from this device are counted apart from
 * the guesses of strangers. Nothing is stored.
 */
export class DeviceTokens {
  readonly #key: Buffer

  /** @param secret 256 bits that all instances share */
  constructor(secret: Uint8Array) {
    this.#key = Buffer.from(hkdfSync('sha256', secret, '', 'signet device token v1', 32))
  }

  /** @param device the same device again, or a new one */
  issue(userId: string, at: Date, device: Buffer = randomBytes(sizes.device)): string {
    const issuedAt = Buffer.alloc(sizes.issuedAt)
    issuedAt.writeUInt32BE(epochSeconds(at))
    const body = Buffer.concat([userBytes(userId), device, issuedAt])
    return prefix + Buffer.concat([body, this.#mac(body)]).toString('base64url')
  }

  /** @returns the device; undefined unless this server made the token, for this user, lately */
  deviceOf(token: string, userId: string, now: Date): Buffer | undefined {
    const read = this.read(token, now)
    return read?.user.equals(userBytes(userId)) ? read.device : undefined
  }

  /** @returns undefined unless this server made the token lately, for any user */
  read(token: string, now: Date): { readonly user: Buffer; readonly device: Buffer } | undefined {
    const bytes = Buffer.from(token.slice(prefix.length), 'base64url')
    if (bytes.length !== bodySize + sizes.mac) return undefined
    const body = bytes.subarray(0, bodySize)
    if (!timingSafeEqual(this.#mac(body), bytes.subarray(bodySize))) return undefined
    const issuedAt = body.readUInt32BE(sizes.user + sizes.device)
    if (epochSeconds(now) - issuedAt >= lifeSeconds) return undefined
    return {
      user: body.subarray(0, sizes.user),
      device: Buffer.from(body.subarray(sizes.user, sizes.user + sizes.device)),
    }
  }

  #mac(body: Buffer): Buffer {
    return createHmac('sha256', this.#key).update(body).digest()
  }
}

const userBytes = (userId: string): Buffer => Buffer.from(userId.replaceAll('-', ''), 'hex')
