import type { Waiting } from '../grants/browser-sign-in.ts'
import type { Context } from '../http/context.ts'
import { formActionSource } from '../oauth/redirect-uri.ts'
import type { User } from '../users/user.ts'
import { sendPage } from './document.ts'
import {
  Alert,
  CurrentPassword,
  ErrorSummary,
  Field,
  Form,
  NewPassword,
  Notice,
} from './elements/form.tsx'
import { Layout } from './elements/layout.tsx'
import type { FieldErrors } from './field-errors.ts'
import { type FlowPages, pageUrl, type Visit } from './flow-page.ts'
import { EmailForm } from './forgot-password.tsx'
import { noErrors } from './verify-email-forms.ts'

const frameOf = ({ path }: FlowPages, { flow, language }: Visit) => ({
  language,
  path,
  accent: flow?.client.accentColor,
})

interface CodeOptions {
  readonly isWrong?: boolean
  readonly isSentAgain?: boolean
}

/** Waits for the code of the mail, on the device where the person goes on. */
export async function showCode(
  pages: FlowPages,
  ctx: Context,
  visit: Visit,
  { email, sealed: waiting }: Waiting & { readonly sealed: string | undefined },
  { isWrong = false, isSentAgain = false }: CodeOptions,
): Promise<void> {
  const { path, browserSignIn } = pages
  const { messages } = visit.language
  const request = visit.flow?.sealed
  const action = `${path}/verify-email`
  const page = (
    <Layout
      {...frameOf(pages, visit)}
      title={messages.checkInbox}
      lead={messages.codeSent(email)}
      keep={{ waiting, request }}
    >
      {isWrong && <ErrorSummary language={visit.language} errors={{ code: messages.codeWrong }} />}
      {isSentAgain && !isWrong && <Notice>{messages.mailSentAgain}</Notice>}
      <Form
        action={action}
        hidden={{ waiting, request, attempt: await browserSignIn.newAttempt() }}
      >
        <Field
          name="code"
          class="code"
          label={messages.code}
          hint={messages.codeHint}
          type="text"
          autocomplete="one-time-code"
          autocapitalize="characters"
          maxlength={20}
          error={isWrong ? messages.codeWrong : undefined}
        />
        <button type="submit">{messages.confirm}</button>
      </Form>
      <div class="after">
        <p class="hint">{messages.noMail}</p>
        <Form action={action} hidden={{ waiting, request }}>
          <button type="submit" class="link">
            {messages.sendAgain}
          </button>
        </Form>
        <p>
          <a href={pageUrl(pages, 'register', { request })}>{messages.useAnotherAddress}</a>
        </p>
        <p>
          <a href={pageUrl(pages, 'sign-in', { request })}>{messages.backToSignIn}</a>
        </p>
      </div>
    </Layout>
  )
  const source = visit.flow && formActionSource(visit.flow.request.redirectUri)
  sendPage(ctx, isWrong ? 422 : 200, page, source)
}

interface LinkView {
  readonly token: string
  readonly user: User
  readonly email: string
  readonly isFirst: boolean
  /** True if the person of the link is signed in: then their session shows who owns the account. */
  readonly isOwn: boolean
  readonly errors: FieldErrors
}

/** Asks who owns the account of a link. */
export function showLink(
  pages: FlowPages,
  ctx: Context,
  visit: Visit,
  { token, user, email, isFirst, isOwn, errors }: LinkView,
): void {
  const { path } = pages
  const { language } = visit
  const { messages } = language
  const isWrong = Object.keys(errors).length > 0
  const action = `${path}/verify-email`
  const page = (
    <Layout
      {...frameOf(pages, visit)}
      title={messages.verifyTitle}
      lead={isOwn ? messages.verifySignedIn(email) : messages.verifyEffect(email)}
      keep={{ token }}
    >
      <ErrorSummary language={language} errors={errors} />
      <Form action={action} hidden={{ token }}>
        {!isOwn && (
          <>
            <input
              type="hidden"
              autocomplete="username"
              value={user.username ?? user.email ?? ''}
            />
            <CurrentPassword language={language} error={errors.password} />
          </>
        )}
        <button type="submit">{messages.confirm}</button>
      </Form>
      {isFirst && !isOwn && (
        <details class="after" open={errors.new_password !== undefined}>
          <summary>{messages.verifyOtherwise}</summary>
          <Form action={action} hidden={{ token }}>
            <NewPassword language={language} error={errors.new_password} />
            <button type="submit" class="secondary">
              {messages.verifyWithNew}
            </button>
          </Form>
        </details>
      )}
      <div class="after">
        <a href={`${path}/`}>{messages.cancel}</a>
      </div>
    </Layout>
  )
  sendPage(ctx, isWrong ? 422 : 200, page)
}

interface AskView {
  readonly isSent?: boolean
  readonly isUnusable?: boolean
  readonly status?: number
  readonly email?: string | undefined
  readonly errors?: FieldErrors
}

/** Asks for the address that a new link is sent to. */
export function showAsk(
  pages: FlowPages,
  ctx: Context,
  visit: Visit,
  { isSent = false, isUnusable = false, status, email, errors = noErrors }: AskView,
): void {
  const { path } = pages
  const { language } = visit
  const { messages } = language
  const request = visit.flow?.sealed
  const isWrong = Object.keys(errors).length > 0
  const unusable = isUnusable || errors.token !== undefined
  const title = unusable ? messages.linkUnusable : messages.verifyTitle
  const page = (
    <Layout
      {...frameOf(pages, visit)}
      title={isSent ? messages.checkInbox : title}
      lead={isSent ? messages.linkSent : unusable ? undefined : messages.verifyAsk}
      keep={{ request, sent: isSent ? '' : undefined }}
    >
      {unusable && <Alert>{messages.linkUnusableEffect}</Alert>}
      {!isSent && (
        <>
          {!unusable && <ErrorSummary language={language} errors={errors} />}
          <EmailForm
            language={language}
            action={`${path}/verify-email`}
            request={request}
            email={email}
            errors={errors}
          />
        </>
      )}
      {isSent && (
        <a class="button secondary" href={pageUrl(pages, 'verify-email', { request })}>
          {messages.sendAgain}
        </a>
      )}
      <div class="after">
        <a href={pageUrl(pages, 'sign-in', { request })}>{messages.backToSignIn}</a>
      </div>
    </Layout>
  )
  const wrong = errors.token === undefined ? 422 : 400
  sendPage(ctx, status ?? (isWrong ? wrong : 200), page)
}

export function showDone(pages: FlowPages, ctx: Context, visit: Visit): void {
  const { messages } = visit.language
  const { path } = pages
  const page = (
    <Layout
      {...frameOf(pages, visit)}
      title={messages.verified}
      lead={messages.verifiedEffect}
      keep={{ done: '' }}
    >
      <a class="button" href={visit.browser ? `${path}/account` : `${path}/sign-in`}>
        {visit.browser ? messages.toAccount : messages.signIn}
      </a>
    </Layout>
  )
  sendPage(ctx, 200, page)
}
