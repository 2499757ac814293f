import { z } from 'zod'
import { emailField } from '../api/account/schemas.ts'
import { checked } from '../api/json.ts'
import type { Context, Middleware } from '../http/context.ts'
import { sendPage } from './document.ts'
import { ErrorSummary, Field, Form } from './elements/form.tsx'
import { Layout } from './elements/layout.tsx'
import { type FieldErrors, fieldErrorsOf } from './field-errors.ts'
import {
  type FlowPages,
  ownForm,
  pageUrl,
  queryOf,
  redirect,
  requestOf,
  type Visit,
  visitOf,
} from './flow-page.ts'

const body = z.object({ email: emailField })

/** Sends a link to choose a new password. The answer is the same for every address: ASVS 6.3.8. */
export function forgotPasswordPage(pages: FlowPages): { show: Middleware; submit: Middleware } {
  return {
    async show(ctx) {
      const visit = await visitOf(pages, ctx, requestOf(ctx))
      if (queryOf(ctx).sent !== undefined) return showSent(pages, ctx, visit)
      show(pages, ctx, visit)
    },
    async submit(ctx) {
      await requestLink(pages, ctx, await ownForm(pages, ctx))
    },
  }
}

/** The form of this page, and of a link that no longer works. */
export async function requestLink(
  pages: FlowPages,
  ctx: Context,
  fields: Readonly<Record<string, string>>,
): Promise<void> {
  const visit = await visitOf(pages, ctx, fields.request)
  const { ip } = ctx.state
  try {
    const { email } = checked(body, fields)
    await pages.throttle.attempt('passwordReset', { email, ip })
    await pages.credentials.requestReset(email, ip, visit.language.code)
    redirect(ctx, pageUrl(pages, 'forgot-password', { sent: '', request: visit.flow?.sealed }))
  } catch (error) {
    const errors = fieldErrorsOf(error, visit.language.messages)
    if (!errors) throw error
    show(pages, ctx, visit, fields.email, errors)
  }
}

function show(
  pages: FlowPages,
  ctx: Context,
  { flow: opened, language }: Visit,
  email?: string,
  errors: FieldErrors = {},
): void {
  const { path } = pages
  const { messages } = language
  const request = opened?.sealed
  const page = (
    <Layout
      language={language}
      path={path}
      title={messages.forgotTitle}
      lead={messages.forgotEffect}
      accent={opened?.client.accentColor}
      keep={{ request }}
    >
      <ErrorSummary language={language} errors={errors} />
      <EmailForm
        language={language}
        action={`${path}/forgot-password`}
        request={request}
        email={email}
        errors={errors}
      />
      <div class="after">
        <a href={pageUrl(pages, 'sign-in', { request })}>{messages.backToSignIn}</a>
      </div>
    </Layout>
  )
  sendPage(ctx, errors.email === undefined ? 200 : 422, page)
}

function showSent(pages: FlowPages, ctx: Context, { flow: opened, language }: Visit): void {
  const { messages } = language
  const request = opened?.sealed
  const page = (
    <Layout
      language={language}
      path={pages.path}
      title={messages.checkInbox}
      lead={messages.linkSent}
      accent={opened?.client.accentColor}
      keep={{ request, sent: '' }}
    >
      <a class="button" href={pageUrl(pages, 'sign-in', { request })}>
        {messages.backToSignIn}
      </a>
      <a class="button secondary" href={pageUrl(pages, 'forgot-password', { request })}>
        {messages.sendAgain}
      </a>
    </Layout>
  )
  sendPage(ctx, 200, page)
}

interface EmailFormProps extends Pick<Visit, 'language'> {
  readonly action: string
  readonly request?: string | undefined
  readonly email?: string | undefined
  readonly errors: FieldErrors
}

/** Asks for the address that a link is sent to. */
export function EmailForm({ language, action, request, email, errors }: EmailFormProps) {
  const { messages } = language
  return (
    <Form action={action} hidden={{ request }}>
      <Field
        name="email"
        label={messages.email}
        type="email"
        autocomplete="email"
        inputmode="email"
        maxlength={254}
        value={email?.slice(0, 254)}
        error={errors.email}
      />
      <button type="submit">{messages.sendLink}</button>
    </Form>
  )
}
