import type { Middleware } from '../http/context.ts'
import { formActionSource, isLoopback, isPrivateScheme } from '../oauth/redirect-uri.ts'
import { sendPage } from './document.ts'
import { Form } from './elements/form.tsx'
import { Layout } from './elements/layout.tsx'
import { type FlowPages, goOn, ownForm, redirect, requestOf, visitOf } from './flow-page.ts'
import type { Messages } from './languages/en.ts'

/** Asks whether a client may act for the person, for what, and where they return to. */
export function consentPage(pages: FlowPages): { show: Middleware; submit: Middleware } {
  const { flow, path, sendAnswer } = pages
  return {
    async show(ctx) {
      const { flow: opened, browser, language } = await visitOf(pages, ctx, requestOf(ctx))
      const step = opened && (await flow.stepOf(opened, browser))
      if (!opened || !browser || step?.kind !== 'page' || step.page !== 'consent') {
        return goOn(pages, ctx, opened, browser)
      }
      const { client, request, sealed } = opened
      const { messages } = language
      const user = await flow.userOf(browser)
      const hidden = { request: sealed, person: browser.session.userId }
      sendPage(
        ctx,
        200,
        <Layout
          language={language}
          path={path}
          title={messages.consentTitle(client.name)}
          accent={client.accentColor}
          keep={{ request: sealed }}
        >
          <p>{messages.consentAs(user?.email ?? user?.username ?? '')}</p>
          <p>{messages.consentScopes}</p>
          <ul>
            {request.scope.map((scope) => (
              <li key={scope}>{messages.scopes[scope] ?? messages.scopeNamed(scope)}</li>
            ))}
          </ul>
          <p class="hint">{destination(request.redirectUri, messages)}</p>
          <Form action={`${path}/consent`} hidden={hidden}>
            <button type="submit" name="decision" value="allow">
              {messages.allow}
            </button>
            <button type="submit" name="decision" value="deny" class="secondary">
              {messages.deny}
            </button>
          </Form>
        </Layout>,
        formActionSource(request.redirectUri),
      )
    },
    async submit(ctx) {
      const fields = await ownForm(pages, ctx)
      const { flow: opened, browser } = await visitOf(pages, ctx, fields.request)
      // Another person has signed in meanwhile: they are asked themselves.
      if (!opened || browser?.session.userId !== fields.person || !browser) {
        return goOn(pages, ctx, opened, browser)
      }
      if (fields.decision !== 'allow') {
        return sendAnswer(
          ctx,
          flow.refuse(opened.request, 'access_denied', 'the person did not allow the request'),
        )
      }
      const answer = await flow.allow(opened, browser, ctx.state.ip)
      if (!answer) return redirect(ctx, `${path}/sign-in?request=${opened.sealed}`)
      sendAnswer(ctx, answer)
    },
  }
}

function destination(redirectUri: string, messages: Messages): string {
  if (isPrivateScheme(redirectUri)) return messages.consentProgram
  const url = new URL(redirectUri)
  return isLoopback(url) ? messages.consentProgram : messages.consentReturn(url.host)
}
