import { createPublicKey, type KeyObject } from 'node:crypto'
import { jsonObject } from './compact-jws.ts'
import type { Answer } from './issuer-connection.ts'

export interface PublishedKey {
  readonly key: KeyObject
  /** Equal for equal keys, like a thumbprint of RFC 7638. */
  readonly identity: string
}

const maxKeys = 100
const minModulusBits = 2048
const maxModulusBits = 8192

/**
 * Reads the keys of a JWKS (RFC 7517 §5) that may sign access tokens, and skips others.
 * @param known keys that are reused when they are unchanged
 * @throws Error for a malformed set, or one in which a `kid` is ambiguous
 */
export function readJwks(
  body: Uint8Array,
  known: ReadonlyMap<string, PublishedKey>,
): ReadonlyMap<string, PublishedKey> {
  const list = jsonObject(body)?.keys
  if (!Array.isArray(list)) throw new Error('the JWKS is not an object with keys')
  if (list.length > maxKeys) throw new Error(`the JWKS has more than ${maxKeys} keys`)
  const keys = new Map<string, PublishedKey>()
  for (const jwk of list.filter(isVerificationKey)) {
    if (keys.has(jwk.kid)) throw new Error('the JWKS has two keys with the same kid')
    const identity = `${jwk.n}.${jwk.e}`
    const same = known.get(jwk.kid)
    keys.set(
      jwk.kid,
      same?.identity === identity ? same : { identity, key: publicKey(jwk.n, jwk.e) },
    )
  }
  return keys
}

interface VerificationJwk {
  readonly kid: string
  readonly n: string
  readonly e: string
}

function isVerificationKey(jwk: unknown): jwk is VerificationJwk {
  if (typeof jwk !== 'object' || jwk === null) return false
  const { kty, kid, use, alg, key_ops, n, e } = jwk as Record<string, unknown>
  return (
    kty === 'RSA' &&
    typeof kid === 'string' &&
    kid !== '' &&
    (use === undefined || use === 'sig') &&
    (alg === undefined || alg === 'RS256') &&
    (key_ops === undefined || (Array.isArray(key_ops) && key_ops.includes('verify'))) &&
    typeof n === 'string' &&
    typeof e === 'string'
  )
}

/** Imports the public members and ignores all others. RFC 7518 §3.3 requires 2048 bits or more. */
function publicKey(n: string, e: string): KeyObject {
  const key = createPublicKey({ key: { kty: 'RSA', n, e }, format: 'jwk' })
  const bits = key.asymmetricKeyDetails?.modulusLength ?? 0
  if (bits < minModulusBits || bits > maxModulusBits) {
    throw new Error(`the JWKS has a key of ${bits} bits`)
  }
  return key
}

/** Lower bound, because the issuer's max-age counts down to its next change and may reach 0. */
const minAgeSeconds = 5

/** How long a response is fresh (RFC 9111 §4.2.1, §5.1), within bounds. */
export function freshSeconds(headers: Answer['headers'], maxSeconds: number): number {
  const control = headers.get('cache-control') ?? ''
  const maxAge = /(?:^|[\s,])max-age="?(\d{1,9})/i.exec(control)?.[1]
  const lifetime = /no-(store|cache)/i.test(control) ? 0 : Number(maxAge ?? maxSeconds)
  const age = Number(/^\d{1,9}$/.exec(headers.get('age') ?? '')?.[0] ?? 0)
  return Math.min(maxSeconds, Math.max(minAgeSeconds, lifetime - age))
}
