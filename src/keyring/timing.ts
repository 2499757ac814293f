import { later } from '../clock.ts'
import { jwksMaxAgeSeconds } from './keyring.ts'
import type { SigningKey } from './signing-key.ts'

/** How far clocks of servers and verifiers may differ, in seconds. */
export const skewSeconds = 60

/** The longest that common verifiers cache a JWKS, whatever max-age says (jose, Spring, PyJWT: 5 to 10 minutes). */
const verifierCacheSeconds = 600

/** After so long every verifier has met a published key: no token may be signed by it earlier. */
export const propagationSeconds = jwksMaxAgeSeconds + verifierCacheSeconds + skewSeconds

/** An instance signs with no keyring that was read longer ago: it reads it again first. */
export const mostKeyringAgeSeconds = 4

/** After so long no instance signs with a revoked key; a second is for clocks that run apart. */
export const signsNoMoreSeconds = mostKeyringAgeSeconds + 1

export interface Timing {
  /** How long a key signs. */
  readonly rotationSeconds: number
  /** The longest life of an access token. */
  readonly accessTokenMaxSeconds: number
  /** How often instances reread the keys: so long an instance may still sign with the key before. */
  readonly rereadSeconds: number
}

/** How long after it stopped signing a key stays in the JWKS: its last token has expired everywhere. */
export const afterlifeSeconds = (timing: Timing): number =>
  timing.accessTokenMaxSeconds + skewSeconds + tellingSeconds(timing)

/** After so long every instance has reread the table. */
export const tellingSeconds = (timing: Timing): number => 2 * timing.rereadSeconds

export const publishedUntil = (signsUntil: Date, timing: Timing): Date =>
  later(signsUntil, afterlifeSeconds(timing))

/** The earliest time at which every verifier knows a key and every instance knows of the plan. */
export const earliestPromotion = (key: SigningKey, now: Date, timing: Timing): Date => {
  const known = later(key.publishedAt, propagationSeconds)
  const told = later(now, tellingSeconds(timing))
  return known > told ? known : told
}

/** When the successor of a key that signs from `signsFrom` takes over, if it is published now. */
export const nextTurn = (signsFrom: Date, now: Date, timing: Timing): Date => {
  const due = later(signsFrom, timing.rotationSeconds)
  const known = later(now, propagationSeconds)
  return due > known ? due : known
}
