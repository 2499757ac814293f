import { later } from '../../src/clock.ts'
import { type Keyring, maxAge } from '../../src/keyring/keyring.ts'
import { isPublished, keyState } from '../../src/keyring/signing-key.ts'
import type { StoredKey } from '../../src/keyring/signing-keys.ts'
import {
  afterlifeSeconds,
  fullRereadSeconds,
  propagationSeconds,
  type Timing,
} from '../../src/keyring/timing.ts'

interface Token {
  readonly kid: string
  readonly expiresAt: Date
}

/**
 * The history of an installation as its verifiers see it. Every method throws if an event breaks
 * a guarantee of the keyring.
 */
export class History {
  readonly #tokens: Token[] = []
  readonly #gone = new Set<string>()
  /** Keys that signed before every verifier knew them, for a reason: the first one, or an emergency. */
  readonly #hurried = new Set<string>()

  allowHurry(kid: string): void {
    this.#hurried.add(kid)
  }

  /** An instance signs a token of the longest lifetime with the key that it takes for the active one. */
  sign(keyring: Keyring, stored: readonly StoredKey[], now: Date, timing: Timing): void {
    const { kid } = keyring.signer(now)
    const key = stored.find((candidate) => candidate.kid === kid)
    check(key, `${kid} signs and is not in the table`)
    const known = later(key.publishedAt, propagationSeconds)
    const soon = known > now && !this.#hurried.has(kid) && !key.revokedAt
    check(!soon, `${kid} signs before every verifier can know it`)
    this.#tokens.push({ kid, expiresAt: later(now, timing.accessTokenMaxSeconds) })
  }

  /** Checks every guarantee against the current table. */
  inspect(stored: readonly StoredKey[], keyring: Keyring, now: Date, timing: Timing): void {
    const inState = (state: string) => stored.filter((key) => keyState(key, now) === state)
    const [active, ...otherActive] = inState('active')
    const [upcoming, ...otherUpcoming] = inState('upcoming')
    check(active && otherActive.length === 0, `${otherActive.length + 1} keys are active`)
    check(upcoming && otherUpcoming.length === 0, 'not exactly one key is upcoming')
    check(keyring.signer(now).kid === active.kid, 'another key signs than the active one')
    check(same(active.signsUntil, upcoming.signsFrom), 'a gap or an overlap is planned')
    check(upcoming.signsUntil === null, 'the successor stops before it has a successor')

    const jwks = keyring.jwks(now).keys.map(({ kid }) => kid)
    for (const { kid, expiresAt } of this.#tokens) {
      const revoked = stored.some((key) => key.kid === kid && key.revokedAt)
      check(expiresAt <= now || revoked || jwks.includes(kid), `a good token of ${kid} is refused`)
    }
    for (const key of stored) this.#inspectKey(key, now, timing)
    this.#inspectMaxAge(stored, keyring, now)
  }

  #inspectKey(key: StoredKey, now: Date, timing: Timing): void {
    const stopped = key.signsUntil && later(key.signsUntil, fullRereadSeconds(timing)) < now
    if (stopped || key.revokedAt || !isPublished(key, now))
      check(key.privateJwe === null, `${key.kid} keeps its secret`)
    const published = isPublished(key, now)
    check(!published || !this.#gone.has(key.kid), `${key.kid} came back`)
    if (!published) this.#gone.add(key.kid)
    if (keyState(key, now) !== 'retiring' || !key.signsUntil) return
    const end = later(key.signsUntil, afterlifeSeconds(timing))
    check(same(key.publishedUntil, end), `${key.kid} leaves too early or too late`)
  }

  /** A cached JWKS equals a fresh one for as long as it may be cached. */
  #inspectMaxAge(stored: readonly StoredKey[], keyring: Keyring, now: Date): void {
    const seconds = maxAge(now, keyring.jwksChangesAt(now))
    check(seconds >= 1 && seconds <= 300, `max-age is ${seconds}`)
    const before = later(now, seconds - 1)
    const names = (at: Date) => stored.filter((key) => isPublished(key, at)).map(({ kid }) => kid)
    check(`${names(now)}` === `${names(before)}`, 'the set changes within its max-age')
  }
}

const same = (one: Date | null, other: Date | null): boolean => one?.getTime() === other?.getTime()

export function check(truth: unknown, otherwise: string): asserts truth {
  if (!truth) throw new Error(otherwise)
}
