import { createPublicKey, type JsonWebKey } from 'node:crypto'
import type { JSONWebKeySet, JWK } from 'jose'
import { z } from 'zod'

/** The algorithms that a client may sign its assertions with; announced in the metadata. */
export const assertionAlgorithms = ['RS256', 'PS256', 'ES256', 'EdDSA']

const leastBits = 2048

/** A key that could verify no assertion is refused at registration, not at the first request. */
const publicJwk = z
  .looseObject({ kty: z.enum(['RSA', 'EC', 'OKP']), kid: z.string().min(1).max(256).optional() })
  .superRefine((jwk, context) => {
    const problem = problemOf(jwk)
    if (problem) context.addIssue({ code: 'custom', message: problem })
  })

/** The JWKS of a client with `private_key_jwt`. */
export const publicKeys: z.ZodType<JSONWebKeySet, { keys: object[] }> = z
  .object({ keys: z.array(publicJwk).min(1).max(10) as z.ZodType<JWK[], object[]> })
  .refine(({ keys }) => {
    const kids = new Set(keys.flatMap(({ kid }) => kid ?? []))
    return keys.length === 1 || kids.size === keys.length
  }, 'has several keys: give each a kid of its own')

function problemOf(jwk: JsonWebKey & { use?: unknown; alg?: unknown }): string | undefined {
  // The table of clients holds no secrets.
  if ('d' in jwk) return 'holds a private key: register the public half only'
  if (jwk.use !== undefined && jwk.use !== 'sig') return 'is not for signatures'
  const algorithms = algorithmsOf(jwk)
  const fits = jwk.alg === undefined || algorithms.includes(String(jwk.alg))
  if (algorithms.length === 0 || !fits) return `must fit one of ${assertionAlgorithms.join(', ')}`
  try {
    const { modulusLength = leastBits } =
      createPublicKey({ key: jwk, format: 'jwk' }).asymmetricKeyDetails ?? {}
    return modulusLength < leastBits ? `has less than ${leastBits} bits` : undefined
  } catch {
    return 'is not a public key'
  }
}

function algorithmsOf({ kty, crv }: JsonWebKey): readonly string[] {
  if (kty === 'RSA') return ['RS256', 'PS256']
  if (kty === 'EC' && crv === 'P-256') return ['ES256']
  return kty === 'OKP' && crv === 'Ed25519' ? ['EdDSA'] : []
}
