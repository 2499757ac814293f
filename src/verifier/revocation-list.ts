import type { KeyObject } from 'node:crypto'
import { assertSignature, jsonObject, readJws } from './compact-jws.ts'

/** One part of a full list, which is divided by the first bits of the digests into a power of two. */
export interface Part {
  readonly part: number
  readonly of: number
}

/** A verified response of the feed. */
export interface RevocationList {
  /** The `kid` of the key that signed it. */
  readonly kid: string
  /** When the issuer last read its log, in seconds since the epoch. */
  readonly iat: number
  /** The cursor from which the next delta starts. */
  readonly seq: string
  /** The cursor from which this delta starts. Absent: the list is full, whatever was requested. */
  readonly since?: string
  /** Absent: the list is not a part. */
  readonly part?: Part
  /** Digests by their expiry time in seconds since the epoch. */
  readonly groups: readonly (readonly [expiresAt: number, digests: Buffer])[]
}

interface Dependencies {
  readonly issuer: string
  readonly maxListBytes: number
  readonly findKey: (kid: string) => Promise<KeyObject>
  readonly nowSeconds: () => number
}

export const digestBytes = 16
const maxAheadSeconds = 60
const sequence = /^[\w.-]{1,64}$/

/**
 * Reads a list completely or not at all, after checking its signature, type, issuer and form. `typ` keeps
 * access tokens and lists apart (RFC 8725 §3.12).
 * @throws Error
 */
export async function readRevocationList(
  text: string,
  deps: Dependencies,
): Promise<RevocationList> {
  const jws = readJws(text, ['revocations+jwt', partType], deps.maxListBytes)
  await assertSignature(jws, await deps.findKey(jws.kid))
  const claims = jsonObject(jws.payload)
  if (!claims) throw new Error('the list is not a JSON object')
  const { iss, iat, seq, since, revoked } = claims
  if (iss !== deps.issuer) throw new Error('the list is from another issuer')
  if (!Number.isSafeInteger(iat) || (iat as number) < 0) throw new Error('iat is not a time')
  // Otherwise one list from a wrong clock would count as fresh for ever.
  if ((iat as number) > deps.nowSeconds() + maxAheadSeconds) throw new Error('iat is in the future')
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

/** A separate type, so that a reader that does not know parts cannot mistake one for a full list. */
const partType = 'revocations-part+jwt'
const mostParts = 65_536

function readPart({ part, of, since }: Readonly<Record<string, unknown>>): Part {
  const areNumbers = Number.isSafeInteger(part) && Number.isSafeInteger(of)
  const [at, parts] = [part as number, of as number]
  if (!areNumbers || at < 0 || at >= parts || parts > mostParts || since !== undefined) {
    throw new Error('part and of are not valid')
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
    // Stored in 32 bits, which last until 2106.
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
