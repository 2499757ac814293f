import { createHash } from 'node:crypto'
import type { Revocation } from './revocation-log.ts'

/** Bytes of a digest: 128 bits, of which nobody finds a second preimage. */
export const digestBytes = 16

/**
 * What the feed says of an entry. The list is public, so it has digests: who holds a token finds it
 * in there, and nobody learns an identifier from it.
 */
export const revocationDigest = ({ kind, value }: Pick<Revocation, 'kind' | 'value'>): Buffer =>
  createHash('sha256').update(`${kind}:${value}`).digest().subarray(0, digestBytes)
