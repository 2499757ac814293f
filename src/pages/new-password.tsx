import type { Context, Middleware } from '../http/context.ts'
import { formActionSource } from '../oauth/redirect-uri.ts'
import { sendPage } from './document.ts'
import { ErrorSummary, Form, NewPassword } from './elements/form.tsx'
import { Layout } from './elements/layout.tsx'
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
import { OwnName } from './reset-password.tsx'

/** Asks a person whose password was right, and has to be replaced, for a new one. */
export function newPasswordPage(pages: FlowPages): { show: Middleware; submit: Middleware } {
  const { browserSignIn, throttle, guesses, flow } = pages
  return {
    async show(ctx) {
      const { pending, request } = queryOf(ctx)
      const visit = await visitOf(pages, ctx, request)
      const user = await browserSignIn.personOwing(pending, visit.caller)
      // The old password is asked for first.
      if (!user) return redirect(ctx, pageUrl(pages, 'reauthenticate', { request }))
      show(pages, ctx, visit, pending, user.email ?? user.username ?? '')
    },
    async submit(ctx) {
      const fields = await ownForm(pages, ctx)
      const visit = await visitOf(pages, ctx, fields.request)
      const { pending, new_password: password = '' } = fields
      const user = await browserSignIn.personOwing(pending, visit.caller)
      const toSignIn = pageUrl(pages, 'reauthenticate', { request: visit.flow?.sealed })
      try {
        if (user) await throttle.attempt('linkPassword', { person: user.id })
        const begun = await browserSignIn.setOwedPassword(
          pending,
          password,
          visit.flow,
          visit.caller,
        )
        if (!begun) return redirect(ctx, toSignIn)
        signedIn(pages, ctx, begun, guesses.deviceTokenFor(begun.session.userId))
        await goOn(pages, ctx, visit.flow, await flow.browserOf(begun.cookie))
      } catch (error) {
        const errors = fieldErrorsOf(error, visit.language.messages)
        if (!errors) throw error
        // The password was set meanwhile.
        if (errors.new_password === undefined || !user) return redirect(ctx, toSignIn)
        show(pages, ctx, visit, pending, user.email ?? user.username ?? '', errors)
      }
    },
  }
}

function show(
  { path }: FlowPages,
  ctx: Context,
  { flow: opened, language }: Visit,
  pending: string | undefined,
  name: string,
  errors: FieldErrors = {},
): void {
  const { messages } = language
  const request = opened?.sealed
  const page = (
    <Layout
      language={language}
      path={path}
      title={messages.owedTitle}
      lead={messages.owedEffect}
      accent={opened?.client.accentColor}
      keep={{ pending, request }}
    >
      <ErrorSummary language={language} errors={errors} />
      <Form action={`${path}/new-password`} hidden={{ pending, request }}>
        <OwnName name={name} label={messages.emailOrUsername} />
        <NewPassword language={language} error={errors.new_password} />
        <button type="submit">{messages.savePassword}</button>
      </Form>
      <div class="after">
        <a href={`${path}/`}>{messages.cancel}</a>
      </div>
    </Layout>
  )
  const source = opened && formActionSource(opened.request.redirectUri)
  sendPage(ctx, errors.new_password === undefined ? 200 : 422, page, source)
}
