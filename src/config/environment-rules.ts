import proxyAddress from 'proxy-addr'
import { z } from 'zod'

/** Rules for variables. Messages never repeat the value, because it may be a secret. */

export const whole = (least: number, most: number) =>
  z
    .string()
    .regex(/^\d{1,9}$/, `must be a whole number from ${least} to ${most}`)
    .transform(Number)
    .refine((n) => n >= least && n <= most, `must be a whole number from ${least} to ${most}`)

export const share = z
  .string()
  .regex(/^(?:0|1|0?\.\d{1,6})$/, 'must be a number from 0 to 1, such as 0.01')
  .transform(Number)

export const oneOf = <const Names extends readonly [string, ...string[]]>(...names: Names) =>
  z.enum(names, `must be ${names.slice(0, -1).join(', ')} or ${names.at(-1)}`)

export const flag = oneOf('true', 'false').transform((text) => text === 'true')

const list = z.string().transform((text) =>
  text
    .split(',')
    .map((item) => item.trim())
    .filter(Boolean),
)

export const url = (...protocols: string[]) =>
  z
    .string()
    .refine(
      (text) => URL.canParse(text) && protocols.includes(new URL(text).protocol),
      `must be a URL that starts with ${protocols.map((protocol) => `${protocol}//`).join(' or ')}`,
    )

export const redisUrls = z
  .string()
  .refine(
    (text) =>
      text === 'none' ||
      text
        .split(',')
        .every((one) => /^rediss?:$/.test(URL.canParse(one) ? new URL(one).protocol : '')),
    'must be redis:// or rediss:// URLs, separated by commas for a cluster, or none',
  )

export const issuerUrl = url('http:', 'https:').refine(
  (text) => !/[?#]/.test(text) && !text.endsWith('/'),
  'must have no query, no fragment and no slash at its end (RFC 8414 section 2)',
)

export const networks = list.refine((items) => {
  try {
    proxyAddress.compile(items)
    return true
  } catch {
    return false
  }
}, 'must be addresses, networks such as 10.0.0.0/8, or loopback, linklocal, uniquelocal, separated by commas')

export const masterKeys = list.refine(
  (items) => items.length > 0 && items.every((item) => /^[\w-]{42}[AEIMQUYcgkosw048]$/.test(item)),
  'must be base64url of 32 bytes each, separated by commas',
)

/** OpenTelemetry's `key1=value1,key2=value2`, percent-encoded. */
export const headers = list
  .refine(
    (items) => items.every((item) => /^[\w!#$%&'*.^`|~+-]+=(?:[!-$&-~]|%[\dA-F]{2})*$/i.test(item)),
    'must be name=value pairs, separated by commas, with percent-encoded values',
  )
  .transform((items) =>
    Object.fromEntries(
      items.map((item) => {
        const at = item.indexOf('=')
        return [item.slice(0, at), decoded(item.slice(at + 1))]
      }),
    ),
  )
  .refine(
    (named) => Object.values(named).every((value) => /^[\x20-\x7e]*$/.test(value)),
    'must have values of printable ASCII',
  )

/** @returns a character that no header may have, if it is not UTF-8 */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return '\n'
  }
}

export const origins = list.refine(
  (items) => items.every((item) => URL.canParse(item) && new URL(item).origin === item),
  'must be origins such as https://app.example, separated by commas',
)

export const mailUrl = z
  .string()
  .refine(
    (text) => text === 'none' || (URL.canParse(text) && /^smtps?:$/.test(new URL(text).protocol)),
    'must be an smtp:// or smtps:// URL, or none',
  )
