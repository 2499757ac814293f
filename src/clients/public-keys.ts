import { createPublicKey, type JsonWebKey } from 'node:crypto'
import { z } from 'zod'
import { assertionAlgorithms } from './client-assertions.ts'

const leastBits = 2048

/** A key that could verify no assertion is refused now, and not when its client stands at the door. */
const publicJwk = z
  .looseObject({ kty: z.enum(['RSA', 'EC', 'OKP']), kid: z.string().min(1).max(256).optional() })
  .superRefine((jwk, context) => {
    const mistake = mistakeOf(jwk)
    if (mistake) context.addIssue({ code: 'custom', message: mistake })
  })

/** The JWKS of a client with `private_key_jwt`. */
export const publicKeys = z
  .object({ keys: z.array(publicJwk).min(1).max(10) })
  .refine(({ keys }) => {
    const kids = new Set(keys.flatMap(({ kid }) => kid ?? []))
    return keys.length === 1 || kids.size === keys.length
  }, 'has several keys: give each a kid of its own')

function mistakeOf(jwk: JsonWebKey & { use?: unknown; alg?: unknown }): string | undefined {
  // A private member in a registered key would be a secret in a place that keeps none.
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
    return 'is no public key'
  }
}

function algorithmsOf({ kty, crv }: JsonWebKey): readonly string[] {
  if (kty === 'RSA') return ['RS256', 'PS256']
  if (kty === 'EC' && crv === 'P-256') return ['ES256']
  return kty === 'OKP' && crv === 'Ed25519' ? ['EdDSA'] : []
}
