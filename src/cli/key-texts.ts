import { later, secondsBetween } from '../clock.ts'
import type { KeyRevocation } from '../keyring/rotation.ts'
import { type RotationPlan, unknownFor } from '../keyring/rotation-plan.ts'
import { type KeyState, keyState, type SigningKey } from '../keyring/signing-key.ts'
import { fullRereadSeconds, propagationSeconds, type Timing } from '../keyring/timing.ts'
import { moment, table } from './output.ts'

/** One key in the output of `keys list`. */
interface KeyRecord extends Omit<SigningKey, 'publicJwk' | 'generation'> {
  readonly state: KeyState
  readonly next: string
}

export function keyRecord(key: SigningKey, now: Date): KeyRecord {
  const { kid, publishedAt, signsFrom, signsUntil, publishedUntil, revokedAt } = key
  const state = keyState(key, now)
  const next: Record<KeyState, string> = {
    upcoming: `signs ${distance(signsFrom, now)}`,
    active: signsUntil
      ? `stops signing ${distance(signsUntil, now)}`
      : 'signs until a successor is published',
    retiring: publishedUntil ? `leaves the JWKS ${distance(publishedUntil, now)}` : '-',
    retired:
      signsFrom < (signsUntil ?? now)
        ? 'nothing: all its tokens have expired'
        : 'nothing: it never signed',
    revoked: 'nothing: all its tokens are rejected',
  }
  return {
    kid,
    state,
    publishedAt,
    signsFrom,
    signsUntil,
    publishedUntil,
    revokedAt,
    next: next[state],
  }
}

/** The times between which a key is in its state. */
const span = (key: KeyRecord): [Date | null, Date | null] =>
  ({
    upcoming: [key.publishedAt, key.signsFrom] as [Date, Date],
    active: [key.signsFrom, key.signsUntil] as [Date, Date | null],
    retiring: [key.signsUntil, key.publishedUntil] as [Date | null, Date | null],
    retired: [key.publishedUntil, null] as [Date | null, null],
    revoked: [key.revokedAt, null] as [Date | null, null],
  })[key.state]

export function keyList(keys: readonly KeyRecord[], now: Date): string {
  if (keys.length === 0) return 'There are no keys yet: the server creates two at its first start.'
  const rows = keys.map((key) => [key.kid, key.state, ...span(key).map(moment), key.next])
  const successor = keys.find(({ state }) => state === 'upcoming')
  return [
    table(['kid', 'state', 'since', 'until', 'next'], rows),
    '',
    successor
      ? emergencyNote(successor, now)
      : 'No successor is published: a running server creates one within seconds.',
  ].join('\n')
}

/** True if `rotate --now` is safe at the moment. */
function emergencyNote({ kid, publishedAt }: KeyRecord, now: Date): string {
  const left = secondsBetween(now, later(publishedAt, propagationSeconds))
  return left > 0
    ? `In an emergency: ${kid} is too new to take over immediately, for another ${duration(left)}.`
    : `In an emergency: signet keys rotate --now is safe, because every verifier knows ${kid}.`
}

export function timeline(
  plan: RotationPlan,
  how: { dryRun: boolean; emergency: boolean; acceptTooSoon: boolean; timing: Timing; now: Date },
): string {
  const when = (at: Date) => `${moment(at)}  ${distance(at, how.now)}`
  const rows = [
    [when(plan.signsFrom), `${plan.to} signs, ${plan.from} stops`],
    [when(plan.leavesAt), `${plan.from} leaves the JWKS, when its last token has expired`],
  ]
  const notes = how.dryRun
    ? ['Nothing was changed (--dry-run).']
    : [
        `Every instance follows within ${duration(fullRereadSeconds(how.timing))}; nothing else needs to be done.`,
      ]
  if (how.emergency) {
    notes.push(
      `Tokens of ${plan.from} stay valid until they expire. If the key has leaked, revoke it: signet keys revoke ${plan.from} --yes`,
    )
  }
  if (plan.tooSoonFor > 0) {
    notes.push(
      `Warning: verifiers that cache the JWKS may not know ${plan.to} for another ${duration(plan.tooSoonFor)} and reject its tokens.`,
    )
    if (how.dryRun && !how.acceptTooSoon)
      notes.push('Without --yes this rotation would be refused.')
  }
  return [table(['when', 'what'], rows), '', ...notes].join('\n')
}

export function revocationWarning(key: SigningKey, now: Date): string {
  const state = keyState(key, now)
  const unknown = unknownFor(key, now)
  return [
    `Revoking ${key.kid} (${state}) ends every token that it signed, immediately. To confirm, add --yes.`,
    ...(state === 'active' && unknown === 0
      ? [
          'To change keys without ending tokens: signet keys rotate, or immediately: signet keys rotate --now',
        ]
      : []),
  ].join('\n')
}

export function revocationText(
  { kid, signer, signerUnknownFor }: KeyRevocation,
  { rereadSeconds }: Timing,
): string {
  return [
    `${kid} is revoked: no instance signs with it, and introspection reports its tokens as inactive. ${signer} signs now.`,
    `Every instance stops publishing it within a second, or ${duration(rereadSeconds)} when PostgreSQL answers slowly.`,
    `Services that verify tokens themselves accept them until they reread the JWKS: up to ${duration(propagationSeconds)}.`,
    ...(signerUnknownFor > 0
      ? [
          `Warning: verifiers that cache the JWKS may not know ${signer} for another ${duration(signerUnknownFor)} and reject its tokens.`,
        ]
      : []),
  ].join('\n')
}

const units = [
  ['d', 86_400],
  ['h', 3600],
  ['min', 60],
] as const

/** The distance of a time, such as `in 29 d`, `in 16 min` or `3 h ago`; rounded up. */
export function distance(to: Date, now: Date): string {
  const seconds = secondsBetween(now, to)
  if (Math.abs(seconds) < 1) return 'now'
  return seconds > 0 ? `in ${duration(seconds)}` : `${duration(-seconds)} ago`
}

/** A duration with about two digits: 90 s, 16 min, 35 h, 29 d. */
function duration(seconds: number): string {
  const [unit, size] = units.find(([, length]) => seconds >= 2 * length) ?? ['s', 1]
  return `${Math.ceil(seconds / size)} ${unit}`
}
