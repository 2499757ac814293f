import { keyState } from '../keyring/signing-key.ts'
import {
  type Check,
  type Expected,
  failed,
  listed,
  momentOf,
  passed,
  quoted,
  relative,
  skipped,
} from './explanation.ts'
import { because, newestEvent, type Sources } from './sources.ts'

/** A key by its id, and its state. */
export function keyText(kid: unknown, { keyring, now }: Sources): string {
  const key = keyring.current.keys.find((one) => one.kid === kid)
  return key ? `${key.kid} is ${keyState(key, now())}` : `${quoted(kid)} is unknown`
}

/** Why a key verifies nothing, since when and by whom. */
export async function keyFaultText(kid: unknown, sources: Sources): Promise<string> {
  const key = sources.keyring.current.keys.find((one) => one.kid === kid)
  const now = sources.now()
  if (!key) {
    return `no key of this installation has the kid ${quoted(kid)}: the token is of another environment`
  }
  if (key.revokedAt) {
    const event = await newestEvent(
      sources,
      { event: 'key.revoked' },
      ({ detail }) => detail.kid === kid,
    )
    return `${key.kid} was revoked ${relative(key.revokedAt, now)}${because(event)}`
  }
  const until = key.publishedUntil
  if (!until || until > now) return `${key.kid} is published`
  return `${key.kid} was retired ${relative(until, now)}: every token that it signed has expired`
}

const timeOf = (seconds: unknown): Date | undefined => {
  const date = new Date(Number(seconds) * 1000)
  return typeof seconds === 'number' && !Number.isNaN(date.getTime()) ? date : undefined
}

/** Its times, compared with now: RFC 7519 §4.1.4, §4.1.5. */
export function timeText(
  { exp, nbf }: { readonly exp?: unknown; readonly nbf?: unknown },
  { now }: Sources,
): string {
  const at = now()
  const [from, until] = [timeOf(nbf), timeOf(exp)]
  if (from && from > at) return `valid from ${relative(from, at)} (nbf)`
  if (!until) return `exp is ${quoted(exp)}`
  return until <= at ? `expired ${relative(until, at)}` : `expires ${relative(until, at)}`
}

/** Both clocks: one that is wrong explains many a refusal. */
export function clockText({ now, offsetSeconds }: Sources): string {
  const offset = offsetSeconds()
  const sign = offset < 0 ? '-' : '+'
  const difference = `${sign}${Math.abs(offset).toFixed(1)} s`
  return `it is ${momentOf(now())} by PostgreSQL, ${difference} by this machine`
}

export function audienceCheck(audience: readonly string[], { audience: wanted }: Expected): Check {
  const found = `it is for ${listed(audience)}`
  if (wanted === undefined) {
    return skipped('audience', `${found}; compare with --audience`)
  }
  return audience.includes(wanted)
    ? passed('audience', found)
    : failed('audience', `${found}, not for ${quoted(wanted)}`)
}

export function scopeCheck(scope: readonly string[], { scope: wanted }: Expected): Check {
  const found = `it has ${listed(scope)}`
  if (wanted === undefined || wanted.length === 0) {
    return skipped('scope', `${found}; compare with --scope`)
  }
  const lacking = wanted.filter((one) => !scope.includes(one))
  return lacking.length === 0
    ? passed('scope', found)
    : failed('scope', `${found}; it lacks ${lacking.map((one) => quoted(one)).join(' ')}`)
}
