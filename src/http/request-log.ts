import { randomUUID } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { Client } from '../clients/client.ts'
import type { Params } from '../oauth/params.ts'
import type { Log } from '../telemetry/log.ts'
import type { Metrics } from '../telemetry/metrics.ts'
import { callerAddress } from './caller-address.ts'
import type { Context, Middleware, RequestFacts, RequestState } from './context.ts'

interface Dependencies {
  readonly log: Log
  readonly metrics: Metrics
  readonly trustedProxies: readonly string[]
}

/** A request that has been answered. */
export interface Answered {
  readonly arrival: Arrival
  /** The pattern that it was found by. */
  readonly route: string
  readonly method: string
  readonly path: string
  readonly status: number
  readonly facts?: RequestFacts
}

/** What is known of a request before anything is done about it. */
export interface Arrival {
  readonly requestId: string
  readonly ip: string
  readonly startedAt: number
}

/**
 * Gives each request an id, finds out where it came from, counts it and writes one line when it is
 * answered. Only the path is logged: a query might hold what does not belong into a log.
 */
export class RequestLog {
  readonly #deps: Dependencies
  readonly #addressOf: (request: IncomingMessage) => string
  readonly #lines: Log
  readonly #ignoresProxies: boolean
  #saidSo = false

  constructor(deps: Dependencies) {
    this.#deps = deps
    this.#addressOf = callerAddress(deps.trustedProxies)
    // What is in a line is named below and in RequestFacts: looking for secrets would cost more than all else.
    this.#lines = deps.log.child({}, { redact: [] })
    this.#ignoresProxies = deps.trustedProxies.length === 0
  }

  /** The first door of all. */
  readonly middleware: Middleware = async (ctx, next) => {
    mendTarget(ctx)
    const arrival = this.arrive(ctx.req)
    ctx.state = new State(arrival, this.#deps.log)
    ctx.res.setHeader('x-request-id', arrival.requestId)
    await next()
    const { method, path, status } = ctx
    const route = String(ctx._matchedRoute ?? 'none')
    this.leave({ arrival, route, method, path, status, facts: ctx.state.facts })
  }

  arrive(request: IncomingMessage): Arrival {
    if (this.#ignoresProxies && request.headers['x-forwarded-for'] !== undefined) this.#noteProxy()
    const requestId = randomUUID()
    return { requestId, ip: this.#addressOf(request), startedAt: performance.now() }
  }

  /** Every caller has the address of the proxy, for the limits too. A stranger may send it as well: once is enough. */
  #noteProxy(): void {
    this.#deps.metrics.forwardedIgnored.inc()
    if (this.#saidSo) return
    this.#saidSo = true
    this.#deps.log.warn(
      'X-Forwarded-For arrives and is ignored: name the proxy in TRUSTED_PROXIES if there is one',
    )
  }

  leave({ arrival, route, method, path, status, facts }: Answered): void {
    this.#deps.metrics.requests.inc({ route, method: knownMethod(method), status })
    const level = status >= 500 ? 'error' : 'info'
    if (!this.#lines.isLevelEnabled(level)) return
    const { requestId, ip, startedAt } = arrival
    const milliseconds = Math.round(performance.now() - startedAt)
    const line = { requestId, method, path: path.slice(0, 200), status, milliseconds, ip, ...facts }
    this.#lines[level](line, 'request')
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

  constructor({ requestId, ip }: Arrival, parent: Log) {
    this.requestId = requestId
    this.ip = ip
    this.#parent = parent
  }

  get log(): Log {
    this.#log ??= this.#parent.child({ requestId: this.requestId })
    return this.#log
  }
}

/**
 * RFC 9112 §3.2: a target is a path, or a whole URL as a proxy is asked for one. All else (`*`, `http://[`)
 * is answered like a path where nothing is, and so is what Node's URL parser would read as another path: it
 * takes a backslash for a slash, and a proxy that guards paths does not.
 */
function mendTarget({ req }: Context): void {
  const [, path] = /^(?:https?:\/\/[^/?#\\\s]*)?(\/[^#\\\s]*)$/i.exec(req.url ?? '') ?? []
  req.url = path ?? '/'
}

const knownMethods = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])

/** A made-up method must not make a new time series. */
const knownMethod = (method: string): string => (knownMethods.has(method) ? method : 'other')

/** The caller went away, which is no mistake of this server: any stranger can do it all day. */
export const hungUp = (error: Error & { code?: string }): boolean =>
  /^(HPE_\w+|ECONNRESET|ECONNABORTED|EPIPE|ERR_STREAM_PREMATURE_CLOSE)$/.test(error.code ?? '')
