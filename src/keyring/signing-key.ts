import { generateKeyPair, type KeyObject } from 'node:crypto'
import { promisify } from 'node:util'
import { calculateJwkThumbprint, type JWK } from 'jose'

/** What is public of a signing key, and its times. Its state follows from them and the clock. */
export interface SigningKey {
  /** RFC 7638 thumbprint. */
  readonly kid: string
  readonly generation: number
  readonly publicJwk: JWK
  readonly publishedAt: Date
  readonly signsFrom: Date
  /** null: until a successor is planned. */
  readonly signsUntil: Date | null
  readonly publishedUntil: Date | null
  readonly revokedAt: Date | null
}

export type KeyState = 'upcoming' | 'active' | 'retiring' | 'retired' | 'revoked'

export function keyState(key: SigningKey, now: Date): KeyState {
  if (key.revokedAt) return 'revoked'
  if (key.publishedUntil && key.publishedUntil <= now) return 'retired'
  if (key.signsUntil && key.signsUntil <= now) return 'retiring'
  return key.signsFrom <= now ? 'active' : 'upcoming'
}

/**
 * From the moment that it is written: an instance whose clock is behind that of the one which wrote
 * the key publishes it too.
 */
export const isPublished = (key: SigningKey, now: Date): boolean =>
  ['upcoming', 'active', 'retiring'].includes(keyState(key, now))

/**
 * Has not stopped signing. By generation, the first key that has a turn signs and the second is
 * published to follow it. Where every clock is right, that says the same as `signsFrom`; where one is
 * behind, or was set back, there is still exactly one key that signs.
 */
export const hasTurn = (key: SigningKey, now: Date): boolean =>
  !key.revokedAt && (key.signsUntil === null || key.signsUntil > now)

/** A fresh or imported key before it has a place in the chain. */
export interface KeyMaterial {
  readonly kid: string
  readonly publicJwk: JWK
  readonly privateKey: KeyObject
}

export async function generateKey(bits: number): Promise<KeyMaterial> {
  const { privateKey } = await promisify(generateKeyPair)('rsa', { modulusLength: bits })
  const material = await describeKey(privateKey)
  // One in 64 thumbprints starts like an option: `keys revoke` must not trip over it at night.
  return material.kid.startsWith('-') ? generateKey(bits) : material
}

export async function describeKey(privateKey: KeyObject): Promise<KeyMaterial> {
  const { kty, n, e } = privateKey.export({ format: 'jwk' }) as {
    kty: string
    n: string
    e: string
  }
  const kid = await calculateJwkThumbprint({ kty, n, e })
  return { kid, publicJwk: { kty, n, e, alg: 'RS256', use: 'sig', kid }, privateKey }
}
