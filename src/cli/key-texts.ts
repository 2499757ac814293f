import { later, secondsBetween } from '../clock.ts'
import type { KeyRevocation } from '../keyring/rotation.ts'
import { type RotationPlan, unknownFor } from '../keyring/rotation-plan.ts'
import { type KeyState, keyState, type SigningKey } from '../keyring/signing-key.ts'
import { propagationSeconds, type Timing, tellingSeconds } from '../keyring/timing.ts'
import { moment, table } from './output.ts'
import { distance, duration } from './time.ts'

/** One key as `keys list` tells it. */
export interface KeyRecord extends Omit<SigningKey, 'publicJwk' | 'generation'> {
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
        ? 'nothing: every token that it signed has expired'
        : 'nothing: it never signed',
    revoked: 'nothing: every token that it signed is refused',
  }
  const times = { publishedAt, signsFrom, signsUntil, publishedUntil, revokedAt }
  return { kid, state, ...times, next: next[state] }
}

/** Since and until when a key has been in its state. */
const span = (key: KeyRecord): [Date | null, Date | null] =>
  ({
    upcoming: [key.publishedAt, key.signsFrom] as [Date, Date],
    active: [key.signsFrom, key.signsUntil] as [Date, Date | null],
    retiring: [key.signsUntil, key.publishedUntil] as [Date | null, Date | null],
    retired: [key.publishedUntil, null] as [Date | null, null],
    revoked: [key.revokedAt, null] as [Date | null, null],
  })[key.state]

export function keyList(keys: readonly KeyRecord[], now: Date): string {
  if (keys.length === 0) return 'There are no keys yet: the server makes two at its first start.'
  const rows = keys.map((key) => [key.kid, key.state, ...span(key).map(moment), key.next])
  const successor = keys.find(({ state }) => state === 'upcoming')
  return [
    table(['kid', 'state', 'since', 'until', 'next'], rows),
    '',
    successor
      ? emergencyNote(successor, now)
      : 'No successor is published: a running server makes one within seconds.',
  ].join('\n')
}

/** What somebody wants to know who thinks about `rotate --now`. */
function emergencyNote({ kid, publishedAt }: KeyRecord, now: Date): string {
  const left = secondsBetween(now, later(publishedAt, propagationSeconds))
  return left > 0
    ? `In an emergency: ${kid} is still too new to take over at once, for another ${duration(left)}.`
    : `In an emergency: signet keys rotate --now is safe, every verifier knows ${kid}.`
}

export function timeline(
  plan: RotationPlan,
  how: { dryRun: boolean; emergency: boolean; acceptTooSoon: boolean; timing: Timing; now: Date },
): string {
  const when = (at: Date) => `${moment(at)}  ${distance(at, how.now)}`
  const rows = [
    [when(plan.signsFrom), `${plan.to} signs, ${plan.from} stops`],
    [when(plan.leavesAt), `${plan.from} leaves the JWKS: its last token has expired`],
  ]
  const notes = how.dryRun
    ? ['Nothing was changed (--dry-run).']
    : [
        `Every instance follows within ${duration(tellingSeconds(how.timing))}; nothing else is to be done.`,
      ]
  if (how.emergency) {
    notes.push(
      `What ${plan.from} signed stays valid until it expires. If that key has leaked, end it: signet keys revoke ${plan.from} --yes`,
    )
  }
  if (plan.tooSoonFor > 0) {
    notes.push(
      `Warning: verifiers that cache the JWKS may not know ${plan.to} for another ${duration(plan.tooSoonFor)} and refuse its tokens.`,
    )
    if (how.dryRun && !how.acceptTooSoon) notes.push('It would be refused without --yes.')
  }
  return [table(['when', 'what'], rows), '', ...notes].join('\n')
}

export function whatRevokingDoes(key: SigningKey, now: Date): string {
  const state = keyState(key, now)
  const unknown = unknownFor(key, now)
  return [
    `Revoking ${key.kid} (${state}) ends every token that it signed, at once. If that is meant, add --yes.`,
    ...(state === 'active' && unknown === 0
      ? [
          'To change keys and end no token: signet keys rotate, or at once: signet keys rotate --now',
        ]
      : []),
  ].join('\n')
}

export function revocationText(
  { kid, signer, signerUnknownFor }: KeyRevocation,
  { rereadSeconds }: Timing,
): string {
  return [
    `${kid} is revoked: no instance signs with it, its tokens are inactive at introspection. ${signer} signs now.`,
    `An instance publishes it no more within a second, or ${duration(rereadSeconds)} when PostgreSQL is slow to answer it.`,
    `Services that verify by themselves accept its tokens until they reread the JWKS: up to ${duration(propagationSeconds)}.`,
    ...(signerUnknownFor > 0
      ? [
          `Warning: verifiers that cache the JWKS may not know ${signer} for another ${duration(signerUnknownFor)} and refuse its tokens.`,
        ]
      : []),
  ].join('\n')
}
