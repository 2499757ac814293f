import { randomUUID } from 'node:crypto'
import {
  type Context,
  defaultTextMapGetter,
  defaultTextMapSetter,
  type Span as OtelSpan,
  type Tracer as OtelTracer,
  ROOT_CONTEXT,
  type SpanContext,
  SpanKind,
  SpanStatusCode,
  trace,
} from '@opentelemetry/api'
import { W3CTraceContextPropagator } from '@opentelemetry/core'
import { resourceFromAttributes } from '@opentelemetry/resources'
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  ParentBasedSampler,
  type Sampler,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from '@opentelemetry/sdk-trace'
import { within as bounded } from '../clock.ts'
import type { Log } from './log.ts'
import { SpanExport } from './span-export.ts'
import {
  type Span,
  type SpanAttributes,
  type SpanCounts,
  type SpanOptions,
  type Tracer,
  traceClosed,
  traceOpened,
} from './spans.ts'

export interface TracerOptions {
  /** The base URL of a collector. */
  readonly endpoint: string
  /** Sent with each request to the collector; they may hold a credential. */
  readonly headers: Readonly<Record<string, string>>
  readonly serviceName: string
  /** One of the samplers of OTEL_TRACES_SAMPLER. */
  readonly sampler: string
  /** The share of traces that a ratio sampler keeps. */
  readonly ratio: number
  /** The number of this worker process. */
  readonly worker?: number | undefined
  readonly exportSeconds: number
  readonly log: Log
}

const kinds = { internal: SpanKind.INTERNAL, server: SpanKind.SERVER, client: SpanKind.CLIENT }

/** A run of the janitor has thousands of statements. */
const mostSpansOfTrace = 500

const propagator = new W3CTraceContextPropagator()

/** Opens OpenTelemetry. Nothing else imports it, and this file is loaded only while tracing is on. */
export function openTracer(options: TracerOptions): Tracer {
  const { endpoint, headers, log, exportSeconds: timeoutSeconds } = options
  const spanExport = new SpanExport({ endpoint, headers, timeoutSeconds, log })
  const provider = new TracerProvider({
    sampler: samplerOf(options),
    resource: resourceFromAttributes({
      'service.name': options.serviceName,
      'service.instance.id': randomUUID(),
      ...(options.worker !== undefined && { 'signet.worker': options.worker }),
    }),
    spanLimits: { attributeValueLengthLimit: 256, attributeCountLimit: 32, linkCountLimit: 4 },
    spanProcessors: [spanExport],
  })
  return new OpenTelemetryTracer(provider, spanExport)
}

function samplerOf({ sampler, ratio }: TracerOptions): Sampler {
  const roots: Readonly<Record<string, () => Sampler>> = {
    always_on: () => new AlwaysOnSampler(),
    always_off: () => new AlwaysOffSampler(),
    traceidratio: () => new TraceIdRatioBasedSampler(ratio),
  }
  const root = (roots[sampler.replace(/^parentbased_/, '')] ?? roots.always_on)?.()
  if (!root) throw new Error(`there is no sampler ${sampler}`)
  return sampler.startsWith('parentbased_') ? new ParentBasedSampler({ root }) : root
}

class OpenTelemetryTracer implements Tracer {
  readonly #provider: TracerProvider
  readonly #export: SpanExport
  readonly #tracer: OtelTracer

  constructor(provider: TracerProvider, spanExport: SpanExport) {
    this.#provider = provider
    this.#export = spanExport
    this.#tracer = provider.getTracer('signet')
  }

  get spans(): SpanCounts {
    return this.#export.counts
  }

  /**
   * A trusted proxy continues its trace, and decides whether it is sampled. The trace of a stranger is only
   * linked: otherwise strangers could have every request recorded, or fill the traces of others.
   */
  request(headers: NodeJS.Dict<string | string[]>, isFromProxy: boolean): Span | undefined {
    const given =
      headers.traceparent === undefined
        ? ROOT_CONTEXT
        : propagator.extract(ROOT_CONTEXT, headers, defaultTextMapGetter)
    const context = isFromProxy ? given : ROOT_CONTEXT
    const span = this.#start('request', SpanKind.SERVER, context)
    const stranger = isFromProxy ? undefined : trace.getSpanContext(given)
    if (span && stranger) span.addLink({ context: withoutState(stranger) })
    return span && new RecordedSpan(this.#tracer, span, context)
  }

  job(name: string): Span | undefined {
    const span = this.#start(name, SpanKind.INTERNAL, ROOT_CONTEXT)
    return span && new RecordedSpan(this.#tracer, span, ROOT_CONTEXT)
  }

  async close(seconds: number): Promise<void> {
    const closing = this.#provider.shutdown().catch(() => undefined)
    await bounded(seconds, closing, undefined)
  }

  #start(name: string, kind: SpanKind, context: Context): OtelSpan | undefined {
    const span = this.#tracer.startSpan(name, { kind }, context)
    return span.isRecording() ? span : undefined
  }
}

const withoutState = ({ traceId, spanId, traceFlags }: SpanContext): SpanContext => ({
  traceId,
  spanId,
  traceFlags,
})

/** A trace as far as this process records it. */
interface Trace {
  isOpen: boolean
  spans: number
}

class RecordedSpan implements Span {
  readonly #tracer: OtelTracer
  readonly #span: OtelSpan
  readonly #context: Context
  readonly #trace: Trace
  readonly #isRoot: boolean
  #hasEnded = false

  constructor(tracer: OtelTracer, span: OtelSpan, context: Context, of?: Trace) {
    this.#tracer = tracer
    this.#span = span
    this.#context = trace.setSpan(context, span)
    this.#isRoot = of === undefined
    if (this.#isRoot) traceOpened()
    this.#trace = of ?? { isOpen: true, spans: 0 }
  }

  get traceId(): string {
    return this.#span.spanContext().traceId
  }

  get spanId(): string {
    return this.#span.spanContext().spanId
  }

  get isOpen(): boolean {
    return this.#trace.isOpen
  }

  child(name: string, { kind, attributes = {} }: SpanOptions = {}): Span | undefined {
    this.#trace.spans += 1
    if (this.#trace.spans > mostSpansOfTrace) return undefined
    const options = { kind: kinds[kind ?? 'internal'], attributes: { ...attributes } }
    const span = this.#tracer.startSpan(name, options, this.#context)
    return new RecordedSpan(this.#tracer, span, this.#context, this.#trace)
  }

  rename(name: string): void {
    this.#span.updateName(name)
  }

  set(attributes: SpanAttributes): void {
    this.#span.setAttributes({ ...attributes })
  }

  fail(error: unknown): void {
    this.#span.setAttribute('error.type', typeOf(error))
    this.#span.setStatus({ code: SpanStatusCode.ERROR })
  }

  detach(): void {
    if (!this.#trace.isOpen) return
    this.#trace.isOpen = false
    traceClosed()
  }

  end(): void {
    if (this.#hasEnded) return
    this.#hasEnded = true
    if (this.#isRoot) {
      this.detach()
      const omitted = this.#trace.spans - mostSpansOfTrace
      if (omitted > 0) this.#span.setAttribute('signet.omitted_spans', omitted)
    }
    this.#span.end()
  }

  headers(): Readonly<Record<string, string>> {
    const headers: Record<string, string> = {}
    propagator.inject(this.#context, headers, defaultTextMapSetter)
    return headers
  }
}

/** A code or the name of a class, never a message. */
function typeOf(error: unknown): string {
  const { code, name } = (error ?? {}) as { code?: unknown; name?: unknown }
  const type = typeof error === 'string' ? error : (code ?? name)
  return typeof type === 'string' && /^[\w.-]{1,64}$/.test(type) ? type : '_OTHER'
}
