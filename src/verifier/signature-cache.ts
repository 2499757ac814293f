import { hash, type KeyObject } from 'node:crypto'
import type { AccessTokenClaims } from './claims.ts'

/** A token whose signature and claims were right; what can change is asked again each time. */
export interface VerifiedToken {
  readonly claims: AccessTokenClaims
  readonly kid: string
  readonly key: KeyObject
  /** What would revoke it. */
  readonly marks: readonly Uint32Array[]
}

/**
 * The tokens that were seen last, by their SHA-256: no token lies in memory, and which of them are
 * known does not show in the time that a comparison takes. Bounded; good tokens only, so that nobody
 * fills it with what they make up.
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

  /** Undefined when none are remembered, so that nobody pays for a digest then. */
  digestOf(token: string): string | undefined {
    return this.#limit > 0 ? hash('sha256', token, 'base64') : undefined
  }

  get(digest: string): VerifiedToken | undefined {
    const found = this.#tokens.get(digest)
    if (found) {
      // A Map keeps the order of insertion: the first is the one that was not used for longest.
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
