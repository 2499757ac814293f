import { createPublicKey, type KeyObject } from 'node:crypto'
import type { JSONWebKeySet, JWK } from 'jose'
import { secondsBetween } from '../clock.ts'
import { hasTurn, isPublished, type SigningKey } from './signing-key.ts'

/** The longest that a verifier may cache the JWKS, in seconds. */
export const jwksMaxAgeSeconds = 300

export interface Signer {
  readonly kid: string
  readonly privateKey: KeyObject
}

/**
 * All signing keys as this instance last read them. An immutable value: a change makes a new one, so no
 * reader sees it half changed, and its answers depend on nothing but the given time.
 */
export class Keyring {
  readonly keys: readonly SigningKey[]
  readonly #privateKeys: ReadonlyMap<string, KeyObject>
  readonly #publicKeys: ReadonlyMap<string, KeyObject>

  constructor(keys: readonly SigningKey[], privateKeys: ReadonlyMap<string, KeyObject>) {
    this.keys = [...keys].sort((a, b) => a.generation - b.generation)
    this.#privateKeys = privateKeys
    this.#publicKeys = new Map(keys.map((key) => [key.kid, publicKey(key.publicJwk)]))
  }

  active(now: Date): SigningKey | undefined {
    return this.keys.find((key) => hasTurn(key, now) && this.#privateKeys.has(key.kid))
  }

  /** @throws Error if no key signs now, which the rotation prevents */
  signer(now: Date): Signer {
    const kid = this.active(now)?.kid
    const privateKey = kid === undefined ? undefined : this.#privateKeys.get(kid)
    if (!kid || !privateKey) throw new Error('there is no active signing key')
    return { kid, privateKey }
  }

  isRevoked(kid: string): boolean {
    return this.keys.some((key) => key.kid === kid && key.revokedAt !== null)
  }

  /** The key of a token of this server, while it is published. */
  verificationKey(kid: string, now: Date): KeyObject | undefined {
    const key = this.keys.find((candidate) => candidate.kid === kid)
    return key && isPublished(key, now) ? this.#publicKeys.get(kid) : undefined
  }

  /** A key that this server has had, published or not, unless it was revoked: for hints, which prove little. */
  formerKey(kid: string): KeyObject | undefined {
    return this.isRevoked(kid) ? undefined : this.#publicKeys.get(kid)
  }

  /** RFC 7517 §5: public halves only. */
  jwks(now: Date): JSONWebKeySet {
    return { keys: this.#published(now).map((key): JWK => key.publicJwk) }
  }

  /** When the published set changes next by the clock alone, if it does. */
  jwksChangesAt(now: Date): Date | undefined {
    const ends = this.keys
      .filter((key) => !key.revokedAt)
      .flatMap(({ publishedUntil }) => publishedUntil ?? [])
      .filter((at) => at > now)
    return ends.sort((a, b) => a.getTime() - b.getTime())[0]
  }

  #published(now: Date): SigningKey[] {
    return this.keys.filter((key) => isPublished(key, now))
  }
}

/** Seconds that a JWKS may be cached: until the published set changes, at most five minutes. */
export const maxAge = (now: Date, changesAt: Date | undefined): number =>
  changesAt
    ? Math.min(jwksMaxAgeSeconds, Math.ceil(secondsBetween(now, changesAt)))
    : jwksMaxAgeSeconds

const publicKey = (jwk: JWK): KeyObject => createPublicKey({ key: jwk as never, format: 'jwk' })
