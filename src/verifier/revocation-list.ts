import type { KeyObject } from 'node:crypto'
import { assertSignature, readJws } from './compact-jws.ts'
import { jsonObject } from './json.ts'

/** Of everything, divided by the first bits of the digests into a power of two. */
export interface Part {
  readonly part: number
  readonly of: number
}

/** One answer of the feed, verified. */
export interface RevocationList {
  /** The key that signed it. */
  readonly kid: string
  /** When the issuer last read its log, in seconds: how fresh the list is. */
  readonly iat: number
  /** Where the issuer goes on from. */
  readonly seq: string
  /** Absent: the list is full, whatever was asked for. */
  readonly since?: string
  /** Absent: it is no part. */
  readonly part?: Part
  /** Digests by the time, in seconds, at which they are forgotten. */
  readonly groups: readonly (readonly [expiresAt: number, digests: Buffer])[]
}

export interface ListServices {
  readonly issuer: string
  readonly maxListBytes: number
  readonly findKey: (kid: string) => Promise<KeyObject>
  readonly nowSeconds: () => number
}

export const digestBytes = 16
const maxAheadSeconds = 60
const sequence = /^[\w.-]{1,64}$/

/**
 * Nothing is taken from a list whose signature, type, issuer or form is not right: all of it or none. An
 * access token is no list and a list is no access token, since `typ` is pinned at both: RFC 8725 §3.12.
 */
export async function readRevocationList(
  text: string,
  services: ListServices,
): Promise<RevocationList> {
  const jws = readJws(text, ['revocations+jwt', partType], services.maxListBytes)
  await assertSignature(jws, await services.findKey(jws.kid))
  const claims = jsonObject(jws.payload)
  if (!claims) throw new Error('the list is not a JSON object')
  const { iss, iat, seq, since, revoked } = claims
  if (iss !== services.issuer) throw new Error('the list is that of another issuer')
  if (!Number.isSafeInteger(iat) || (iat as number) < 0) throw new Error('iat is not a time')
  // Else one list from a clock that is wrong would count as fresh for ever.
  if ((iat as number) > services.nowSeconds() + maxAheadSeconds) throw new Error('iat lies ahead')
  if (!isSequence(seq)) throw new Error('seq is not a sequence')
  if (since !== undefined && !isSequence(since)) throw new Error('since is not a sequence')
  const part = jws.typ === partType ? readPart(claims) : undefined
  const groups = readGroups(revoked)
  return {
    kid: jws.kid,
    iat: iat as number,
    seq,
    groups,
    ...(since !== undefined && { since }),
    ...(part && { part }),
  }
}

/** A type of its own: a reader that knows of no parts must not take one for everything. */
const partType = 'revocations-part+jwt'
const mostParts = 65_536

function readPart({ part, of, since }: Readonly<Record<string, unknown>>): Part {
  const areNumbers = Number.isSafeInteger(part) && Number.isSafeInteger(of)
  const [at, parts] = [part as number, of as number]
  if (!areNumbers || at < 0 || at >= parts || parts > mostParts || since !== undefined) {
    throw new Error('part and of do not say which part it is')
  }
  return { part: at, of: parts }
}

const isSequence = (value: unknown): value is string =>
  typeof value === 'string' && sequence.test(value)

function readGroups(revoked: unknown): [number, Buffer][] {
  if (typeof revoked !== 'object' || revoked === null || Array.isArray(revoked)) {
    throw new Error('revoked is not an object')
  }
  return Object.entries(revoked).map(([expiry, text]) => {
    // Seconds in 32 bits, as they are held: until the year 2106.
    if (!/^[1-9]\d{0,9}$/.test(expiry) || Number(expiry) > 0xffffffff) {
      throw new Error('revoked has a group without an expiry')
    }
    if (typeof text !== 'string' || !/^[\w-]*$/.test(text)) {
      throw new Error('revoked has a group that is not base64url')
    }
    const digests = Buffer.from(text, 'base64url')
    if (digests.length % digestBytes !== 0) throw new Error('revoked has part of a digest')
    return [Number(expiry), digests]
  })
}
