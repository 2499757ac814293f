import { confirmed } from '../../api/account/refusals.ts'
import { emailField } from '../../api/account/schemas.ts'
import type { Context, Middleware } from '../../http/context.ts'
import type { Throttle } from '../../throttle/throttle.ts'
import type { EmailAddresses } from '../../users/email-addresses.ts'
import { isSameEmail } from '../../users/user.ts'
import { sendPage } from '../document.ts'
import { CurrentPassword, Field, Form } from '../elements/form.tsx'
import { accountPath } from './account-page-names.ts'
import {
  type AccountPages,
  type AccountVisit,
  done,
  type FormFields,
  shown,
  submitted,
} from './account-pages.ts'
import { AccountLayout, Section } from './elements.tsx'
import { errorsOf, type FieldErrors } from './field-errors.ts'

interface Dependencies extends AccountPages {
  readonly emailAddresses: EmailAddresses
  readonly throttle: Throttle
}

/** Two copies of a form, or an impatient person, cause one mail. */
const repeatSeconds = 60

/** The address of a person, and the one that waits for its link to be followed. */
export function emailPage(pages: Dependencies): { show: Middleware; submit: Middleware } {
  const { emailAddresses, throttle } = pages
  const needs = { recent: true }
  return {
    show: shown(pages, 'email', (ctx, visit) => show(pages, ctx, visit), needs),
    submit: submitted(
      pages,
      'email',
      async (ctx, visit, fields) => {
        const { user, texts, language } = visit
        const { ip } = ctx.state
        const email = emailField.safeParse(fields.email ?? '')
        if (!email.success) return show(pages, ctx, visit, fields, { email: texts.emailRule })
        if (isSameEmail(user.email, email.data)) {
          return show(pages, ctx, visit, fields, { email: texts.emailSame })
        }
        const errors = await errorsOf(language, async () => {
          await throttle.attempt('emailChange', { person: user.id })
          await confirmed(throttle, user.id, () =>
            emailAddresses.requestChange(
              user,
              email.data,
              fields.password ?? '',
              ip,
              repeatSeconds,
            ),
          )
        })
        if (errors) return show(pages, ctx, visit, fields, errors)
        done(pages, ctx, 'email', 'sent')
      },
      needs,
    ),
  }
}

async function show(
  pages: Dependencies,
  ctx: Context,
  visit: AccountVisit,
  fields: FormFields = {},
  errors: FieldErrors = {},
): Promise<void> {
  const { texts, user, language } = visit
  const pending = await pages.emailAddresses.pendingChange(user)
  sendPage(
    ctx,
    Object.keys(errors).length > 0 ? 422 : 200,
    <AccountLayout
      pages={pages}
      visit={visit}
      name="email"
      title={texts.email}
      lead={texts.emailLead}
      notice={pending && texts.emailPending(pending)}
      errors={errors}
    >
      <Section title={texts.currentEmail}>
        <p>
          {user.email ? <bdi>{user.email}</bdi> : texts.noEmail}{' '}
          {user.email && (
            <span class="mark">{user.emailVerifiedAt ? texts.verified : texts.unverified}</span>
          )}
        </p>
      </Section>
      <Section>
        <Form action={accountPath(pages.path, 'email')}>
          <Field
            name="email"
            label={texts.newEmail}
            type="email"
            inputmode="email"
            autocomplete="email"
            hint={texts.newEmailHint}
            value={fields.email}
            error={errors.email}
          />
          <CurrentPassword language={language} error={errors.password} />
          <button type="submit">{texts.changeEmail}</button>
        </Form>
      </Section>
    </AccountLayout>,
  )
}
