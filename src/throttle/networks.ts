import { isIPv4, isIPv6 } from 'node:net'

/** All invalid addresses share one bucket, so that garbage gets no bucket of its own. */
const unknown = 'unknown'

/**
 * The unit of one caller: an IPv4 address, or an IPv6 /64, because a household or a rented machine has a
 * whole /64 to choose addresses from.
 */
export const addressOf = (ip: string): string => cut(ip, 4, 4)

/** The unit of one site: an IPv4 /24 or an IPv6 /48. */
export const networkOf = (ip: string): string => cut(ip, 3, 3)

function cut(ip: string, octets: number, groups: number): string {
  if (isIPv4(ip)) return `${ip.split('.').slice(0, octets).join('.')}/${octets * 8}`
  const words = groupsOf(ip.replace(/%.*$/, ''))
  if (!words) return unknown
  const mapped = mappedIPv4(words)
  if (mapped) return cut(mapped, octets, groups)
  return `${words.slice(0, groups).join(':')}::/${groups * 16}`
}

/** The eight groups without leading zeros. URL normalizes every spelling of an address. */
function groupsOf(ip: string): string[] | undefined {
  if (!isIPv6(ip)) return undefined
  const [head = '', tail] = new URL(`http://[${ip}]`).hostname.slice(1, -1).split('::')
  const before = head.split(':').filter(Boolean)
  const after = (tail ?? '').split(':').filter(Boolean)
  return [...before, ...Array(8 - before.length - after.length).fill('0'), ...after]
}

/** An IPv4-mapped address, ::ffff:0:0/96: RFC 4291 §2.5.5.2. */
function mappedIPv4(words: readonly string[]): string | undefined {
  if (words.slice(0, 6).join(':') !== '0:0:0:0:0:ffff') return undefined
  const bits = words.slice(6).map((word) => Number.parseInt(word, 16))
  return bits.flatMap((word) => [word >> 8, word & 0xff]).join('.')
}
