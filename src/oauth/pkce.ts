import { hash } from 'node:crypto'

/** A SHA-256 in base64url: RFC 7636 §4.2. `plain` is not offered (RFC 9700 §2.1.1). */
export const isCodeChallenge = (text: string): boolean => /^[\w-]{43}$/.test(text)

/** RFC 7636 §4.1. */
const codeVerifier = /^[\w.~-]{43,128}$/

/**
 * The challenge of a verifier: RFC 7636 §4.6. It is compared with that of the request, also if one of the
 * two is absent, so that nobody can strip the challenge from a request (RFC 9700 §4.8.2).
 */
export function challengeOf(verifier: string | undefined): string | undefined {
  if (verifier === undefined) return undefined
  return codeVerifier.test(verifier) ? hash('sha256', verifier, 'base64url') : 'malformed'
}
