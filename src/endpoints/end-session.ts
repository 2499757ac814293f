import type { SignOut } from '../grants/sign-out.ts'
import type { Middleware } from '../http/context.ts'
import { browserCookie, deletedCookie, readCookie } from '../http/cookies.ts'
import { readAuthorizationParams } from '../http/request-body.ts'
import { OAuthError } from '../oauth/error.ts'

interface Dependencies {
  readonly signOut: SignOut
  /** The path of the issuer; empty at the root. */
  readonly path: string
}

/** The members of a sign-out request that its page needs; the hint is not repeated in its URL. */
const carried = ['client_id', 'post_logout_redirect_uri', 'state'] as const

/** `end_session_endpoint`: OpenID Connect RP-Initiated Logout 1.0 §2. */
export function endSession({ signOut, path }: Dependencies): Middleware {
  return async (ctx) => {
    const params = await readAuthorizationParams(ctx)
    if (params.repeated.size > 0) throw new OAuthError('invalid_request', 'a parameter is repeated')
    const cookie = readCookie(ctx, browserCookie)
    const outcome = await signOut.requested({
      idTokenHint: params.get('id_token_hint'),
      clientId: params.get('client_id'),
      postLogoutRedirectUri: params.get('post_logout_redirect_uri'),
      state: params.get('state'),
      cookie,
      isCrossSite: ctx.method === 'POST' && cookie === undefined,
      ip: ctx.state.ip,
    })
    ctx.body = null
    ctx.status = 303
    if (outcome.kind === 'ask') {
      // The page decides again whether the address that it would lead to is registered.
      const query = new URLSearchParams()
      const clientId = outcome.client?.id
      for (const name of carried) {
        const value = name === 'client_id' ? clientId : params.get(name)
        if (clientId !== undefined && value !== undefined) query.set(name, value)
      }
      ctx.set('location', `${path}/sign-out?${query}`.replace(/\?$/, ''))
      return
    }
    // Without a cookie another site may have sent this: it must not sign anybody out.
    if (cookie !== undefined) {
      ctx.append('set-cookie', deletedCookie(browserCookie))
    }
    ctx.set('location', outcome.redirectTo ?? `${path}/signed-out`)
  }
}
