import { errors } from 'jose'

/** The checks of a JWT of this server by itself, in the order in which the server does them. */
export const jwtChecks = [
  'form',
  'header',
  'algorithm',
  'key',
  'signature',
  'type',
  'issuer',
  'time',
  'claims',
] as const

export type JwtCheck = (typeof jwtChecks)[number]

/** The first check that a token fails. The reason has nothing of the token in it, so it may be logged. */
export interface TokenFault {
  readonly check: JwtCheck
  readonly reason: string
}

/** A token, or the first check that it fails. */
export type Examined<Verified> =
  | { readonly verified: Verified; readonly fault?: undefined }
  | { readonly verified?: undefined; readonly fault: TokenFault }

export const faulty = (check: JwtCheck, reason: string): { readonly fault: TokenFault } => ({
  fault: { check, reason },
})

/** For the log: the check before its reason. */
export const faultText = ({ check, reason }: TokenFault): string => `${check}: ${reason}`

/** Thrown where jose looks up the key, so that it verifies nothing: the issuer writes no such header. */
export class ForeignHeaderError extends errors.JOSEError {
  override readonly name = 'ForeignHeaderError'
}

/**
 * The check that a failure of jose stands for.
 * @throws the error itself if it is none of jose
 */
export function faultOf(error: unknown): TokenFault {
  if (!(error instanceof errors.JOSEError)) throw error
  if (error instanceof errors.JWTExpired) return { check: 'time', reason: 'exp has passed' }
  if (error instanceof errors.JWTClaimValidationFailed) return claimFault(error)
  if (error instanceof errors.JOSEAlgNotAllowed) {
    return { check: 'algorithm', reason: 'alg is not RS256' }
  }
  if (error instanceof errors.JWKSNoMatchingKey) {
    return { check: 'key', reason: 'no published key has this kid' }
  }
  if (error instanceof errors.JWSSignatureVerificationFailed) {
    return { check: 'signature', reason: 'the signature is not of this key' }
  }
  if (error instanceof errors.JWTInvalid) {
    return { check: 'claims', reason: 'the claims are not a JSON object' }
  }
  if (error instanceof ForeignHeaderError) {
    return { check: 'header', reason: 'the header has members other than alg, typ and kid' }
  }
  // A missing `alg` is reported like a header that cannot be read.
  return /"alg"/.test(error.message)
    ? { check: 'algorithm', reason: 'the header has no alg' }
    : { check: 'header', reason: 'the header is not one that this server writes' }
}

function claimFault({ claim, reason }: errors.JWTClaimValidationFailed): TokenFault {
  if (claim === 'typ') return { check: 'type', reason: 'typ is another one' }
  if (claim === 'iss') {
    return { check: 'issuer', reason: reason === 'missing' ? 'iss is missing' : 'iss differs' }
  }
  if (claim === 'nbf' && reason === 'check_failed') {
    return { check: 'time', reason: 'nbf is in the future' }
  }
  return { check: 'claims', reason: `${claim} has the wrong type` }
}
