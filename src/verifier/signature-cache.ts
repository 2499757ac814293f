import { hash, type KeyObject } from 'node:crypto'
import type { AccessTokenClaims } from './access-token.ts'

/** A token whose signature and claims are valid; whatever can change is checked at each use. */
export interface VerifiedToken {
  readonly claims: AccessTokenClaims
  readonly kid: string
  readonly key: KeyObject
  /** Digests of everything that revokes it. */
  readonly marks: readonly Uint32Array[]
}

/**
 * The most recently used tokens by their SHA-256, so that no token is kept in memory and comparison times
 * reveal none. Bounded, and only for valid tokens, so that attackers cannot fill it.
 */
export class SignatureCache {
  readonly #limit: number
  readonly #tokens = new Map<string, VerifiedToken>()

  constructor(limit: number) {
    this.#limit = limit
  }

  get size(): number {
    return this.#tokens.size
  }

  /** Undefined when the cache is disabled, to save the digest. */
  digestOf(token: string): string | undefined {
    return this.#limit > 0 ? hash('sha256', token, 'base64') : undefined
  }

  get(digest: string): VerifiedToken | undefined {
    const found = this.#tokens.get(digest)
    if (found) {
      // A Map keeps insertion order, so the first entry is the least recently used one.
      this.#tokens.delete(digest)
      this.#tokens.set(digest, found)
    }
    return found
  }

  add(digest: string, token: VerifiedToken): void {
    this.#tokens.set(digest, token)
    if (this.#tokens.size <= this.#limit) return
    const [oldest] = this.#tokens.keys()
    this.#tokens.delete(oldest as string)
  }

  delete(digest: string): void {
    this.#tokens.delete(digest)
  }
}
