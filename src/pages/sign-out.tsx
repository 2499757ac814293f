import type { SignOut } from '../grants/sign-out.ts'
import type { Context, Middleware } from '../http/context.ts'
import { browserCookie, readCookie, setCookie } from '../http/cookies.ts'
import { formActionSource } from '../oauth/redirect-uri.ts'
import { sendPage } from './document.ts'
import { Form } from './elements/form.tsx'
import { Layout } from './elements/layout.tsx'
import { type FlowPages, ownForm, redirect } from './flow-page.ts'
import { languageFor } from './languages/languages.ts'

interface SignOutPages {
  readonly show: Middleware
  readonly submit: Middleware
  readonly done: Middleware
}

/** Asks whether to sign out, and says that it is done. */
export function signOutPages(pages: FlowPages, signOut: SignOut): SignOutPages {
  const { path } = pages
  return {
    async show(ctx) {
      const fields = Object.fromEntries(new URLSearchParams(ctx.querystring))
      const request = requestOf(ctx, fields)
      const outcome = await signOut.requested(request)
      const language = languageFor(ctx)
      const { messages } = language
      const name = outcome.kind === 'ask' ? outcome.client?.name : undefined
      const target = outcome.redirectTo
      sendPage(
        ctx,
        200,
        <Layout
          language={language}
          path={path}
          title={name ? messages.signOutOf(name) : messages.signOutQuestion}
        >
          <p>{messages.signOutEffect}</p>
          <Form action={`${path}/sign-out`} hidden={fields}>
            <button type="submit">{messages.signOut}</button>
          </Form>
          <p>
            <a href={`${path}/account`}>{messages.cancel}</a>
          </p>
        </Layout>,
        target === undefined ? undefined : formActionSource(target),
      )
    },
    async submit(ctx) {
      const outcome = await signOut.confirmed(requestOf(ctx, await ownForm(pages, ctx)))
      const gone = { path: '/', maxAgeSeconds: 0, sameSite: 'Lax' } as const
      ctx.append('set-cookie', setCookie(browserCookie, '', gone))
      const to = outcome.kind === 'signed-out' ? outcome.redirectTo : undefined
      redirect(ctx, to ?? `${path}/signed-out`)
    },
    done(ctx) {
      const language = languageFor(ctx)
      const { messages } = language
      sendPage(
        ctx,
        200,
        <Layout language={language} path={path} title={messages.signedOut}>
          <p>{messages.signedOutEffect}</p>
          <p>
            <a href={`${path}/sign-in`}>{messages.signInAgain}</a>
          </p>
        </Layout>,
      )
    },
  }
}

const requestOf = (ctx: Context, fields: Readonly<Record<string, string>>) => ({
  clientId: fields.client_id,
  postLogoutRedirectUri: fields.post_logout_redirect_uri,
  state: fields.state,
  cookie: readCookie(ctx, browserCookie),
  ip: ctx.state.ip,
})
