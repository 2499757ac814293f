import type { Context, Middleware } from '../http/context.ts'
import { formActionSource, isLoopback, isPrivateScheme } from '../oauth/redirect-uri.ts'
import type { SignedInBrowser } from '../sessions/browser-sessions.ts'
import { clientName } from './client-name.ts'
import { sendPage } from './document.ts'
import { Form } from './elements/form.tsx'
import { Icon } from './elements/icons.tsx'
import { Layout } from './elements/layout.tsx'
import { Person } from './elements/person.tsx'
import {
  type FlowPages,
  goOn,
  ownForm,
  pageUrl,
  requestOf,
  type Visit,
  visitOf,
} from './flow-page.ts'
import type { Messages } from './languages/en.ts'

/** Asks whether a client may act for the person, for what, and where they return to. */
export function consentPage(pages: FlowPages): { show: Middleware; submit: Middleware } {
  const { flow, sendAnswer } = pages
  return {
    async show(ctx) {
      const visit = await visitOf(pages, ctx, requestOf(ctx))
      const { flow: opened, browser } = visit
      const step = opened && (await flow.stepOf(opened, browser))
      if (!opened || !browser || step?.kind !== 'page' || step.page !== 'consent') {
        return goOn(pages, ctx, opened, browser)
      }
      await show(pages, ctx, visit, browser)
    },
    async submit(ctx) {
      const fields = await ownForm(pages, ctx)
      const { flow: opened, browser, caller } = await visitOf(pages, ctx, fields.request)
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
      // Another page comes first, or the browser has signed out or answered at this moment.
      if (!answer) return goOn(pages, ctx, opened, await flow.browserOf(caller.cookie))
      sendAnswer(ctx, answer)
    },
  }
}

async function show(
  pages: FlowPages,
  ctx: Context,
  { flow: opened, language }: Visit,
  browser: SignedInBrowser,
): Promise<void> {
  if (!opened) return
  const { flow, path } = pages
  const { client, request, sealed } = opened
  const { messages } = language
  const user = await flow.userOf(browser)
  const before = await flow.consentedScopes(opened, browser)
  const added = request.scope.filter((scope) => !before.includes(scope))
  const known = request.scope.filter((scope) => before.includes(scope))
  // A request for nothing new shows everything: it is what the person decides on.
  const [open, folded] = added.length > 0 ? [added, known] : [known, []]
  const hidden = { request: sealed, person: browser.session.userId }
  const host = hostOf(request.redirectUri)
  sendPage(
    ctx,
    200,
    <Layout
      language={language}
      path={path}
      title={messages.consentTitle(clientName(client))}
      accent={client.accentColor}
      keep={{ request: sealed }}
      footer={
        <>
          {client.policyUri && <a href={client.policyUri}>{messages.policy}</a>}
          {client.tosUri && <a href={client.tosUri}>{messages.terms}</a>}
        </>
      }
    >
      <Person name={user?.email ?? user?.username ?? ''} />
      <p class="label">{messages.consentScopes}</p>
      <Scopes scopes={open} messages={messages} />
      {folded.length > 0 && (
        <details>
          <summary>{messages.consentAlready}</summary>
          <Scopes scopes={folded} messages={messages} />
        </details>
      )}
      <Form action={`${path}/consent`} hidden={hidden}>
        <button type="submit" name="decision" value="allow">
          {messages.allow}
        </button>
        <button type="submit" name="decision" value="deny" class="secondary">
          {messages.deny}
        </button>
      </Form>
      <p class="hint">
        {host === undefined ? messages.consentProgram : messages.consentReturn(host)}
      </p>
      <div class="after">
        <a href={pageUrl(pages, 'sign-in', { request: sealed, another: '1' })}>
          {messages.useAnotherAccount}
        </a>
      </div>
    </Layout>,
    formActionSource(request.redirectUri),
  )
}

interface ScopesProps {
  readonly scopes: readonly string[]
  readonly messages: Messages
}

function Scopes({ scopes, messages }: ScopesProps) {
  return (
    <ul class="items">
      {scopes.map((scope) => (
        <li key={scope}>
          <Icon name="check" />
          <span>{messages.scopes[scope] ?? messages.scopeNamed(scope.slice(0, 100))}</span>
        </li>
      ))}
    </ul>
  )
}

/** The host that the person returns to, in ASCII; undefined for a program on their device. */
function hostOf(redirectUri: string): string | undefined {
  if (isPrivateScheme(redirectUri)) return undefined
  const url = new URL(redirectUri)
  return isLoopback(url) ? undefined : url.host
}
