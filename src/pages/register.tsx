import { z } from 'zod'
import { emailField, fullNameField, passwordField } from '../api/account/schemas.ts'
import { checked } from '../api/json.ts'
import type { Flow } from '../grants/browser-flow.ts'
import type { Caller } from '../grants/browser-sign-in.ts'
import type { Context, Middleware } from '../http/context.ts'
import { formActionSource } from '../oauth/redirect-uri.ts'
import { clientName } from './client-name.ts'
import { sendPage } from './document.ts'
import { ErrorSummary, Field, Form, NewPassword } from './elements/form.tsx'
import { Layout } from './elements/layout.tsx'
import { type FieldErrors, fieldErrorsOf } from './field-errors.ts'
import {
  type FlowPages,
  goOn,
  ownForm,
  pageUrl,
  redirect,
  requestOf,
  signedIn,
  type Visit,
  visitOf,
} from './flow-page.ts'

const body = z.object({
  email: emailField,
  full_name: z.union([z.literal('').transform(() => undefined), fullNameField.optional()]),
  password: passwordField,
})

/** People register themselves: OpenID Connect Initiating User Registration 1.0, ASVS 6.3.8. */
export function registerPage(pages: FlowPages): { show: Middleware; submit: Middleware } {
  return {
    async show(ctx) {
      await show(pages, ctx, await visitOf(pages, ctx, requestOf(ctx)))
    },
    async submit(ctx) {
      const fields = await ownForm(pages, ctx)
      const visit = await visitOf(pages, ctx, fields.request)
      if (!pages.isRegistrationOpen) return show(pages, ctx, visit)
      try {
        await register(pages, ctx, visit, fields)
      } catch (error) {
        const errors = fieldErrorsOf(error, visit.language.messages, 'password')
        if (!errors) throw error
        await show(pages, ctx, visit, { fields, errors })
      }
    },
  }
}

async function register(
  pages: FlowPages,
  ctx: Context,
  { flow, caller, language }: Visit,
  fields: Readonly<Record<string, string>>,
): Promise<void> {
  const { throttle, registration, browserSignIn } = pages
  const { ip } = ctx.state
  await throttle.attempt('registration', { ip })
  const { email, full_name: fullName, password } = checked(body, fields)
  await throttle.attempt('registrationMail', { email })
  const { user, isNew } = await registration.register({
    id: await browserSignIn.personIdFor(fields.attempt, email),
    email,
    fullName,
    password,
    locale: language.code,
    hasCode: true,
    ip,
  })
  if (isNew && flow?.client.letsUnverifiedIn) {
    return beginUnverified(pages, ctx, user.id, fields.attempt, flow, caller)
  }
  const waiting = await browserSignIn.waitFor({ userId: user.id, email })
  redirect(ctx, pageUrl(pages, 'verify-email', { waiting, request: flow?.sealed }))
}

/** The client lets people in before their address is verified. */
async function beginUnverified(
  pages: FlowPages,
  ctx: Context,
  userId: string,
  attempt: string | undefined,
  flow: Flow,
  caller: Caller,
): Promise<void> {
  const { browserSignIn, guesses } = pages
  const begun = await browserSignIn.beginFor(userId, ['pwd'], attempt, flow, caller)
  if (!begun) return redirect(ctx, pageUrl(pages, 'sign-in', { request: flow.sealed }))
  signedIn(pages, ctx, begun, guesses.deviceTokenFor(userId))
  await goOn(pages, ctx, flow, await pages.flow.browserOf(begun.cookie))
}

interface Refused {
  readonly fields: Readonly<Record<string, string>>
  readonly errors: FieldErrors
}

async function show(
  pages: FlowPages,
  ctx: Context,
  { flow: opened, language }: Visit,
  { fields, errors }: Refused = { fields: {}, errors: {} },
): Promise<void> {
  const { browserSignIn, path, isRegistrationOpen } = pages
  const { messages } = language
  const request = opened?.sealed
  const isWrong = Object.keys(errors).length > 0
  const frame = { language, path, accent: opened?.client.accentColor, keep: { request } }
  const signIn = (
    <div class="after">
      {messages.haveAccount} <a href={pageUrl(pages, 'sign-in', { request })}>{messages.signIn}</a>
    </div>
  )
  if (!isRegistrationOpen) {
    const page = (
      <Layout {...frame} title={messages.registerClosed} lead={messages.registerClosedEffect}>
        {signIn}
      </Layout>
    )
    return sendPage(ctx, 403, page)
  }
  const page = (
    <Layout
      {...frame}
      title={messages.register}
      lead={opened && messages.signInTo(clientName(opened.client))}
    >
      <ErrorSummary language={language} errors={errors} />
      <Form
        action={`${path}/register`}
        hidden={{ request, attempt: fields.attempt ?? (await browserSignIn.newAttempt()) }}
      >
        <Field
          name="email"
          label={messages.email}
          type="email"
          autocomplete="username"
          inputmode="email"
          maxlength={254}
          value={fields.email?.slice(0, 254) ?? opened?.request.loginHint}
          error={errors.email}
        />
        <Field
          name="full_name"
          label={`${messages.fullName} ${messages.optional}`}
          type="text"
          autocomplete="name"
          autocapitalize="words"
          required={false}
          maxlength={200}
          value={fields.full_name?.slice(0, 200)}
          error={errors.full_name}
        />
        <NewPassword
          language={language}
          name="password"
          label={messages.password}
          error={errors.password}
        />
        <button type="submit">{messages.createAccount}</button>
      </Form>
      {signIn}
    </Layout>
  )
  const source = opened && formActionSource(opened.request.redirectUri)
  sendPage(ctx, isWrong ? 422 : 200, page, source)
}
