import { randomUUID } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { isIP, type Socket } from 'node:net'
import proxyAddress from 'proxy-addr'
import type { Client } from '../clients/client.ts'
import type { Params } from '../oauth/params.ts'
import type { Log } from '../telemetry/log.ts'
import type { Metrics } from '../telemetry/metrics.ts'
import type { Context, Middleware, RequestFacts, RequestState } from './context.ts'

interface Rooms {
  readonly log: Log
  readonly metrics: Metrics
  readonly trustedProxies: readonly string[]
}

/**
 * Gives each request an id, finds out where it came from, and writes one line when it is answered.
 * Only the path is logged: a query might hold what does not belong into a log.
 */
export function requestLog({ log, metrics, trustedProxies }: Rooms): Middleware {
  const addressOf = trustedProxies.length > 0 ? throughProxies(trustedProxies) : directAddress
  // What is in a line is named below and in RequestFacts: looking for secrets would cost more than all else.
  const lines = log.child({}, { redact: [] })
  return async (ctx, next) => {
    const startedAt = performance.now()
    mendTarget(ctx)
    const requestId = randomUUID()
    ctx.state = new State(requestId, addressOf(ctx.req), log)
    ctx.set('x-request-id', requestId)
    await next()
    const route = String(ctx._matchedRoute ?? 'none')
    metrics.requests.inc({ route, method: knownMethod(ctx.method), status: ctx.status })
    const line = {
      requestId,
      method: ctx.method,
      path: ctx.path.slice(0, 200),
      status: ctx.status,
      milliseconds: Math.round(performance.now() - startedAt),
      ip: ctx.state.ip,
      ...ctx.state.facts,
    }
    lines[ctx.status >= 500 ? 'error' : 'info'](line, 'request')
  }
}

/** A log of its own is made for a request when something happens that is worth a line of its own. */
class State implements RequestState {
  readonly requestId: string
  readonly ip: string
  readonly facts: RequestFacts = {}
  // Named by the doors behind.
  declare params: Params
  declare client: Client
  readonly #parent: Log
  #log: Log | undefined

  constructor(requestId: string, ip: string, parent: Log) {
    this.requestId = requestId
    this.ip = ip
    this.#parent = parent
  }

  get log(): Log {
    this.#log ??= this.#parent.child({ requestId: this.requestId })
    return this.#log
  }
}

/** A target that has no path (`*`, `http://[`) is answered like one where nothing is. */
function mendTarget(ctx: Context): void {
  try {
    if (ctx.path?.startsWith('/')) return
  } catch {
    // The URL parser of Node throws on some.
  }
  ctx.req.url = '/'
}

/** Where the caller has hung up already, nobody. */
const nobody = '0.0.0.0'

/**
 * The nearest caller that is no trusted proxy. Where a proxy forwards what is no address, the proxy
 * itself.
 */
function throughProxies(trusted: readonly string[]): (request: IncomingMessage) => string {
  const trust = proxyAddress.compile([...trusted])
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

/** IPv4 in IPv6 clothes is IPv4. The zone of a link-local address is known to this host alone. */
const plainAddress = (ip = ''): string => ip.replace(/^::ffff:(?=\d+\.)/, '').replace(/%.*/, '')

/** A made-up method must not make a new time series. */
const knownMethod = (method: string): string =>
  ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'].includes(method) ? method : 'other'

/** The caller went away, which is no mistake of this server: any stranger can do it all day. */
export const hungUp = (error: Error & { code?: string }): boolean =>
  /^(HPE_\w+|ECONNRESET|ECONNABORTED|EPIPE)$/.test(error.code ?? '')
