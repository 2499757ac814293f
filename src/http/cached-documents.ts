import { createHash } from 'node:crypto'
import type { RequestListener } from 'node:http'
import { isKnown } from './conditional.ts'
import type { Middleware } from './context.ts'
import { openFields } from './cross-origin.ts'
import type { RequestLog } from './request-log.ts'
import type { Fields } from './security-headers.ts'

/** A public document as it is now: the same for everybody, to be cached. */
export interface CachedDocument {
  /** Bytes where it is long: Node shares those, and copies a text for each connection that is slow. */
  readonly body: string | Buffer
  readonly etag: string
  readonly maxAgeSeconds: number
}

/** Gives the same object until something about it is different. */
export type ReadDocument = () => CachedDocument

/** @param body JSON */
export function publish(body: string, maxAgeSeconds: number): CachedDocument {
  const digest = createHash('sha256').update(body).digest('base64url').slice(0, 22)
  return { body: shared(body), etag: `"${digest}"`, maxAgeSeconds }
}

/** A text that many are answered with: a long one as bytes, which all connections share. */
export const shared = (text: string): string | Buffer =>
  text.length > longText ? Buffer.from(text) : text

const longText = 16 * 1024

/** Answers with the document, or with 304 when the caller has it already (RFC 9110 §13). */
export function staticDocument(read: ReadDocument): Middleware {
  return (ctx) => {
    const document = read()
    ctx.set(Object.fromEntries(fieldsOf(document)))
    ctx.type = type
    ctx.status = 200
    if (isKnown(ctx.get('if-none-match'), document.etag)) ctx.status = 304
    else ctx.body = document.body
  }
}

const type = 'application/json; charset=utf-8'

const fieldsOf = ({ etag, maxAgeSeconds }: CachedDocument): Fields => [
  ['etag', etag],
  ['cache-control', `public, max-age=${maxAgeSeconds}`],
]

/** Names and values in turn, as Node writes them without looking each up. */
type Heads = Readonly<Record<200 | 304, readonly string[]>>

interface Dependencies {
  readonly requests: RequestLog
  /** By path. */
  readonly documents: ReadonlyMap<string, ReadDocument>
  readonly securityFields: Fields
}

/**
 * Answers GET of a public document before the application sees it. Every verifier fetches them, nothing
 * about them depends on who asks, and the application costs as much again as the answer. Whatever is not
 * plain (HEAD, a query, a preflight, a document that cannot be made) is the application's, which answers the
 * same way.
 */
export function documentFastPath(
  deps: Dependencies,
  application: RequestListener,
): RequestListener {
  const { requests, documents } = deps
  const everywhere = [...new Map([...deps.securityFields, ...openFields])]
  const heads = new WeakMap<CachedDocument, Heads>()
  const headsOf = (document: CachedDocument): Heads => {
    const known = heads.get(document)
    if (known) return known
    const unchanged = [...everywhere, ...fieldsOf(document)].flat()
    const length = String(Buffer.byteLength(document.body))
    const made = {
      304: unchanged,
      200: [...unchanged, 'content-type', type, 'content-length', length],
    }
    heads.set(document, made)
    return made
  }
  return (request, response) => {
    const { method, url = '' } = request
    const document = method === 'GET' ? attempt(documents.get(url)) : undefined
    if (!document) return application(request, response)
    const arrival = requests.arrive(request)
    const status = isKnown(request.headers['if-none-match'], document.etag) ? 304 : 200
    response.writeHead(status, ['x-request-id', arrival.requestId, ...headsOf(document)[status]])
    response.end(status === 200 ? document.body : undefined)
    requests.leave({ arrival, route: url, method: 'GET', path: url, status })
  }
}

/** What cannot be read now is an error of the application, which knows how to say so. */
function attempt(read: ReadDocument | undefined): CachedDocument | undefined {
  try {
    return read?.()
  } catch {
    return undefined
  }
}
