import type { IncomingMessage } from 'node:http'
import { isIP, type Socket } from 'node:net'
import proxyAddress from 'proxy-addr'

/** Finds out where a request came from: seen through these proxies and no others. */
export const callerAddress = (
  trustedProxies: readonly string[],
): ((request: IncomingMessage) => string) =>
  trustedProxies.length > 0 ? throughProxies(trustedProxies) : directAddress

/** Where the caller has hung up already, nobody. */
const nobody = '0.0.0.0'

/**
 * The nearest caller that is no trusted proxy. Where a proxy forwards what is no address, the proxy
 * itself.
 */
function throughProxies(trusted: readonly string[]): (request: IncomingMessage) => string {
  const compiled = proxyAddress.compile([...trusted])
  const trust = (address: string, distance: number) => compiled(plainAddress(address), distance)
  return (request) => {
    const seen: readonly (string | undefined)[] = proxyAddress.all(request, trust)
    return seen.map(plainAddress).findLast((ip) => isIP(ip) !== 0) ?? nobody
  }
}

const addresses = new WeakMap<Socket, string>()

/** Whoever is on the other end of the connection, looked at once for each. */
function directAddress({ socket }: IncomingMessage): string {
  const known = addresses.get(socket)
  if (known !== undefined) return known
  const ip = plainAddress(socket.remoteAddress)
  if (isIP(ip) === 0) return nobody
  addresses.set(socket, ip)
  return ip
}

/**
 * IPv4 in IPv6 clothes is IPv4. The zone of a link-local address is known to this host alone. Some gateways
 * forward the port as well: `192.0.2.1:5678`, `[2001:db8::1]:5678`.
 */
const plainAddress = (address = ''): string =>
  address
    .replace(/^\[([^\]]*)\](?::\d+)?$/, '$1')
    .replace(/^(\d+(?:\.\d+){3}):\d+$/, '$1')
    .replace(/^::ffff:(?=\d+\.)/, '')
    .replace(/%.*/, '')
