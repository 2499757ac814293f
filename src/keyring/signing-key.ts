import type { JWK } from 'jose'

/** The public part of a signing key and its times. Its state follows from them and the clock. */
export interface SigningKey {
  /** RFC 7638 thumbprint. */
  readonly kid: string
  readonly generation: number
  readonly publicJwk: JWK
  readonly publishedAt: Date
  readonly signsFrom: Date
  /** null until a successor is planned. */
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
 * A key is published from the moment it is written, whatever its times: an instance whose clock is
 * behind that of the writer publishes it too.
 */
export const isPublished = (key: SigningKey, now: Date): boolean =>
  ['upcoming', 'active', 'retiring'].includes(keyState(key, now))

/**
 * True if a key signs or will sign. In order of generation the first such key signs and the second
 * is published to follow it. With correct clocks this says the same as `signsFrom`; with one that is
 * behind, or was set back, there is still exactly one key that signs.
 */
export const hasTurn = (key: SigningKey, now: Date): boolean =>
  !key.revokedAt && (key.signsUntil === null || key.signsUntil > now)
