import { hash } from 'node:crypto'
import type { VerifiedAccessToken } from './access-tokens.ts'

const mostRemembered = 2000

/**
 * Tokens whose signature was checked lately, by digest: whoever introspects asks for the same ones
 * again and again. A memory of signatures and of nothing else: whether a token has expired, its key
 * been taken back or it been revoked is asked anew each time.
 */
export class SignatureCache {
  readonly #byDigest = new Map<string, VerifiedAccessToken>()

  /** What a token said, if it is remembered: only for a token that is spelled letter for letter alike. */
  recall(token: string): VerifiedAccessToken | undefined {
    const digest = digestOf(token)
    const verified = this.#byDigest.get(digest)
    if (verified) this.#keep(digest, verified)
    return verified
  }

  remember(token: string, verified: VerifiedAccessToken): void {
    this.#keep(digestOf(token), verified)
    if (this.#byDigest.size <= mostRemembered) return
    for (const oldest of this.#byDigest.keys()) {
      this.#byDigest.delete(oldest)
      return
    }
  }

  /** As the newest. */
  #keep(digest: string, verified: VerifiedAccessToken): void {
    this.#byDigest.delete(digest)
    this.#byDigest.set(digest, verified)
  }
}

const digestOf = (token: string): string => hash('sha256', token, 'base64')
