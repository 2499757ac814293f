import { confirmed } from '../../api/account/refusals.ts'
import type { Context, Middleware } from '../../http/context.ts'
import { browserCookie, deletedCookie, readCookie } from '../../http/cookies.ts'
import { foldIdentifier } from '../../identifier.ts'
import type { BrowserSessions } from '../../sessions/browser-sessions.ts'
import type { Throttle } from '../../throttle/throttle.ts'
import type { UserAdministration } from '../../users/administration.ts'
import type { Users } from '../../users/users.ts'
import { sendPage } from '../document.ts'
import { CurrentPassword, Field, Form } from '../elements/form.tsx'
import { Layout } from '../elements/layout.tsx'
import { ownForm, redirect } from '../flow-page.ts'
import { languageFor } from '../language-for.ts'
import { accountPath } from './account-page-names.ts'
import {
  type AccountPages,
  type AccountVisit,
  type FormFields,
  nameOf,
  personSubmitted,
  shown,
} from './account-pages.ts'
import { AccountLayout, Section } from './elements.tsx'
import { errorsOf, type FieldErrors } from './field-errors.ts'

interface Dependencies extends AccountPages {
  readonly administration: UserAdministration
  readonly browsers: BrowserSessions
  readonly users: Users
  readonly throttle: Throttle
}

interface DeletePage {
  readonly show: Middleware
  readonly submit: Middleware
  readonly deleted: Middleware
}

const needs = { recent: true }

/** Deletes an account, after its person has typed their name and their password. */
export function deletePage(pages: Dependencies): DeletePage {
  const { path, browsers } = pages
  const submitForm = personSubmitted(
    pages,
    'delete',
    (ctx, visit, fields) => submit(pages, ctx, visit, fields),
    needs,
  )
  return {
    show: shown(pages, 'delete', (ctx, visit) => show(pages, ctx, visit), needs),
    async submit(ctx) {
      const fields = await ownForm(pages, ctx)
      const cookie = readCookie(ctx, browserCookie)
      // The second copy of a form comes from nobody any more.
      const reason = cookie && (await browsers.endReason(cookie))
      if (reason === 'user_deleted') return gone(ctx, path)
      await submitForm(ctx, fields)
    },
    deleted(ctx) {
      const language = languageFor(ctx)
      const texts = language.accountMessages
      sendPage(
        ctx,
        200,
        <Layout language={language} path={path} title={texts.deleted} lead={texts.deletedLead}>
          <a class="button secondary" href={`${path}/sign-in`}>
            {language.messages.signIn}
          </a>
        </Layout>,
      )
    },
  }
}

function gone(ctx: Context, path: string): void {
  ctx.append('set-cookie', deletedCookie(browserCookie))
  redirect(ctx, `${path}/account/deleted`)
}

async function submit(
  pages: Dependencies,
  ctx: Context,
  visit: AccountVisit,
  fields: FormFields,
): Promise<void> {
  const { administration, users, throttle, path } = pages
  const { user, texts, language } = visit
  const { ip } = ctx.state
  const name = nameOf(user)
  if (foldIdentifier(fields.confirm ?? '') !== foldIdentifier(name)) {
    return show(pages, ctx, visit, { confirm: texts.confirmRule(name) })
  }
  const errors = await errorsOf(language, async () => {
    await confirmed(throttle, user.id, () =>
      users.requirePassword(user.id, fields.password ?? '', { ip }),
    )
    await administration.delete(user.id, { actorId: user.id, ip })
  })
  // Another copy of the form was faster.
  if (errors && (await users.find(user.id))) return show(pages, ctx, visit, errors)
  gone(ctx, path)
}

function show(
  pages: Dependencies,
  ctx: Context,
  visit: AccountVisit,
  { form, ...errors }: FieldErrors = {},
): void {
  const { texts, user, language } = visit
  const isWrong = form !== undefined || Object.keys(errors).length > 0
  sendPage(
    ctx,
    isWrong ? 422 : 200,
    <AccountLayout
      pages={pages}
      visit={visit}
      name="delete"
      title={texts.deleteTitle}
      lead={texts.deleteLead}
      alert={form}
      errors={errors}
    >
      <Section>
        <Form action={accountPath(pages.path, 'delete')}>
          <Field
            name="confirm"
            label={texts.deleteConfirm(nameOf(user))}
            type="text"
            autocomplete="off"
            error={errors.confirm}
          />
          <CurrentPassword language={language} error={errors.password} />
          <button type="submit" class="danger">
            {texts.deleteButton}
          </button>
          <a class="button secondary" href={accountPath(pages.path, 'data')}>
            {texts.keepAccount}
          </a>
        </Form>
      </Section>
    </AccountLayout>,
  )
}
