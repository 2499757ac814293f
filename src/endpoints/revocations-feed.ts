import { isKnown } from '../http/conditional.ts'
import type { Context, Middleware } from '../http/context.ts'
import { shared } from '../http/published.ts'
import { OAuthError } from '../oauth/error.ts'
import type { FeedDocument } from '../revocations/feed-documents.ts'
import type { RevocationFeed } from '../revocations/revocation-feed.ts'

/** Proxies and load balancers end a request that is silent for longer. */
const longestWaitSeconds = 30

/**
 * The live revocations as a signed list of digests, for verifiers that ask nobody about a token. It
 * is public: it says how many there are, and names nothing. docs/verifying.md has its format.
 */
export function revocationsFeed({ feed }: { readonly feed: RevocationFeed }): Middleware {
  const bodies = new WeakMap<FeedDocument, string | Buffer>()
  const bodyOf = (document: FeedDocument): string | Buffer => {
    const body = bodies.get(document) ?? shared(document.jwt)
    bodies.set(document, body)
    return body
  }
  return async (ctx) => {
    const since = parameter(ctx, 'since')
    const waitSeconds = since === undefined ? 0 : waitOf(parameter(ctx, 'wait'))
    const leaving = new AbortController()
    const leave = () => leaving.abort()
    ctx.res.once('close', leave)
    const document = await feed.read({ since, waitSeconds, gone: leaving.signal })
    ctx.res.off('close', leave)
    if (!document) {
      const options = { headers: { 'retry-after': '1' } }
      throw new OAuthError('temporarily_unavailable', 'the log was not read yet', options)
    }
    ctx.set({ etag: document.etag, 'cache-control': 'public, max-age=1' })
    ctx.type = 'application/jwt'
    ctx.status = 200
    if (isKnown(ctx.get('if-none-match'), document.etag)) ctx.status = 304
    else ctx.body = bodyOf(document)
  }
}

function parameter(ctx: Context, name: string): string | undefined {
  const [value, ...more] = new URLSearchParams(ctx.querystring).getAll(name)
  if (more.length > 0) throw new OAuthError('invalid_request', `${name} is repeated`)
  return value || undefined
}

function waitOf(text = '0'): number {
  if (!/^\d{1,5}$/.test(text)) throw new OAuthError('invalid_request', 'wait is whole seconds')
  return Math.min(Number(text), longestWaitSeconds)
}
