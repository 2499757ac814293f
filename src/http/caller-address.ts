import type { IncomingMessage } from 'node:http'
import { isIP, type Socket } from 'node:net'
import proxyAddress from 'proxy-addr'

/** Returns the address of a request's caller, believing only these proxies. */
export const callerAddress = (
  trustedProxies: readonly string[],
): ((request: IncomingMessage) => string) =>
  trustedProxies.length > 0 ? throughProxies(trustedProxies) : directAddress

/** Returns whether a request comes directly from one of these proxies. */
export function fromProxy(
  trustedProxies: readonly string[],
): (request: IncomingMessage) => boolean {
  const compiled = proxyAddress.compile([...trustedProxies])
  return ({ socket }) => {
    const address = plainAddress(socket.remoteAddress)
    return isIP(address) !== 0 && compiled(address, 0)
  }
}

/** The address of a caller that has already closed the connection. */
const nobody = '0.0.0.0'

/** The nearest caller that is not a trusted proxy; the proxy itself when it forwards no address. */
function throughProxies(trusted: readonly string[]): (request: IncomingMessage) => string {
  const compiled = proxyAddress.compile([...trusted])
  const trust = (address: string, distance: number) => compiled(plainAddress(address), distance)
  return (request) => {
    const seen: readonly (string | undefined)[] = proxyAddress.all(request, trust)
    return seen.map(plainAddress).findLast((ip) => isIP(ip) !== 0) ?? nobody
  }
}

const addresses = new WeakMap<Socket, string>()

/** The peer of the connection, read once per connection. */
function directAddress({ socket }: IncomingMessage): string {
  const cached = addresses.get(socket)
  if (cached !== undefined) return cached
  const ip = plainAddress(socket.remoteAddress)
  if (isIP(ip) === 0) return nobody
  addresses.set(socket, ip)
  return ip
}

/**
 * Strips what does not belong to the address: the IPv6 prefix of a mapped IPv4 address, the zone of a
 * link-local address, and a port, which some gateways forward: `192.0.2.1:5678`, `[2001:db8::1]:5678`.
 */
const plainAddress = (address = ''): string =>
  address
    .replace(/^\[([^\]]*)\](?::\d+)?$/, '$1')
    .replace(/^(\d+(?:\.\d+){3}):\d+$/, '$1')
    .replace(/^::ffff:(?=\d+\.)/, '')
    .replace(/%.*/, '')
