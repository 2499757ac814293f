import { later } from '../clock.ts'
import { jwksMaxAgeSeconds } from './keyring.ts'
import type { SigningKey } from './signing-key.ts'

/** How far clocks of servers and verifiers may differ, in seconds. */
export const skewSeconds = 60

/** The longest time that common verifiers cache a JWKS, whatever max-age says (jose, Spring, PyJWT: 5 to 10 minutes). */
const verifierCacheSeconds = 600

/** After so long every verifier has fetched a published key; it must sign no token earlier. */
export const propagationSeconds = jwksMaxAgeSeconds + verifierCacheSeconds + skewSeconds

/** With an older keyring an instance signs no token: it reads the keys again first. */
export const mostKeyringAgeSeconds = 4

/** After so long no instance signs with a revoked key; one second allows for clocks that differ. */
export const signsNoMoreSeconds = mostKeyringAgeSeconds + 1

export interface Timing {
  /** How long a key signs. */
  readonly rotationSeconds: number
  /** The longest lifetime of an access token. */
  readonly accessTokenMaxSeconds: number
  /** How often instances reread the keys, and how long one may go on signing with the previous key. */
  readonly rereadSeconds: number
}

/** How long a key stays in the JWKS after it stopped signing, until its last token has expired everywhere. */
export const afterlifeSeconds = (timing: Timing): number =>
  timing.accessTokenMaxSeconds + skewSeconds + fullRereadSeconds(timing)

/** After so long every instance has reread the table. */
export const fullRereadSeconds = (timing: Timing): number => 2 * timing.rereadSeconds

export const publishedUntil = (signsUntil: Date, timing: Timing): Date =>
  later(signsUntil, afterlifeSeconds(timing))

/** The earliest time at which every verifier knows a key and every instance knows of the plan. */
export const earliestPromotion = (key: SigningKey, now: Date, timing: Timing): Date => {
  const known = later(key.publishedAt, propagationSeconds)
  const planned = later(now, fullRereadSeconds(timing))
  return known > planned ? known : planned
}

/** When the successor of a key that signs from `signsFrom` takes over, if it is published now. */
export const nextTurn = (signsFrom: Date, now: Date, timing: Timing): Date => {
  const due = later(signsFrom, timing.rotationSeconds)
  const known = later(now, propagationSeconds)
  return due > known ? due : known
}
