import { z } from 'zod'
import { linkTokenField, passwordField } from '../api/account/schemas.ts'
import { checked } from '../api/json.ts'
import type { Context, Middleware } from '../http/context.ts'
import { sendPage } from './document.ts'
import { Alert, ErrorSummary, Field, Form, NewPassword } from './elements/form.tsx'
import { Layout } from './elements/layout.tsx'
import { type FieldErrors, fieldErrorsOf } from './field-errors.ts'
import { type FlowPages, ownForm, pageUrl, queryOf, redirect, rememberDevice } from './flow-page.ts'
import { EmailForm, requestLink } from './forgot-password.tsx'
import { languageFor } from './language-for.ts'
import type { Language } from './languages/languages.ts'

const confirmation = z.object({ token: linkTokenField, new_password: passwordField })

/**
 * The page that the link of a mail opens, to choose a new password. Opening it changes nothing, because mail
 * scanners open links; sending its form does. The checks and limits are those of the JSON API.
 */
export function resetPasswordPage(pages: FlowPages): { show: Middleware; submit: Middleware } {
  return {
    async show(ctx) {
      const { token, done, sent } = queryOf(ctx)
      const language = languageFor(ctx)
      if (done !== undefined) return showDone(pages, ctx, language)
      if (sent !== undefined) return redirect(ctx, pageUrl(pages, 'forgot-password', { sent }))
      if (token === undefined || token === '') {
        return redirect(ctx, pageUrl(pages, 'forgot-password', {}))
      }
      const user = await pages.credentials.personOfReset(token)
      if (!user) return showUnusable(pages, ctx, language, 200)
      const name = user.email ?? user.username ?? undefined
      show(pages, ctx, language, token, name)
    },
    async submit(ctx) {
      const fields = await ownForm(pages, ctx)
      if (fields.email !== undefined) return requestLink(pages, ctx, fields)
      const language = languageFor(ctx)
      try {
        await confirm(pages, ctx, language, fields)
      } catch (error) {
        const errors = fieldErrorsOf(error, language.messages)
        if (!errors) throw error
        if (errors.token !== undefined) return showUnusable(pages, ctx, language, 400)
        const user = await pages.credentials.personOfReset(fields.token ?? '')
        const name = user?.email ?? user?.username ?? undefined
        show(pages, ctx, language, fields.token ?? '', name, errors)
      }
    },
  }
}

async function confirm(
  pages: FlowPages,
  ctx: Context,
  language: Language,
  fields: Readonly<Record<string, string>>,
): Promise<void> {
  const { credentials, throttle, guesses } = pages
  const { ip } = ctx.state
  const { token, new_password: password } = checked(confirmation, fields)
  const count = (person: string) => throttle.attempt('linkPassword', { person })
  const user = await credentials.reset(token, password, ip, 'password_reset', count)
  if (!user) {
    await throttle.countFailure('oneTimeToken', { ip })
    return showUnusable(pages, ctx, language, 400)
  }
  rememberDevice(ctx, guesses.deviceTokenFor(user.id))
  redirect(ctx, pageUrl(pages, 'reset-password', { done: '' }))
}

function show(
  pages: FlowPages,
  ctx: Context,
  language: Language,
  token: string,
  name: string | undefined,
  errors: FieldErrors = {},
): void {
  const { path } = pages
  const { messages } = language
  const page = (
    <Layout
      language={language}
      path={path}
      title={messages.resetTitle}
      lead={messages.resetEffect}
      keep={{ token }}
    >
      <ErrorSummary language={language} errors={errors} />
      <Form action={`${path}/reset-password`} hidden={{ token }}>
        {name !== undefined && <OwnName name={name} label={messages.emailOrUsername} />}
        <NewPassword language={language} error={errors.new_password} />
        <button type="submit">{messages.changePassword}</button>
      </Form>
      <div class="after">
        <a href={`${path}/sign-in`}>{messages.backToSignIn}</a>
      </div>
    </Layout>
  )
  sendPage(ctx, Object.keys(errors).length > 0 ? 422 : 200, page)
}

/** The name of the account, so that a password manager changes the right entry. */
export function OwnName({ name, label }: { readonly name: string; readonly label: string }) {
  return (
    <Field
      name="username"
      label={label}
      type="text"
      autocomplete="username"
      value={name}
      readonly
    />
  )
}

function showUnusable({ path }: FlowPages, ctx: Context, language: Language, status: number): void {
  const { messages } = language
  const page = (
    <Layout language={language} path={path} title={messages.linkUnusable}>
      <Alert>{messages.linkUnusableEffect}</Alert>
      <EmailForm language={language} action={`${path}/reset-password`} errors={{}} />
      <div class="after">
        <a href={`${path}/sign-in`}>{messages.backToSignIn}</a>
      </div>
    </Layout>
  )
  sendPage(ctx, status, page)
}

function showDone({ path }: FlowPages, ctx: Context, language: Language): void {
  const { messages } = language
  const page = (
    <Layout
      language={language}
      path={path}
      title={messages.passwordChanged}
      lead={messages.passwordChangedEffect}
      keep={{ done: '' }}
    >
      <a class="button" href={`${path}/sign-in`}>
        {messages.signIn}
      </a>
    </Layout>
  )
  sendPage(ctx, 200, page)
}
