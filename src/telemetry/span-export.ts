import { type ExportResult, ExportResultCode } from '@opentelemetry/core'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http'
import {
  BatchSpanProcessor,
  type ReadableSpan,
  type SpanExporter,
  type SpanProcessor,
} from '@opentelemetry/sdk-trace'
import type { Log } from './log.ts'
import type { SpanCounts } from './spans.ts'

interface Options {
  /** The base URL of a collector, to which `/v1/traces` is added. */
  readonly endpoint: string
  readonly headers: Readonly<Record<string, string>>
  /** The longest that one export takes, its repetitions included. */
  readonly timeoutSeconds: number
  readonly log: Log
}

/** Spans in memory, those on their way included; about 1 kB each. */
const mostWaiting = 4096
const batchSize = 256
/** How long a span waits for others. */
const delayMilliseconds = 1000
/** The pause after a line about a failure. */
const pauseMilliseconds = 60_000

/**
 * Sends spans to a collector as OTLP over HTTP (JSON), in batches. It never delays a request: while the
 * collector is away or slow, spans are dropped and counted.
 */
export class SpanExport implements SpanProcessor {
  readonly #batches: BatchSpanProcessor
  readonly #log: Log
  #waiting = 0
  #exported = 0
  #dropped = 0
  #reportedAt = Number.NEGATIVE_INFINITY

  constructor({ endpoint, headers, timeoutSeconds, log }: Options) {
    const timeoutMillis = timeoutSeconds * 1000
    this.#log = log
    const exporter = new OTLPTraceExporter({
      url: `${endpoint.replace(/\/$/, '')}/v1/traces`,
      headers: { ...headers },
      timeoutMillis,
    })
    this.#batches = new BatchSpanProcessor({
      exporter: this.#counted(exporter),
      maxQueueSize: mostWaiting,
      maxExportBatchSize: batchSize,
      scheduledDelayMillis: delayMilliseconds,
      // The exporter ends by itself, and then its spans are counted.
      exportTimeoutMillis: timeoutMillis + 1000,
    })
  }

  get counts(): SpanCounts {
    return { exported: this.#exported, dropped: this.#dropped }
  }

  onStart(): void {
    return
  }

  onEnd(span: ReadableSpan): void {
    if (this.#waiting >= mostWaiting) {
      this.#dropped += 1
      return
    }
    this.#waiting += 1
    this.#batches.onEnd(span)
  }

  forceFlush(): Promise<void> {
    return this.#batches.forceFlush()
  }

  shutdown(): Promise<void> {
    return this.#batches.shutdown()
  }

  #counted(exporter: SpanExporter): SpanExporter {
    return {
      export: (spans, done) =>
        exporter.export(spans, (result) => {
          this.#count(spans.length, result)
          done(result)
        }),
      shutdown: () => exporter.shutdown(),
    }
  }

  #count(spans: number, { code, error }: ExportResult): void {
    this.#waiting -= spans
    if (code === ExportResultCode.SUCCESS) {
      this.#exported += spans
      return
    }
    this.#dropped += spans
    const now = performance.now()
    if (now - this.#reportedAt < pauseMilliseconds) return
    this.#reportedAt = now
    // The error of an answer holds what the collector said, which may be long.
    const { message = 'unknown', code: reason } = (error ?? {}) as NodeJS.ErrnoException
    const cause = String(reason ?? message).slice(0, 200)
    this.#log.warn({ cause, dropped: this.#dropped }, 'the collector takes no traces')
  }
}
