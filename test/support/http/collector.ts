import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { ExecutionContext } from 'ava'
import { eventually } from '../../../tools/eventually.ts'

/** A span as a collector receives it, with its attributes as an object. */
export interface ReceivedSpan {
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId?: string
  readonly name: string
  /** 1: internal, 2: server, 3: client. */
  readonly kind: number
  readonly attributes: Readonly<Record<string, string | number>>
  readonly status: { readonly code?: number; readonly message?: string }
  readonly links?: readonly { readonly traceId: string; readonly spanId: string }[]
}

interface Attribute {
  readonly key: string
  readonly value: { readonly stringValue?: string; readonly intValue?: number }
}

/** An OpenTelemetry collector of the test's own: OTLP over HTTP, as JSON. */
export interface Collector {
  readonly url: string
  /** Every body, as it came. */
  readonly bodies: string[]
  readonly headers: IncomingHttpHeaders[]
  /** The status of its answers. */
  status: number
  spans(): ReceivedSpan[]
  /** Waits for the span of the request with this id. */
  requestSpan(requestId: string | null): Promise<ReceivedSpan>
  /** Everything of this trace, the oldest first. */
  trace(traceId: string): ReceivedSpan[]
}

export async function startCollector(t: ExecutionContext<unknown>): Promise<Collector> {
  const bodies: string[] = []
  const headers: IncomingHttpHeaders[] = []
  const server = createServer(async (request, response) => {
    let body = ''
    for await (const chunk of request.setEncoding('utf8')) body += chunk
    if (request.method === 'POST' && request.url === '/v1/traces') {
      bodies.push(body)
      headers.push(request.headers)
    }
    response.writeHead(collector.status, { 'content-type': 'application/json' }).end('{}')
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  const collector: Collector = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    bodies,
    headers,
    status: 200,
    spans: () => bodies.flatMap(spansOf),
    async requestSpan(requestId) {
      const find = () =>
        collector.spans().find(({ attributes }) => attributes['signet.request_id'] === requestId)
      await eventually(() => find() !== undefined, 'the span of the request arrives')
      return find() as ReceivedSpan
    },
    trace: (traceId) => collector.spans().filter((span) => span.traceId === traceId),
  }
  return collector
}

function spansOf(body: string): ReceivedSpan[] {
  const { resourceSpans } = JSON.parse(body)
  type Received = Omit<ReceivedSpan, 'attributes'> & { attributes: Attribute[] }
  const spans: Received[] = resourceSpans.flatMap(
    ({ scopeSpans }: { scopeSpans: { spans: Received[] }[] }) =>
      scopeSpans.flatMap(({ spans: some }) => some),
  )
  return spans.map((span) => ({ ...span, attributes: valuesOf(span.attributes) }))
}

const valuesOf = (attributes: readonly Attribute[]): Record<string, string | number> =>
  Object.fromEntries(
    attributes.map(({ key, value }) => [key, value.stringValue ?? value.intValue ?? '']),
  )
