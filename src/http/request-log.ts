import type { IncomingMessage } from 'node:http'
import type { Client } from '../clients/client.ts'
import type { Params } from '../oauth/params.ts'
import type { Log } from '../telemetry/log.ts'
import type { Metrics } from '../telemetry/metrics.ts'
import { type Span, type Tracer, traceMembers, within } from '../telemetry/spans.ts'
import { callerAddress, fromProxy } from './caller-address.ts'
import type { Context, Middleware, RequestFacts, RequestState } from './context.ts'
import { OutageLog } from './outage-log.ts'
import { requestIdOf } from './request-id.ts'

interface Dependencies {
  readonly log: Log
  readonly metrics: Metrics
  readonly trustedProxies: readonly string[]
  /** The share of successful requests that are logged; 1 if absent. */
  readonly sample?: number
  readonly tracer?: Tracer | undefined
  /** Records a request that was refused; it must not wait for anything. */
  readonly onRefused?: (ctx: Context, route: string) => void
}

/** A request that has been answered. */
export interface Answered {
  readonly arrival: Arrival
  /** The pattern of the route, or `none`. */
  readonly route: string
  readonly method: string
  readonly path: string
  readonly status: number
  readonly facts?: RequestFacts
}

/** The facts about a request when it arrives. */
interface Arrival {
  readonly requestId: string
  readonly ip: string
  readonly startedAt: number
  /** If the request is traced. */
  readonly span: Span | undefined
}

/**
 * Gives each request an id, determines its caller, counts it and writes one line when it is answered. Only
 * the path is logged, because a query may hold secrets.
 */
export class RequestLog {
  readonly #deps: Dependencies
  readonly #addressOf: (request: IncomingMessage) => string
  readonly #idOf: (request: IncomingMessage) => string
  readonly #isFromProxy: (request: IncomingMessage) => boolean
  readonly #lines: Log
  readonly #ignoresProxies: boolean
  readonly #outages: OutageLog
  #warned = false

  constructor(deps: Dependencies) {
    this.#deps = deps
    this.#addressOf = callerAddress(deps.trustedProxies)
    this.#isFromProxy = fromProxy(deps.trustedProxies)
    this.#idOf = requestIdOf(this.#isFromProxy)
    // The members of a line are listed below and in RequestFacts; redaction would cost more than all the rest.
    this.#lines = deps.log.child({}, { redact: [] })
    this.#outages = new OutageLog(deps.log)
    this.#ignoresProxies = deps.trustedProxies.length === 0
  }

  /** Must be the first middleware. */
  readonly middleware: Middleware = async (ctx, next) => {
    normalizeTarget(ctx)
    const arrival = this.arrive(ctx.req)
    ctx.state = new State(arrival, this.#deps.log)
    ctx.res.setHeader('x-request-id', arrival.requestId)
    const { span } = arrival
    try {
      await (span ? within(span, next) : next())
    } catch (error) {
      span?.fail(error)
      span?.end()
      throw error
    }
    const { method, path, status } = ctx
    const route = String(ctx._matchedRoute ?? 'none')
    if (ctx.state.outage !== undefined) this.#outages.note(ctx.state.outage)
    const { facts } = ctx.state
    if (!isGood(status, facts)) this.#deps.onRefused?.(ctx, route)
    this.leave({ arrival, route, method, path, status, facts })
  }

  arrive(request: IncomingMessage): Arrival {
    if (this.#ignoresProxies && request.headers['x-forwarded-for'] !== undefined) this.#noteProxy()
    const { tracer } = this.#deps
    return {
      requestId: this.#idOf(request),
      ip: this.#addressOf(request),
      startedAt: performance.now(),
      span: tracer?.request(request.headers, this.#isFromProxy(request)),
    }
  }

  /**
   * Behind a proxy that is not listed, all callers share its address and its limits. Anyone can send the
   * header, so it is logged once.
   */
  #noteProxy(): void {
    this.#deps.metrics.forwardedIgnored.inc()
    if (this.#warned) return
    this.#warned = true
    this.#deps.log.warn(
      'X-Forwarded-For is ignored: if there is a proxy, list it in TRUSTED_PROXIES',
    )
  }

  leave(answered: Answered): void {
    const { arrival, route, method, path, status, facts } = answered
    this.#deps.metrics.requests.inc({ route, method: knownMethod(method), status })
    if (arrival.span) endSpan(arrival.span, answered)
    const level = status >= 500 ? 'error' : 'info'
    if (!this.#lines.isLevelEnabled(level)) return
    const { sample = 1 } = this.#deps
    const isSampled = sample < 1 && isGood(status, facts)
    if (isSampled && Math.random() >= sample) return
    const { requestId, ip, startedAt, span } = arrival
    const milliseconds = Math.round(performance.now() - startedAt)
    const line = {
      requestId,
      method,
      path: path.slice(0, 200),
      status,
      milliseconds,
      ip,
      ...facts,
      ...(isSampled && { sample }),
      ...(span && traceMembers(span)),
    }
    this.#lines[level](line, 'request')
  }
}

/** Names a span by the route and not by the path, which may hold the id of a person. */
function endSpan(span: Span, { arrival, route, method, status, facts }: Answered): void {
  const name = knownMethod(method)
  span.rename(route === 'none' ? name : `${name} ${route}`)
  span.set({
    'http.request.method': name === 'other' ? '_OTHER' : name,
    'http.response.status_code': status,
    'signet.request_id': arrival.requestId,
    ...(route !== 'none' && { 'http.route': route }),
    ...(facts?.grant !== undefined && { 'signet.grant': facts.grant }),
    ...(facts?.error !== undefined && { 'signet.error': facts.error }),
  })
  if (status >= 500) span.fail(facts?.advice === undefined ? facts?.error : facts.cause)
  span.end()
}

/** Creates the log of a request when it is first used: most requests need only their one line. */
class State implements RequestState {
  readonly requestId: string
  readonly ip: string
  readonly facts: RequestFacts = {}
  // Set by later middleware.
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

/** A path, and before it the scheme, host and port that a proxy would be sent. */
const target = /^(?:https?:\/\/(?:[\w.-]+|\[[\da-f:.]+\])(?::\d{1,5})?)?(\/[^#\\\s]*)$/i

/**
 * RFC 9112 §3.2: a target is a path, or a whole URL as sent to a proxy. Everything else (`*`, `http://[`)
 * becomes `//`, where nothing is mounted. So does a target with a backslash: Node's URL parser reads it as a
 * slash, and a proxy that protects paths does not.
 */
function normalizeTarget({ req }: Context): void {
  const [, path] = target.exec(req.url ?? '') ?? []
  req.url = path ?? '//'
}

/** True if a log without this line still shows every refusal and every error. */
const isGood = (status: number, facts?: RequestFacts): boolean =>
  status < 400 && facts?.error === undefined && facts?.cause === undefined

const knownMethods = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])

/** An invented method must not create a new time series. */
const knownMethod = (method: string): string => (knownMethods.has(method) ? method : 'other')

/** The caller closed the connection: not a bug of this server, and any stranger can cause it. */
export const hungUp = (error: Error & { code?: string }): boolean =>
  /^(HPE_\w+|ECONNRESET|ECONNABORTED|EPIPE|ERR_STREAM_PREMATURE_CLOSE)$/.test(error.code ?? '')
