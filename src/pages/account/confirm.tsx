import type { Context, Middleware } from '../../http/context.ts'
import { sendPage } from '../document.ts'
import { Alert, CurrentPassword, Form } from '../elements/form.tsx'
import { Layout } from '../elements/layout.tsx'
import { Person } from '../elements/person.tsx'
import { redirect, setPendingProof, signedIn } from '../flow-page.ts'
import { accountPageNamed, accountPath } from './account-page-names.ts'
import { type AccountPages, type AccountVisit, nameOf, shown, submitted } from './account-pages.ts'

/** ASVS 7.5.1: asks for the password before a page that changes how a person can sign in. */
export function confirmPage(pages: AccountPages): { show: Middleware; submit: Middleware } {
  const { path, browserSignIn } = pages
  return {
    show: shown(pages, 'overview', (ctx, visit) => {
      const page = new URLSearchParams(ctx.querystring).get('page')
      return show(pages, ctx, visit, page ?? undefined)
    }),
    submit: submitted(pages, 'overview', async (ctx, visit, fields) => {
      const outcome = await browserSignIn.withPassword(
        {
          attempt: fields.attempt,
          identifier: nameOf(visit.user),
          password: fields.password ?? '',
          remember: visit.browser.session.remembered,
        },
        undefined,
        visit.caller,
      )
      switch (outcome.kind) {
        case 'signed-in':
          signedIn(pages, ctx, outcome.session, outcome.deviceToken)
          return redirect(ctx, accountPath(path, accountPageNamed(fields.page) ?? 'overview'))
        case 'new-password':
          setPendingProof(ctx, outcome.proof)
          return redirect(
            ctx,
            `${path}/new-password?${new URLSearchParams({ pending: outcome.pending })}`,
          )
        default:
          return show(pages, ctx, visit, fields.page, outcome.kind)
      }
    }),
  }
}

async function show(
  { path, browserSignIn }: AccountPages,
  ctx: Context,
  { language, texts, user }: AccountVisit,
  wanted: string | undefined,
  refusal?: 'wrong' | 'stale',
): Promise<void> {
  const page = accountPageNamed(wanted) ?? 'overview'
  const name = nameOf(user)
  const isShort = user.email === null || name === user.email
  sendPage(
    ctx,
    refusal ? 422 : 200,
    <Layout
      language={language}
      path={path}
      title={language.messages.confirmIdentity}
      lead={texts.confirmLead}
      keep={{ page }}
    >
      {refusal === 'stale' && <Alert>{language.messages.formExpired}</Alert>}
      <Person name={name} {...(!isShort && { detail: user.email ?? '' })} />
      <Form
        action={`${path}/account/confirm`}
        hidden={{ page, attempt: await browserSignIn.newAttempt() }}
      >
        <input type="text" name="username" autocomplete="username" value={name} hidden readonly />
        <CurrentPassword
          language={language}
          error={refusal === 'wrong' ? language.messages.passwordWrong : undefined}
          autofocus
        />
        <button type="submit">{language.messages.continue}</button>
        <a class="button secondary" href={accountPath(path, 'overview')}>
          {language.messages.cancel}
        </a>
      </Form>
    </Layout>,
  )
}
