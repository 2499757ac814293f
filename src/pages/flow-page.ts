import { Problem } from '../api/problem.ts'
import type { GuessLimiter } from '../authentication/guess-limiter.ts'
import type { Apps } from '../clients/apps.ts'
import type { BrowserFlow, ClientAnswer, Flow } from '../grants/browser-flow.ts'
import type { BrowserSignIn, Caller } from '../grants/browser-sign-in.ts'
import type { Context } from '../http/context.ts'
import {
  browserCookie,
  browserDeviceCookie,
  pendingCookie,
  readCookie,
  setCookie,
} from '../http/cookies.ts'
import { readForm } from '../http/request-body.ts'
import type { BegunBrowserSession, SignedInBrowser } from '../sessions/browser-sessions.ts'
import type { Throttle } from '../throttle/throttle.ts'
import type { Credentials } from '../users/credentials.ts'
import type { EmailAddresses } from '../users/email-addresses.ts'
import type { Registration } from '../users/registration.ts'
import { type AccountPageName, accountPath } from './account/account-page-names.ts'
import { languageFor } from './language-for.ts'
import type { Language } from './languages/languages.ts'

/** The common dependencies of the pages of a sign-in. */
export interface FlowPages {
  readonly flow: BrowserFlow
  readonly browserSignIn: BrowserSignIn
  readonly apps: Apps
  readonly credentials: Credentials
  readonly emailAddresses: EmailAddresses
  readonly registration: Registration
  readonly throttle: Throttle
  readonly guesses: GuessLimiter
  /** False if only administrators add people. */
  readonly isRegistrationOpen: boolean
  readonly issuer: string
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
  if (opened) {
    ctx.state.facts.clientId = opened.client.id
    // An error page leads on from here.
    ctx.state.client = opened.client
    ctx.state.sealedRequest = opened.sealed
  }
  if (browser) ctx.state.facts.userId = browser.session.userId
  const language = languageFor(ctx, opened?.request.uiLocales, browser?.locale)
  ctx.state.uiLocales = [language.code]
  return {
    flow: opened,
    browser,
    language,
    caller: {
      device: { ip: ctx.state.ip, userAgent: ctx.get('user-agent') || undefined },
      cookie,
      deviceToken: readCookie(ctx, browserDeviceCookie),
      pendingProof: readCookie(ctx, pendingCookie),
    },
  }
}

/** The parameters of the URL. The first of a name counts. */
export function queryOf(ctx: Context): Readonly<Record<string, string | undefined>> {
  const query = [...new URLSearchParams(ctx.querystring)].reverse()
  return { ...Object.fromEntries(query) }
}

export const requestOf = (ctx: Context): string | undefined => queryOf(ctx).request

/** The address of a page for the same request. */
export function pageUrl(
  { path }: Pick<FlowPages, 'path'>,
  page: string,
  query: Readonly<Record<string, string | undefined>>,
): string {
  const given = Object.entries(query).filter(([, value]) => value !== undefined)
  const text = new URLSearchParams(given as [string, string][]).toString()
  return text === '' ? `${path}/${page}` : `${path}/${page}?${text}`
}

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

/** Gives the browser the proof without which the value of an owed password is worthless. */
export const setPendingProof = (ctx: Context, proof: string): void =>
  ctx.append(
    'set-cookie',
    setCookie(pendingCookie, proof, { path: '/', maxAgeSeconds: 600, sameSite: 'Lax' }),
  )

/** Sets the cookies of a browser that has just signed in. */
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
  if (deviceToken !== undefined) rememberDevice(ctx, deviceToken)
}

const deviceSeconds = 90 * 86_400

/** Marks this browser as one that the person has signed in with. */
export function rememberDevice(ctx: Context, deviceToken: string): void {
  const options = { path: '/', maxAgeSeconds: deviceSeconds, sameSite: 'Lax' } as const
  ctx.append('set-cookie', setCookie(browserDeviceCookie, deviceToken, options))
}
