import type { ReturnAddress } from '../authentication/authorization-request.ts'
import { responseModeOf } from '../authentication/authorization-request.ts'
import type { InteractionError } from '../authentication/next.ts'
import type { Client } from '../clients/client.ts'
import type { Clients } from '../clients/clients.ts'
import type { BrowserFlow, ClientAnswer, NewFlow } from '../grants/browser-flow.ts'
import type { Context, Middleware } from '../http/context.ts'
import { browserCookie, readCookie } from '../http/cookies.ts'
import { asOAuthError } from '../http/error-boundary.ts'
import { readAuthorizationParams } from '../http/request-body.ts'
import { OAuthError } from '../oauth/error.ts'
import type { Params } from '../oauth/params.ts'
import { isRegistered, longestRedirectUri } from '../oauth/redirect-uri.ts'

interface Dependencies {
  readonly flow: BrowserFlow
  readonly clients: Clients
  /** The path of the issuer; empty at the root. */
  readonly path: string
  /** Takes the browser to the client. */
  readonly send: (ctx: Context, answer: ClientAnswer) => void
}

/** A request that came as a form goes on with a GET; `request` is a parameter of OpenID Connect Core §6. */
const postedRequest = 'posted_request'

/**
 * The authorization endpoint: RFC 6749 §3.1, OpenID Connect Core §3.1.2. Until the client and its redirect
 * URI are known to be right, an error is a page (§4.1.2.1); after that the client is told by redirect.
 */
export function authorization({ flow, clients, path, send }: Dependencies): Middleware {
  return async (ctx) => {
    const params = await readAuthorizationParams(ctx)
    ctx.state.uiLocales = localesOf(params)
    const posted = ctx.method === 'GET' ? await flow.open(params.get(postedRequest)) : undefined
    const client = posted?.client ?? (await clientOf(params, clients))
    ctx.state.facts.clientId = client.id
    // An error page leads back to the client.
    ctx.state.client = client
    const started =
      posted ?? (await start(flow, params, client, returnAddressOf(params, client), ctx))
    if ('parameters' in started) return send(ctx, started)
    const show = async (page: string) => toPage(ctx, path, page, await flow.seal(started))
    // A form of another site brings no cookie, but the GET that follows does.
    if (ctx.method === 'POST') {
      return redirect(ctx, `${path}/oauth/authorize?${postedRequest}=${await flow.seal(started)}`)
    }
    const isSilent = started.request.prompt.includes('none')
    try {
      await answerOrShow(flow, started, ctx, show, send)
    } catch (error) {
      // A page would be seen by no person.
      if (!isSilent) throw error
      send(ctx, refused(flow, started.request, error, ctx))
    }
  }
}

/** For error pages, which come before the request is validated. */
const localesOf = (params: Params): string[] =>
  (params.get('ui_locales') ?? '').slice(0, longestLocales).split(' ')

const longestLocales = 200

/** Answers the client from the session of the browser, or shows the page that comes next. */
async function answerOrShow(
  flow: BrowserFlow,
  started: NewFlow,
  ctx: Context,
  show: (page: string) => Promise<void>,
  send: Dependencies['send'],
): Promise<void> {
  const refuse = (error: InteractionError) => {
    ctx.state.facts.error = error
    send(ctx, flow.refuse(started.request, error, 'the person has to act on a page'))
  }
  const browser = await flow.browserOf(readCookie(ctx, browserCookie))
  if (browser) ctx.state.facts.userId = browser.session.userId
  const step = await flow.stepOf(started, browser)
  if (step.kind === 'page') return show(step.page)
  if (step.kind === 'error') return refuse(step.error)
  const answer = browser && (await flow.answer(started, browser))
  if (answer) return send(ctx, answer)
  // The browser has signed out at this moment.
  if (started.request.prompt.includes('none')) return refuse('login_required')
  await show('sign-in')
}

const toPage = (ctx: Context, path: string, page: string, sealed: string): void =>
  redirect(ctx, `${path}/${page}?request=${sealed}`)

function redirect(ctx: Context, location: string): void {
  // RFC 9700 §4.12: 303, because 307 would send a form on.
  ctx.status = 303
  ctx.set('location', location)
  ctx.body = null
  ctx.status = 303
}

async function start(
  flow: BrowserFlow,
  params: Params,
  client: Client,
  to: ReturnAddress,
  ctx: Context,
): Promise<NewFlow | ClientAnswer> {
  try {
    const [repeated] = params.repeated
    if (repeated !== undefined) {
      throw new OAuthError('invalid_request', 'a parameter is repeated')
    }
    return await flow.start(params, client, to.redirectUri)
  } catch (error) {
    return refused(flow, to, error, ctx)
  }
}

function refused(flow: BrowserFlow, to: ReturnAddress, error: unknown, ctx: Context): ClientAnswer {
  const { code, message, cause } = asOAuthError(ctx, error)
  ctx.state.facts.error = code
  if (cause instanceof Error) ctx.state.facts.cause = cause.message
  ctx.state.sentence = message
  return flow.refuse(to, code, message)
}

async function clientOf(params: Params, clients: Clients): Promise<Client> {
  const id = params.repeated.has('client_id') ? undefined : params.get('client_id')
  const client = id === undefined ? undefined : (await clients.find(id))?.client
  if (!client) {
    throw new OAuthError('invalid_client', 'there is no such client', { status: 400 })
  }
  return client
}

/** @throws OAuthError if nothing may be sent back: RFC 6749 §3.1.2.4, RFC 9700 §4.1 */
function returnAddressOf(params: Params, client: Client): ReturnAddress {
  const redirectUri = params.repeated.has('redirect_uri') ? undefined : params.get('redirect_uri')
  if (
    redirectUri === undefined ||
    redirectUri.length > longestRedirectUri ||
    !isRegistered(redirectUri, client.redirectUris)
  ) {
    throw new OAuthError('invalid_request', 'the redirect_uri is not registered for this client', {
      cause: redirectUri === undefined ? 'no redirect_uri' : 'redirect_uri is not registered',
    })
  }
  const state = params.repeated.has('state') ? undefined : params.get('state')
  return { redirectUri, responseMode: modeOf(params), state }
}

/** An unknown mode is an error itself, which goes back in the query. */
function modeOf(params: Params) {
  try {
    return params.repeated.has('response_mode') ? 'query' : responseModeOf(params)
  } catch {
    return 'query'
  }
}
