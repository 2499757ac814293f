import { later, secondsBetween } from '../clock.ts'
import { OperatorError } from '../errors.ts'
import type { SigningKey } from './signing-key.ts'
import { earliestPromotion, propagationSeconds, publishedUntil, type Timing } from './timing.ts'

/** A change of the keys that cannot be made; the message says why and what to do. */
export class RotationError extends OperatorError {
  override readonly name = 'RotationError'
}

/** A rotation: its keys and its times. */
export interface RotationPlan {
  readonly from: string
  readonly to: string
  readonly signsFrom: Date
  /** When the previous key leaves the JWKS. */
  readonly leavesAt: Date
  /** For so many seconds some verifiers may not have fetched the successor: the rotation is too soon. */
  readonly tooSoonFor: number
}

/**
 * Moves the start of the successor forward, never back: to now in an emergency, otherwise to when every
 * verifier knows the key and every instance knows the plan.
 */
export function planRotation(
  [active, successor]: readonly SigningKey[],
  options: { emergency: boolean; now: Date; timing: Timing },
): RotationPlan {
  const { emergency, now, timing } = options
  if (!active || !successor) {
    throw new RotationError(
      'There is no published successor yet: a running server makes one within seconds.',
    )
  }
  const earliest = emergency ? now : earliestPromotion(successor, now, timing)
  const signsFrom = earliest < successor.signsFrom ? earliest : successor.signsFrom
  return {
    from: active.kid,
    to: successor.kid,
    signsFrom,
    leavesAt: publishedUntil(signsFrom, timing),
    tooSoonFor: unknownFor(successor, signsFrom),
  }
}

/** Seconds from `at` for which verifiers that cache the JWKS may not know a key. */
export const unknownFor = (key: SigningKey, at: Date): number =>
  Math.max(0, Math.ceil(secondsBetween(at, later(key.publishedAt, propagationSeconds))))

export const tooSoon = ({ to, tooSoonFor }: RotationPlan): RotationError =>
  new RotationError(
    `The successor ${to} was published too recently: verifiers may not know it for another ` +
      `${tooSoonFor} s and would refuse its tokens. Without --now it takes over as soon as they do; ` +
      'with --yes it takes over all the same.',
  )

export const aboutToSign = ({ kid, signsFrom }: SigningKey, now: Date): RotationError => {
  const seconds = Math.max(0, Math.ceil(secondsBetween(now, signsFrom)))
  return new RotationError(
    `The successor ${kid} takes over in ${seconds} s, too soon to be withdrawn. Try again after that.`,
  )
}
