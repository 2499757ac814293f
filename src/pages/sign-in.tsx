import type { Context, Middleware } from '../http/context.ts'
import { formActionSource } from '../oauth/redirect-uri.ts'
import { type AccountPageName, accountPageNamed } from './account/account-page-names.ts'
import { sendPage } from './document.ts'
import { Alert, CurrentPassword, Field, Form } from './elements/form.tsx'
import { Layout } from './elements/layout.tsx'
import {
  type FlowPages,
  goOn,
  ownForm,
  redirect,
  requestOf,
  signedIn,
  type Visit,
  visitOf,
} from './flow-page.ts'

/** Values that the form keeps. */
interface Attempted {
  readonly identifier?: string
  readonly isWrong?: boolean
  /** The page of the account for a person whom no app has sent; there is a fixed list of them. */
  readonly returnTo: AccountPageName | undefined
}

/** The page with both fields. It serves for the first sign-in and to confirm who is there. */
export function signInPage(pages: FlowPages): { show: Middleware; submit: Middleware } {
  return {
    async show(ctx) {
      const visit = await visitOf(pages, ctx, requestOf(ctx))
      const step = visit.flow && (await pages.flow.stepOf(visit.flow, visit.browser))
      const isNeeded =
        step === undefined
          ? visit.browser === undefined
          : step.kind === 'page' && ['sign-in', 'reauthenticate'].includes(step.page)
      const returnTo = accountPageNamed(new URLSearchParams(ctx.querystring).get('return'))
      if (!isNeeded) return goOn(pages, ctx, visit.flow, visit.browser, returnTo)
      await show(pages, ctx, visit, { returnTo })
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
      if (outcome.kind === 'wrong') {
        return show(pages, ctx, visit, { identifier: username, isWrong: true, returnTo })
      }
      if (outcome.kind === 'stale') {
        return show(pages, ctx, visit, { identifier: username, returnTo })
      }
      const { path, flow } = pages
      if (outcome.kind === 'new-password') {
        const query = new URLSearchParams({ pending: outcome.pending })
        if (visit.flow) query.set('request', visit.flow.sealed)
        return redirect(ctx, `${path}/new-password?${query}`)
      }
      signedIn(pages, ctx, outcome.session, outcome.deviceToken)
      const browser = await flow.browserOf(outcome.session.cookie)
      await goOn(pages, ctx, visit.flow, browser, returnTo)
    },
  }
}

async function show(
  { browserSignIn, path }: FlowPages,
  ctx: Context,
  { flow: opened, language, browser }: Visit,
  { isWrong = false, returnTo, ...typed }: Attempted,
): Promise<void> {
  const { messages } = language
  const title = opened ? messages.signInTo(opened.client.name) : messages.signIn
  const identifier = typed.identifier ?? opened?.request.loginHint
  const hidden = {
    request: opened?.sealed,
    return: returnTo,
    attempt: await browserSignIn.newAttempt(),
  }
  const page = (
    <Layout
      language={language}
      path={path}
      title={title}
      accent={opened?.client.accentColor}
      keep={{ request: opened?.sealed, return: returnTo }}
    >
      {browser && <p>{messages.confirmIdentityEffect}</p>}
      {isWrong && <Alert>{messages.wrongPassword}</Alert>}
      <Form action={`${path}/sign-in`} hidden={hidden}>
        <Field
          name="username"
          label={messages.emailOrUsername}
          type="text"
          autocomplete="username"
          inputmode="email"
          value={identifier}
        />
        <CurrentPassword language={language} />
        <label class="check">
          <input type="checkbox" name="remember" /> {messages.keepSignedIn}
        </label>
        <button type="submit">{messages.signIn}</button>
      </Form>
    </Layout>
  )
  const source = opened && formActionSource(opened.request.redirectUri)
  sendPage(ctx, isWrong ? 422 : 200, page, source)
}
