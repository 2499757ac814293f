import type { Context, Middleware } from '../http/context.ts'
import { formActionSource } from '../oauth/redirect-uri.ts'
import { clientName } from './client-name.ts'
import { sendPage } from './document.ts'
import { Form } from './elements/form.tsx'
import { Layout } from './elements/layout.tsx'
import { Person } from './elements/person.tsx'
import {
  type FlowPages,
  goOn,
  ownForm,
  pageUrl,
  redirect,
  requestOf,
  type Visit,
  visitOf,
} from './flow-page.ts'

/** Asks whether to go on as the person who is signed in, or as another one. */
export function chooseAccountPage(pages: FlowPages): { show: Middleware; submit: Middleware } {
  return {
    async show(ctx) {
      const visit = await visitOf(pages, ctx, requestOf(ctx))
      if (!visit.browser) return goOn(pages, ctx, visit.flow, undefined)
      await showAccount(pages, ctx, visit, visit.language.messages.chooseAccount)
    },
    async submit(ctx) {
      const fields = await ownForm(pages, ctx)
      const { flow: opened, browser, caller } = await visitOf(pages, ctx, fields.request)
      // Another person has signed in meanwhile: the page says so.
      if (browser && browser.session.userId !== fields.person) {
        return redirect(ctx, pageUrl(pages, 'choose-account', { request: opened?.sealed }))
      }
      if (!opened || !browser) return goOn(pages, ctx, opened, browser)
      const page = await pages.flow.choose(opened, browser)
      if (page) return redirect(ctx, pageUrl(pages, page, { request: opened.sealed }))
      await goOn(pages, ctx, opened, await pages.flow.browserOf(caller.cookie))
    },
  }
}

/** Says who is signed in, and offers to go on as them. */
export async function showAccount(
  pages: FlowPages,
  ctx: Context,
  { flow: opened, browser, language }: Visit,
  title: string,
): Promise<void> {
  const { messages } = language
  const { path, flow } = pages
  const user = browser && (await flow.userOf(browser))
  const name = user?.fullName ?? user?.email ?? user?.username ?? ''
  const detail = user?.fullName ? (user.email ?? user.username ?? undefined) : undefined
  const request = opened?.sealed
  const page = (
    <Layout
      language={language}
      path={path}
      title={title}
      lead={opened && messages.signInTo(clientName(opened.client))}
      accent={opened?.client.accentColor}
      keep={{ request }}
    >
      <p class="label">{messages.signedInAs}</p>
      <Person name={name} {...(detail !== undefined && { detail })} />
      <Form action={`${path}/choose-account`} hidden={{ request, person: user?.id }}>
        <button type="submit">{opened ? messages.continue : messages.toAccount}</button>
      </Form>
      <a class="button secondary" href={pageUrl(pages, 'sign-in', { request, another: '1' })}>
        {messages.useAnotherAccount}
      </a>
    </Layout>
  )
  sendPage(ctx, 200, page, opened && formActionSource(opened.request.redirectUri))
}
