import { Problem } from '../api/problem.ts'
import type { BrowserFlow, ClientAnswer, Flow } from '../grants/browser-flow.ts'
import type { BrowserSignIn, Caller } from '../grants/browser-sign-in.ts'
import type { Context } from '../http/context.ts'
import { browserCookie, browserDeviceCookie, readCookie, setCookie } from '../http/cookies.ts'
import { readForm } from '../http/request-body.ts'
import type { BegunBrowserSession, SignedInBrowser } from '../sessions/browser-sessions.ts'
import { type AccountPageName, accountPath } from './account/account-page-names.ts'
import { type Language, languageFor } from './languages/languages.ts'

/** The common dependencies of the pages of a sign-in. */
export interface FlowPages {
  readonly flow: BrowserFlow
  readonly browserSignIn: BrowserSignIn
  /** The path of the issuer; empty at the root. */
  readonly path: string
  readonly origin: string
  readonly sendAnswer: (ctx: Context, answer: ClientAnswer) => void
  readonly sessionSeconds: number
}

/** Where a person stands when a page opens: their request, their browser, their language. */
export interface Visit {
  /** undefined: no app has asked for this sign-in. */
  readonly flow: Flow | undefined
  readonly browser: SignedInBrowser | undefined
  readonly language: Language
  readonly caller: Caller
}

/** @param sealed the request of the query or of a form */
export async function visitOf(
  { flow }: Pick<FlowPages, 'flow'>,
  ctx: Context,
  sealed: string | undefined,
): Promise<Visit> {
  const opened = await flow.open(sealed)
  const cookie = readCookie(ctx, browserCookie)
  const browser = await flow.browserOf(cookie)
  if (opened) ctx.state.facts.clientId = opened.client.id
  if (browser) ctx.state.facts.userId = browser.session.userId
  return {
    flow: opened,
    browser,
    language: languageFor(ctx, opened?.request.uiLocales),
    caller: {
      device: { ip: ctx.state.ip, userAgent: ctx.get('user-agent') || undefined },
      cookie,
      deviceToken: readCookie(ctx, browserDeviceCookie),
    },
  }
}

export const requestOf = (ctx: Context): string | undefined =>
  new URLSearchParams(ctx.querystring).get('request') ?? undefined

/** The fields of a form of ours. */
export async function ownForm(
  { origin }: Pick<FlowPages, 'origin'>,
  ctx: Context,
): Promise<Record<string, string>> {
  checkOrigin(ctx, origin)
  return readForm(ctx)
}

/** ASVS 3.5.1: only a page of this server sends its forms, so nobody is signed in by another site. */
function checkOrigin(ctx: Context, own: string): void {
  const site = ctx.get('sec-fetch-site')
  const isOwn = site === '' ? ctx.get('origin') === own : site === 'same-origin'
  if (!isOwn) throw new Problem('foreign-origin')
}

/**
 * Goes on to the page or the client that comes next, after a form or when a page is not needed.
 * @param returnTo the page of the account for a person whom no app has sent
 */
export async function goOn(
  pages: FlowPages,
  ctx: Context,
  opened: Flow | undefined,
  browser: SignedInBrowser | undefined,
  returnTo: AccountPageName = 'overview',
): Promise<void> {
  const { flow, path, sendAnswer } = pages
  if (!opened) return redirect(ctx, browser ? accountPath(path, returnTo) : `${path}/sign-in`)
  const step = await flow.stepOf(opened, browser)
  if (step.kind === 'page') {
    return redirect(ctx, `${path}/${step.page}?request=${opened.sealed}`)
  }
  if (step.kind === 'error') {
    return sendAnswer(
      ctx,
      flow.refuse(opened.request, step.error, 'the person has to act on a page'),
    )
  }
  const answer = browser && (await flow.answer(opened, browser, true))
  if (!answer) return redirect(ctx, `${path}/continue?request=${opened.sealed}`)
  sendAnswer(ctx, answer)
}

export function redirect(ctx: Context, location: string): void {
  ctx.body = null
  ctx.status = 303
  ctx.set('location', location)
}

/** The cookies of a browser that has just signed in. */
export function signedIn(
  { sessionSeconds }: Pick<FlowPages, 'sessionSeconds'>,
  ctx: Context,
  { session, cookie }: BegunBrowserSession,
  deviceToken?: string,
): void {
  const maxAgeSeconds = session.remembered ? sessionSeconds : undefined
  ctx.append(
    'set-cookie',
    setCookie(browserCookie, cookie, { path: '/', maxAgeSeconds, sameSite: 'Lax' }),
  )
  if (deviceToken === undefined) return
  const days90 = 90 * 86_400
  ctx.append(
    'set-cookie',
    setCookie(browserDeviceCookie, deviceToken, {
      path: '/',
      maxAgeSeconds: days90,
      sameSite: 'Lax',
    }),
  )
}
