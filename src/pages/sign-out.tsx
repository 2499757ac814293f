import type { SignOut } from '../grants/sign-out.ts'
import type { Context, Middleware } from '../http/context.ts'
import { browserCookie, deletedCookie, readCookie } from '../http/cookies.ts'
import { formActionSource } from '../oauth/redirect-uri.ts'
import { clientName } from './client-name.ts'
import { sendPage } from './document.ts'
import { Form } from './elements/form.tsx'
import { Layout } from './elements/layout.tsx'
import { Person } from './elements/person.tsx'
import { type FlowPages, ownForm, queryOf, redirect, visitOf } from './flow-page.ts'

interface SignOutPages {
  readonly show: Middleware
  readonly submit: Middleware
  readonly done: Middleware
}

/** The parameters of a sign-out request that its form carries on. */
const carried = ['client_id', 'post_logout_redirect_uri', 'state'] as const

/** Asks whether to sign out, and says that it is done. */
export function signOutPages(pages: FlowPages, signOut: SignOut): SignOutPages {
  const { path, flow } = pages
  return {
    async show(ctx) {
      const query = queryOf(ctx)
      const fields = Object.fromEntries(carried.map((name) => [name, query[name]]))
      const outcome = await signOut.requested(requestOf(ctx, fields))
      const { language, browser } = await visitOf(pages, ctx, undefined)
      const user = browser && (await flow.userOf(browser))
      const { messages } = language
      const client = outcome.kind === 'ask' ? outcome.client : undefined
      const target = outcome.redirectTo
      if (client) ctx.state.client = client
      sendPage(
        ctx,
        200,
        <Layout
          language={language}
          path={path}
          title={client ? messages.signOutOf(clientName(client)) : messages.signOutQuestion}
          lead={messages.signOutEffect}
          accent={client?.accentColor}
          keep={fields}
        >
          {user && <Person name={user.email ?? user.username ?? ''} />}
          <Form action={`${path}/sign-out`} hidden={fields}>
            <button type="submit">{messages.signOut}</button>
          </Form>
          <a class="button secondary" href={`${path}/account`}>
            {messages.cancel}
          </a>
        </Layout>,
        target === undefined ? undefined : formActionSource(target),
      )
    },
    async submit(ctx) {
      const outcome = await signOut.confirmed(requestOf(ctx, await ownForm(pages, ctx)))
      ctx.append('set-cookie', deletedCookie(browserCookie))
      const to = outcome.kind === 'signed-out' ? outcome.redirectTo : undefined
      redirect(ctx, to ?? `${path}/signed-out`)
    },
    async done(ctx) {
      const { language } = await visitOf(pages, ctx, undefined)
      const { messages } = language
      sendPage(
        ctx,
        200,
        <Layout
          language={language}
          path={path}
          title={messages.signedOut}
          lead={messages.signedOutEffect}
        >
          <a class="button" href={`${path}/sign-in`}>
            {messages.signInAgain}
          </a>
          <a class="button secondary" href={`${path}/`}>
            {messages.toStart}
          </a>
        </Layout>,
      )
    },
  }
}

const requestOf = (ctx: Context, fields: Readonly<Record<string, string | undefined>>) => ({
  clientId: fields.client_id,
  postLogoutRedirectUri: fields.post_logout_redirect_uri,
  state: fields.state,
  cookie: readCookie(ctx, browserCookie),
  ip: ctx.state.ip,
})
