import { linkTokenField } from '../api/account/schemas.ts'
import type { Context, Middleware } from '../http/context.ts'
import type { DisownedSignIns } from '../users/disowned-sign-ins.ts'
import type { User } from '../users/user.ts'
import { sendPage } from './document.ts'
import { Alert, Form } from './elements/form.tsx'
import { Icon } from './elements/icons.tsx'
import { Layout } from './elements/layout.tsx'
import { Person } from './elements/person.tsx'
import { type FlowPages, ownForm, pageUrl, queryOf, redirect } from './flow-page.ts'
import { EmailForm } from './forgot-password.tsx'
import { languageFor } from './language-for.ts'
import type { Language } from './languages/languages.ts'

/**
 * The page that the mail about a sign-in on a new device opens, to say that it was somebody else. Opening it
 * changes nothing, because mail scanners open links. It asks for no password, which a stranger knows, and
 * signs nobody in.
 */
export function secureAccountPage(
  pages: FlowPages,
  disowned: DisownedSignIns,
): { show: Middleware; submit: Middleware } {
  return {
    async show(ctx) {
      const { token, done } = queryOf(ctx)
      if (done !== undefined) return showDone(pages, ctx, languageFor(ctx))
      const found = await disowned.find(tokenOf(token))
      const language = languageFor(ctx, [], found?.user.locale)
      if (!found) return showUnusable(pages, ctx, language, 200)
      if (found.isSecured) return showDone(pages, ctx, language)
      show(pages, ctx, language, tokenOf(token), found.user)
    },
    async submit(ctx) {
      const { token } = await ownForm(pages, ctx)
      const { ip } = ctx.state
      const user = await disowned.secure(tokenOf(token), ip, languageFor(ctx).code)
      if (user) return redirect(ctx, pageUrl(pages, 'secure-account', { done: '' }))
      await pages.throttle.countFailure('oneTimeToken', { ip })
      showUnusable(pages, ctx, languageFor(ctx), 400)
    },
  }
}

const tokenOf = (given: string | undefined): string => linkTokenField.safeParse(given).data ?? ''

function show(
  { path }: FlowPages,
  ctx: Context,
  language: Language,
  token: string,
  { email, username }: User,
): void {
  const { messages } = language
  const effects = [
    messages.secureSignsOut,
    messages.secureDeletesKeys,
    messages.secureEndsPassword,
    messages.secureSendsMail,
  ]
  const page = (
    <Layout
      language={language}
      path={path}
      title={messages.secureTitle}
      lead={messages.secureLead}
      keep={{ token }}
    >
      <Person name={email ?? username ?? ''} />
      <ul class="items">
        {effects.map((effect) => (
          <li key={effect}>
            <Icon name="check" />
            <span>{effect}</span>
          </li>
        ))}
      </ul>
      <Form action={`${path}/secure-account`} hidden={{ token }}>
        <button type="submit">{messages.secureButton}</button>
      </Form>
      <a class="button secondary" href={`${path}/`}>
        {messages.secureOwn}
      </a>
    </Layout>
  )
  sendPage(ctx, 200, page)
}

function showDone({ path }: FlowPages, ctx: Context, language: Language): void {
  const { messages } = language
  const page = (
    <Layout
      language={language}
      path={path}
      title={messages.securedTitle}
      lead={messages.securedEffect}
      keep={{ done: '' }}
    >
      <a class="button" href={`${path}/sign-in`}>
        {messages.backToSignIn}
      </a>
      <a class="button secondary" href={`${path}/forgot-password`}>
        {messages.sendAgain}
      </a>
    </Layout>
  )
  sendPage(ctx, 200, page)
}

/** A person who is in doubt can still choose a new password. */
function showUnusable({ path }: FlowPages, ctx: Context, language: Language, status: number): void {
  const { messages } = language
  const page = (
    <Layout language={language} path={path} title={messages.linkUnusable}>
      <Alert>{messages.secureUnusable}</Alert>
      <EmailForm language={language} action={`${path}/forgot-password`} errors={{}} />
      <div class="after">
        <a href={`${path}/sign-in`}>{messages.backToSignIn}</a>
      </div>
    </Layout>
  )
  sendPage(ctx, status, page)
}
