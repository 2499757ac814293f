import type { Client } from '../clients/client.ts'
import type { Middleware } from '../http/context.ts'
import { clientName } from './client-name.ts'
import { sendPage } from './document.ts'
import { Layout } from './elements/layout.tsx'
import { Person } from './elements/person.tsx'
import { type FlowPages, goOn, pageUrl, requestOf, visitOf } from './flow-page.ts'

/**
 * Shown when a request was answered already: a form was sent twice, or somebody went back. A second answer
 * would meet a client that no longer expects it, so the person begins again there, already signed in.
 */
export function continuePage(pages: FlowPages): Middleware {
  const { flow, path, issuer } = pages
  return async (ctx) => {
    const { flow: opened, browser, language } = await visitOf(pages, ctx, requestOf(ctx))
    if (!opened || !browser) return goOn(pages, ctx, opened, browser)
    const step = await flow.stepOf(opened, browser)
    if (step.kind === 'page' && step.page !== 'continue') return goOn(pages, ctx, opened, browser)
    const { client, request } = opened
    const { messages } = language
    const user = await flow.userOf(browser)
    const home = homeOf(client, request.redirectUri, issuer)
    sendPage(
      ctx,
      200,
      <Layout
        language={language}
        path={path}
        title={messages.alreadySignedIn}
        accent={client.accentColor}
        keep={{ request: opened.sealed }}
      >
        <Person name={user?.email ?? user?.username ?? ''} />
        {home !== undefined && (
          <a class="button" href={home}>
            {messages.continueTo(clientName(client))}
          </a>
        )}
        <a class="button secondary" href={`${path}/account`}>
          {messages.toAccount}
        </a>
        <div class="after">
          <a href={pageUrl(pages, 'sign-in', { request: opened.sealed, another: '1' })}>
            {messages.useAnotherAccount}
          </a>
        </div>
      </Layout>,
    )
  }
}

/** Where a sign-in begins anew: OpenID Connect Core §4, or the site of the client. */
function homeOf(client: Client, redirectUri: string, issuer: string): string | undefined {
  if (client.initiateLoginUri) {
    const uri = new URL(client.initiateLoginUri)
    uri.searchParams.set('iss', issuer)
    return uri.href
  }
  if (client.clientUri) return client.clientUri
  return /^https?:/i.test(redirectUri) ? `${new URL(redirectUri).origin}/` : undefined
}
