import { createHash } from 'node:crypto'
import type { RequestListener } from 'node:http'
import type { Middleware } from './context.ts'
import type { RequestLog } from './request-log.ts'
import type { Fields } from './response-headers.ts'

/** A public document as it is now: the same for every caller. */
export interface CachedDocument {
  /** Bytes if it is long: Node shares those, and copies a string for each slow connection. */
  readonly body: string | Buffer
  readonly etag: string
  readonly maxAgeSeconds: number
}

/** Returns the same object until something about the document changes. */
export type ReadDocument = () => CachedDocument

/** @param body JSON */
export function cachedDocument(body: string, maxAgeSeconds: number): CachedDocument {
  const digest = createHash('sha256').update(body).digest('base64url').slice(0, 22)
  return { body: sharedBody(body), etag: `"${digest}"`, maxAgeSeconds }
}

/** A body that many callers get: a long one as bytes, which all connections share. */
export const sharedBody = (text: string): string | Buffer =>
  text.length > 16 * 1024 ? Buffer.from(text) : text

/** Answers with the document, or with 304 when the caller has it already (RFC 9110 §13). */
export function staticDocument(read: ReadDocument): Middleware {
  return (ctx) => {
    const document = read()
    ctx.set(Object.fromEntries(fieldsOf(document)))
    ctx.type = jsonType
    ctx.status = 200
    if (isCurrent(ctx.get('if-none-match'), document.etag)) ctx.status = 304
    else ctx.body = document.body
  }
}

const jsonType = 'application/json; charset=utf-8'

const fieldsOf = ({ etag, maxAgeSeconds }: CachedDocument): Fields => [
  ['etag', etag],
  ['cache-control', `public, max-age=${maxAgeSeconds}`],
]

/**
 * True if the caller has this version already: RFC 9110 §13.1.2, weak comparison. Koa's `ctx.fresh` treats
 * `Cache-Control: no-cache` as a request for a new copy, and Node's fetch sends that with every If-None-Match.
 */
export function isCurrent(ifNoneMatch: string | undefined, etag: string): boolean {
  if (!ifNoneMatch) return false
  const etags = ifNoneMatch.split(',').map(withoutWeakness)
  return etags.includes(withoutWeakness(etag)) || ifNoneMatch.trim() === '*'
}

const withoutWeakness = (etag: string): string => etag.trim().replace(/^W\//, '')

/** Names and values in turn, as Node writes them without looking each up. */
type RawHeaders = Readonly<Record<200 | 304, readonly string[]>>

interface Dependencies {
  readonly requests: RequestLog
  /** By path. */
  readonly documents: ReadonlyMap<string, ReadDocument>
  /** Those of the documents' group. */
  readonly fields: Fields
}

/**
 * Answers GET of a public document before the application does: every verifier fetches them, and the
 * application would double the cost of the answer (ADR 30). Everything else about a document (HEAD, a query, a
 * preflight, an error) is left to the application, which answers in the same way.
 */
export function documentFastPath(
  { requests, documents, fields }: Dependencies,
  application: RequestListener,
): RequestListener {
  const prepared = new WeakMap<CachedDocument, RawHeaders>()
  const headersOf = (document: CachedDocument): RawHeaders => {
    const headers = prepared.get(document) ?? rawHeaders(document, fields)
    prepared.set(document, headers)
    return headers
  }
  return (request, response) => {
    const { method, url = '' } = request
    const document = method === 'GET' ? attempt(documents.get(url)) : undefined
    if (!document) return application(request, response)
    const arrival = requests.arrive(request)
    const status = isCurrent(request.headers['if-none-match'], document.etag) ? 304 : 200
    response.writeHead(status, ['x-request-id', arrival.requestId, ...headersOf(document)[status]])
    response.end(status === 200 ? document.body : undefined)
    requests.leave({ arrival, route: url, method: 'GET', path: url, status })
  }
}

function rawHeaders(document: CachedDocument, fields: Fields): RawHeaders {
  const unchanged = [...new Map([...fields, ...fieldsOf(document)])].flat()
  const length = String(Buffer.byteLength(document.body))
  return {
    304: unchanged,
    200: [...unchanged, 'content-type', jsonType, 'content-length', length],
  }
}

/** A document that cannot be created is an error that the application answers. */
function attempt(read: ReadDocument | undefined): CachedDocument | undefined {
  try {
    return read?.()
  } catch {
    return undefined
  }
}
