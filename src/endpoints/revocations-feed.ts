import { isCurrent, sharedBody } from '../http/cached-documents.ts'
import type { Context, Middleware } from '../http/context.ts'
import { OAuthError } from '../oauth/error.ts'
import type { FeedDocument } from '../revocations/feed-documents.ts'
import type { FeedRefusal, RevocationFeed } from '../revocations/revocation-feed.ts'
import { activeSpan } from '../telemetry/spans.ts'

/** Proxies and load balancers cut off requests that are silent for longer. */
const longestWaitSeconds = 30

/**
 * The active revocations as a signed list of digests, for services that verify tokens by themselves. It is
 * public: it shows how many there are, and identifies none. The format is described in docs/verifying.md.
 */
export function revocationsFeed({ feed }: { readonly feed: RevocationFeed }): Middleware {
  const bodies = new WeakMap<FeedDocument, string | Buffer>()
  const bodyOf = (document: FeedDocument): string | Buffer => {
    const body = bodies.get(document) ?? sharedBody(document.jwt)
    bodies.set(document, body)
    return body
  }
  return async (ctx) => {
    const document = await documentFor(ctx, feed)
    ctx.set({ etag: document.etag, 'cache-control': 'public, max-age=1' })
    ctx.type = 'application/jwt'
    ctx.status = 200
    if (isCurrent(ctx.get('if-none-match'), document.etag)) ctx.status = 304
    else ctx.body = bodyOf(document)
  }
}

async function documentFor(ctx: Context, feed: RevocationFeed): Promise<FeedDocument> {
  const since = parameter(ctx, 'since')
  const part = numberOf('part', parameter(ctx, 'part'))
  const of = numberOf('of', parameter(ctx, 'of'))
  const wait = since === undefined ? 0 : (numberOf('wait', parameter(ctx, 'wait')) ?? 0)
  const waitSeconds = Math.min(wait, longestWaitSeconds)
  if (part !== undefined && of !== undefined) return documentOf(await feed.readPart({ part, of }))
  if (part) throw new OAuthError('invalid_request', 'part requires of')
  const leaving = new AbortController()
  const leave = () => leaving.abort()
  ctx.res.once('close', leave)
  // Following its work for so long would make all other requests dearer.
  if (waitSeconds > 0) activeSpan()?.detach()
  const request = { since, waitSeconds, inParts: part === 0, gone: leaving.signal }
  const document = await feed.read(request).finally(() => ctx.res.off('close', leave))
  return documentOf(document)
}

function documentOf(document: FeedDocument | FeedRefusal | undefined): FeedDocument {
  if (document === undefined) {
    const options = { headers: { 'retry-after': '1' } }
    throw new OAuthError(
      'temporarily_unavailable',
      'the revocations have not been read yet, try again',
      options,
    )
  }
  if (document === 'too_large') {
    throw new OAuthError(
      'invalid_request',
      'the list is too long for one answer: fetch it in parts, beginning with part=0',
    )
  }
  if (document === 'other_parts') {
    throw new OAuthError(
      'invalid_request',
      'the list is divided differently now: begin again with part=0',
    )
  }
  return document
}

/** Not from Koa's `ctx.URL`, which is empty when the `Host` header is malformed. */
function parameter(ctx: Context, name: string): string | undefined {
  const [value, ...more] = new URLSearchParams(ctx.querystring).getAll(name)
  if (more.length > 0) throw new OAuthError('invalid_request', `${name} must not be repeated`)
  return value || undefined
}

function numberOf(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  if (!/^\d{1,5}$/.test(text))
    throw new OAuthError('invalid_request', `${name} must be a whole number`)
  return Number(text)
}
