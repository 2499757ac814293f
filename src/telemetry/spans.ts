import { AsyncLocalStorage } from 'node:async_hooks'

/** Never a token, a query string, or a name, address or id of a person: spans leave the server. */
export type SpanAttributes = Readonly<Record<string, string | number | boolean>>

export interface SpanOptions {
  /** Default: work within this process. */
  readonly kind?: 'server' | 'client'
  readonly attributes?: SpanAttributes
}

/**
 * A span that will be exported. There is none while tracing is off or if the trace is not sampled. This file
 * loads nothing of OpenTelemetry, and all other folders know only this file.
 */
export interface Span {
  /** Hexadecimal, as in the log. */
  readonly traceId: string
  readonly spanId: string
  /** False once its trace has ended: work that goes on afterwards does not belong to it. */
  readonly isOpen: boolean
  /** Undefined when the trace has too many spans. */
  child(name: string, options?: SpanOptions): Span | undefined
  rename(name: string): void
  set(attributes: SpanAttributes): void
  /** Marks it as failed, with the class or the code of the error: its message may quote values. */
  fail(error: unknown): void
  /** Nothing more is recorded below it, although it ends later: a long poll waits for half a minute. */
  detach(): void
  end(): void
  /** W3C Trace Context: `traceparent` and `tracestate`, for a request to another server. */
  headers(): Readonly<Record<string, string>>
}

/** Starts traces. */
export interface Tracer {
  /**
   * Starts the span of a request.
   * @param headers of the request, with the trace context of its caller
   * @param isFromProxy the caller may decide about sampling
   */
  request(headers: NodeJS.Dict<string | string[]>, isFromProxy: boolean): Span | undefined
  /** Starts the span of background work. */
  job(name: string): Span | undefined
  readonly spans: SpanCounts
  /** Exports the spans that are left, and gives up after `seconds`. */
  close(seconds: number): Promise<void>
}

export interface SpanCounts {
  readonly exported: number
  /** Spans that the collector did not take, or for which the queue had no room. */
  readonly dropped: number
}

/** Costs nothing while no trace is open: then Node does not track asynchronous work. */
const active = new AsyncLocalStorage<Span | undefined>()
let openTraces = 0

export function traceOpened(): void {
  openTraces += 1
}

/** Before Node 24, tracking doubles the cost of each promise, also of requests that are not sampled (ADR 49). */
export function traceClosed(): void {
  openTraces -= 1
  if (openTraces === 0) active.disable()
}

/** The span of the current work, if it is recorded. */
export function activeSpan(): Span | undefined {
  const span = active.getStore()
  return span?.isOpen ? span : undefined
}

/** Starts a span below the current one. The caller ends it. */
export const startSpan = (name: string, options?: SpanOptions): Span | undefined =>
  activeSpan()?.child(name, options)

/** Does work in a span below the current one. */
export function traced<T>(name: string, work: () => Promise<T>, options?: SpanOptions): Promise<T> {
  const span = startSpan(name, options)
  return span ? recorded(span, work) : work()
}

/** Does work in a span, and ends it. */
export async function recorded<T>(span: Span, work: () => Promise<T>): Promise<T> {
  try {
    return await active.run(span, work)
  } catch (error) {
    span.fail(error)
    throw error
  } finally {
    span.end()
  }
}

/** Does work of another caller in that caller's span, or in none. */
export const within = <T>(span: Span | undefined, work: () => T): T =>
  active.getStore() === span ? work() : active.run(span, work)

/** Does background work in a trace of its own, and not in that of the request that started it. */
export function tracedJob<T>(
  tracer: Tracer | undefined,
  name: string,
  work: () => Promise<T>,
): Promise<T> {
  const span = tracer?.job(name)
  return span ? recorded(span, work) : within(undefined, work)
}

/** The ids of the current span as members of a log line. */
export function traceMembers(span = activeSpan()): { trace_id?: string; span_id?: string } {
  return span ? { trace_id: span.traceId, span_id: span.spanId } : {}
}
