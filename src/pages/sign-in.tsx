import type { FlowPage, Step } from '../authentication/next.ts'
import type { Context, Middleware } from '../http/context.ts'
import { formActionSource } from '../oauth/redirect-uri.ts'
import { type AccountPageName, accountPageNamed } from './account/account-page-names.ts'
import { showAccount } from './choose-account.tsx'
import { clientName } from './client-name.ts'
import { sendPage } from './document.ts'
import { Alert, CurrentPassword, Field, Form } from './elements/form.tsx'
import { Layout } from './elements/layout.tsx'
import {
  type FlowPages,
  goOn,
  ownForm,
  pageUrl,
  queryOf,
  redirect,
  setPendingProof,
  signedIn,
  type Visit,
  visitOf,
} from './flow-page.ts'

/** A form that did not sign in. */
interface Attempted {
  readonly identifier: string
  readonly isWrong: boolean
}

/** Steps that a person takes with their password. */
const needed: readonly string[] = ['sign-in', 'reauthenticate', 'new-password']

/** The page with both fields. It serves for the first sign-in and to confirm who is there. */
export function signInPage(pages: FlowPages): { show: Middleware; submit: Middleware } {
  return {
    async show(ctx) {
      const { request, another, return: page } = queryOf(ctx)
      const returnTo = accountPageNamed(page ?? null)
      const visit = await visitOf(pages, ctx, request)
      const { browser } = visit
      const step = visit.flow && (await pages.flow.stepOf(visit.flow, browser))
      // The back button leads here too: the page says who is signed in, and leads on.
      // Somebody who has chosen their account may owe a proof as well.
      const isAskedFor = ctx.path === `${pages.path}/reauthenticate` && isOn(step, 'choose-account')
      if (browser && another === undefined && !isAskedFor && !isNeeded(step)) {
        const isAnswered = isOn(step, 'continue')
        if (isAnswered || (returnTo !== undefined && !visit.flow)) {
          return goOn(pages, ctx, visit.flow, browser, returnTo)
        }
        return showAccount(pages, ctx, visit, visit.language.messages.alreadySignedIn)
      }
      await show(pages, ctx, visit, { confirms: another === undefined, returnTo })
    },
    async submit(ctx) {
      const fields = await ownForm(pages, ctx)
      const visit = await visitOf(pages, ctx, fields.request)
      const { username = '', password = '' } = fields
      const returnTo = accountPageNamed(fields.return)
      const outcome = await pages.browserSignIn.withPassword(
        {
          attempt: fields.attempt,
          identifier: username,
          password,
          remember: fields.remember === 'on',
        },
        visit.flow,
        visit.caller,
      )
      if (outcome.kind === 'wrong' || outcome.kind === 'stale') {
        const attempted = { identifier: username, isWrong: outcome.kind === 'wrong' }
        return show(pages, ctx, visit, {
          confirms: fields.confirms !== undefined,
          attempted,
          returnTo,
        })
      }
      if (outcome.kind === 'new-password') {
        setPendingProof(ctx, outcome.proof)
        const query = { pending: outcome.pending, request: visit.flow?.sealed }
        return redirect(ctx, pageUrl(pages, 'new-password', query))
      }
      signedIn(pages, ctx, outcome.session, outcome.deviceToken)
      const browser = await pages.flow.browserOf(outcome.session.cookie)
      await goOn(pages, ctx, visit.flow, browser, returnTo)
    },
  }
}

const isOn = (step: Step | undefined, page: FlowPage): boolean =>
  step?.kind === 'page' && step.page === page

const isNeeded = (step: Step | undefined): boolean =>
  step?.kind === 'page' && needed.includes(step.page)

interface Shown {
  /** True if the person who is signed in is to confirm that it is them. */
  readonly confirms: boolean
  readonly attempted?: Attempted
  /** The page of the account for a person whom no app has sent; there is a fixed list of them. */
  readonly returnTo: AccountPageName | undefined
}

async function show(
  pages: FlowPages,
  ctx: Context,
  visit: Visit,
  { confirms, attempted, returnTo }: Shown,
): Promise<void> {
  const { browserSignIn, flow, path, isRegistrationOpen } = pages
  const { flow: opened, language, browser } = visit
  const { messages } = language
  const user = confirms && browser ? await flow.userOf(browser) : undefined
  const hint = opened?.request.loginHint
  const own = user?.email ?? user?.username ?? undefined
  const isOther =
    opened !== undefined && browser !== undefined && !(await flow.isHinted(opened, browser))
  const confirmed = isOther ? undefined : own
  const request = opened?.sealed
  const hidden = {
    request,
    return: returnTo,
    attempt: await browserSignIn.newAttempt(),
    confirms: confirmed === undefined ? undefined : '1',
  }
  const name = opened && clientName(opened.client)
  const page = (
    <Layout
      language={language}
      path={path}
      title={confirmed === undefined ? messages.signIn : messages.confirmIdentity}
      lead={
        confirmed === undefined ? name && messages.signInTo(name) : messages.confirmIdentityEffect
      }
      accent={opened?.client.accentColor}
      keep={{ request, return: returnTo, another: queryOf(ctx).another }}
    >
      {attempted && (
        <Alert>{attempted.isWrong ? messages.wrongPassword : messages.formExpired}</Alert>
      )}
      {isOther && own !== undefined && hint !== undefined && (
        <p>
          {messages.signedInAs} <bdi>{own}</bdi>. {messages.signInAsHinted(hint)}
        </p>
      )}
      <Form action={`${path}/sign-in`} hidden={hidden}>
        <Field
          name="username"
          label={messages.emailOrUsername}
          type="text"
          autocomplete="username"
          inputmode="email"
          maxlength={254}
          value={attempted?.identifier.slice(0, 254) ?? confirmed ?? hint}
          readonly={confirmed !== undefined}
        />
        <CurrentPassword language={language} />
        <div class="between">
          {confirmed === undefined && (
            <label class="check">
              <input type="checkbox" name="remember" /> {messages.keepSignedIn}
            </label>
          )}
          <p>
            <a href={pageUrl(pages, 'forgot-password', { request })}>{messages.forgotPassword}</a>
          </p>
        </div>
        <button type="submit">{messages.signIn}</button>
      </Form>
      {confirmed !== undefined && (
        <div class="after">
          <a href={pageUrl(pages, 'sign-in', { request, return: returnTo, another: '1' })}>
            {messages.useAnotherAccount}
          </a>
        </div>
      )}
      {confirmed === undefined && isRegistrationOpen && (
        <div class="after">
          {messages.newHere}{' '}
          <a href={pageUrl(pages, 'register', { request })}>{messages.createAccount}</a>
        </div>
      )}
    </Layout>
  )
  const source = opened && formActionSource(opened.request.redirectUri)
  sendPage(ctx, attempted ? 422 : 200, page, source)
}
