import { createPublicKey, type KeyObject } from 'node:crypto'
import type { Answer } from './issuer-connection.ts'
import { jsonObject } from './json.ts'

export interface PublishedKey {
  readonly key: KeyObject
  /** Of RFC 7638, in other words: equal for equal keys. */
  readonly identity: string
}

const maxKeys = 100
const minModulusBits = 2048
const maxModulusBits = 8192

/**
 * The keys of a JWKS (RFC 7517 §5) that may sign tokens of ours. Others are passed over; a set in which
 * a `kid` names two keys is refused, since nobody could say which of them it is.
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
    if (keys.has(jwk.kid)) throw new Error('the JWKS has two keys of one kid')
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

/** Only the public members: whatever else stands beside them is not looked at. RFC 7518 §3.3: 2048 bits or more. */
function publicKey(n: string, e: string): KeyObject {
  const key = createPublicKey({ key: { kty: 'RSA', n, e }, format: 'jwk' })
  const bits = key.asymmetricKeyDetails?.modulusLength ?? 0
  if (bits < minModulusBits || bits > maxModulusBits) {
    throw new Error(`the JWKS has a key of ${bits} bits`)
  }
  return key
}

/** Fewer than these could be asked for by the second; the issuer counts down to its next change. */
const minAgeSeconds = 5

/** RFC 9111 §4.2.1, §5.1: how long the answer is fresh, within bounds. */
export function freshSeconds(headers: Answer['headers'], maxSeconds: number): number {
  const control = headers.get('cache-control') ?? ''
  const maxAge = /(?:^|[\s,])max-age="?(\d{1,9})/i.exec(control)?.[1]
  const wanted = /no-(store|cache)/i.test(control) ? 0 : Number(maxAge ?? maxSeconds)
  const age = Number(/^\d{1,9}$/.exec(headers.get('age') ?? '')?.[0] ?? 0)
  return Math.min(maxSeconds, Math.max(minAgeSeconds, wanted - age))
}
