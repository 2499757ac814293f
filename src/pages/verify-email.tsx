import { verifyAddress } from '../api/account/email.ts'
import type { Waiting } from '../grants/browser-sign-in.ts'
import type { Context, Middleware } from '../http/context.ts'
import { type FieldErrors, fieldErrorsOf } from './field-errors.ts'
import {
  type FlowPages,
  goOn,
  ownForm,
  pageUrl,
  queryOf,
  redirect,
  signedIn,
  type Visit,
  visitOf,
} from './flow-page.ts'
import { checkedLink, checkedRequest, noErrors } from './verify-email-forms.ts'
import { showAsk, showCode, showDone, showLink } from './verify-email-views.tsx'

type Fields = Readonly<Record<string, string>>

/**
 * Verifies an address: by the link of a mail, with the password of the account, or by the code of the mail on
 * the page that waits for it. Opening a link changes nothing, because mail scanners open links.
 */
export function verifyEmailPage(pages: FlowPages): { show: Middleware; submit: Middleware } {
  return {
    async show(ctx) {
      const { token, waiting, request, done, sent } = queryOf(ctx)
      const visit = await visitOf(pages, ctx, request)
      if (done !== undefined) return showDone(pages, ctx, visit)
      if (token) return link(pages, ctx, visit, token)
      const open = await waitingOf(pages, visit, waiting)
      if (open && isSettled(visit, open)) return goOn(pages, ctx, visit.flow, visit.browser)
      if (open) return showCode(pages, ctx, visit, open, { isSentAgain: sent !== undefined })
      // The address is verified by now, in another tab.
      if (visit.flow && visit.browser && !visit.browser.isUnverified) {
        return goOn(pages, ctx, visit.flow, visit.browser)
      }
      showAsk(pages, ctx, visit, { isSent: sent !== undefined })
    },
    async submit(ctx) {
      const fields = await ownForm(pages, ctx)
      const visit = await visitOf(pages, ctx, fields.request)
      try {
        if (fields.code !== undefined) return await enterCode(pages, ctx, visit, fields)
        if (fields.token !== undefined) return await confirmLink(pages, ctx, visit, fields)
        await sendAgain(pages, ctx, visit, fields)
      } catch (error) {
        const errors = fieldErrorsOf(error, visit.language.messages)
        if (!errors) throw error
        if (fields.token === undefined || errors.token !== undefined) {
          return showAsk(pages, ctx, visit, { email: fields.email, errors })
        }
        await link(pages, ctx, visit, fields.token, errors)
      }
    },
  }
}

/** The person of a waiting page: who registered in this browser, or has signed in with it. */
interface OpenWaiting extends Waiting {
  readonly sealed: string | undefined
}

async function waitingOf(
  { browserSignIn, flow }: FlowPages,
  { browser }: Visit,
  sealed: string | undefined,
): Promise<OpenWaiting | undefined> {
  const opened = await browserSignIn.waitingOf(sealed)
  if (opened) return { ...opened, sealed }
  const user = browser?.isUnverified ? await flow.userOf(browser) : undefined
  return user?.email ? { userId: user.id, email: user.email, sealed: undefined } : undefined
}

/** The person has entered the code in another tab, and is signed in. */
const isSettled = ({ browser }: Visit, { userId }: Waiting): boolean =>
  browser?.session.userId === userId && !browser.isUnverified

async function link(
  pages: FlowPages,
  ctx: Context,
  visit: Visit,
  token: string,
  errors: FieldErrors = noErrors,
): Promise<void> {
  const found = await pages.emailAddresses.linkOf(token)
  if (!found) return showAsk(pages, ctx, visit, { isUnusable: true })
  const isOwn = visit.browser?.session.userId === found.user.id
  showLink(pages, ctx, visit, { ...found, token, isOwn, errors })
}

async function confirmLink(
  pages: FlowPages,
  ctx: Context,
  visit: Visit,
  fields: Fields,
): Promise<void> {
  const { throttle } = pages
  const { ip } = ctx.state
  const user = await verifyAddress(pages, checkedLink(fields), visit.browser?.session.userId, ip)
  if (user) return redirect(ctx, pageUrl(pages, 'verify-email', { done: '' }))
  await throttle.countFailure('oneTimeToken', { ip })
  showAsk(pages, ctx, visit, { isUnusable: true, status: 400 })
}

/** A right code verifies the address, and signs in the person who registered in this browser. */
async function enterCode(
  pages: FlowPages,
  ctx: Context,
  visit: Visit,
  fields: Fields,
): Promise<void> {
  const { throttle, emailAddresses, browserSignIn, guesses, flow } = pages
  const { ip } = ctx.state
  const open = await waitingOf(pages, visit, fields.waiting)
  if (!open) return showAsk(pages, ctx, visit, { isUnusable: true })
  await using attempt = await throttle.reserve('emailCode', { ip, email: open.email })
  const user = await emailAddresses.confirmByCode(open.userId, fields.code ?? '', ip)
  if (!user) {
    attempt.failed()
    if (isSettled(visit, open)) return goOn(pages, ctx, visit.flow, visit.browser)
    return showCode(pages, ctx, visit, open, { isWrong: true })
  }
  const begun = await browserSignIn.beginFor(
    user.id,
    ['otp'],
    fields.attempt,
    visit.flow,
    visit.caller,
  )
  if (!begun) return redirect(ctx, pageUrl(pages, 'sign-in', { request: visit.flow?.sealed }))
  signedIn(pages, ctx, begun, guesses.deviceTokenFor(user.id))
  await goOn(pages, ctx, visit.flow, await flow.browserOf(begun.cookie))
}

/** The answer is the same for every address: ASVS 6.3.8. */
async function sendAgain(
  pages: FlowPages,
  ctx: Context,
  visit: Visit,
  fields: Fields,
): Promise<void> {
  const { throttle, emailAddresses } = pages
  const { ip } = ctx.state
  const open = fields.email === undefined && (await waitingOf(pages, visit, fields.waiting))
  const email = open ? open.email : checkedRequest(fields).email
  await throttle.attempt('verification', { person: email, ip })
  await emailAddresses.requestVerification(email, ip, {
    hasCode: Boolean(open),
    locale: visit.language.code,
  })
  const waiting = open ? open.sealed : undefined
  const request = visit.flow?.sealed
  redirect(ctx, pageUrl(pages, 'verify-email', { sent: '', waiting, request }))
}
