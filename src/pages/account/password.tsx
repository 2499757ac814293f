import { confirmed } from '../../api/account/refusals.ts'
import { secondsBetween } from '../../clock.ts'
import type { Context, Middleware } from '../../http/context.ts'
import { assessLength } from '../../passwords/password-policy.ts'
import type { Throttle } from '../../throttle/throttle.ts'
import type { Credentials } from '../../users/credentials.ts'
import { type User, UserError } from '../../users/user.ts'
import type { Users } from '../../users/users.ts'
import { sendPage } from '../document.ts'
import { CurrentPassword, Form, NewPassword } from '../elements/form.tsx'
import { accountPath } from './account-page-names.ts'
import {
  type AccountPages,
  type AccountVisit,
  done,
  type FormFields,
  nameOf,
  noticeOf,
  shown,
  submitted,
} from './account-pages.ts'
import { AccountLayout, Section } from './elements.tsx'
import { errorsOf, type FieldErrors } from './field-errors.ts'

interface Dependencies extends AccountPages {
  readonly credentials: Credentials
  readonly users: Users
  readonly throttle: Throttle
}

/** A form that is sent again within this time finds the password that its first copy has set. */
const repeatSeconds = 60

/** ASVS 6.2.2: people change their password. This browser goes on, and all others are signed out. */
export function passwordPage(pages: Dependencies): { show: Middleware; submit: Middleware } {
  const { throttle } = pages
  const needs = { recent: true }
  return {
    show: shown(pages, 'password', (ctx, visit) => show(pages, ctx, visit), needs),
    submit: submitted(
      pages,
      'password',
      async (ctx, visit, fields) => {
        const { user, language } = visit
        const next = fields.new_password ?? ''
        const wrongLength = assessLength(next)
        if (wrongLength) {
          const sentence = language.messages.passwordFaults[wrongLength.code]
          return show(pages, ctx, visit, { new_password: sentence })
        }
        const errors = await errorsOf(language, () =>
          confirmed(throttle, user.id, () => change(pages, ctx, visit, fields)),
        )
        if (errors) return show(pages, ctx, visit, errors)
        done(pages, ctx, 'password')
      },
      needs,
    ),
  }
}

async function change(
  pages: Dependencies,
  ctx: Context,
  { user, browser }: AccountVisit,
  fields: FormFields,
): Promise<void> {
  const { credentials, throttle } = pages
  const { password = '', new_password: next = '', keep_keys: keepKeys } = fields
  const passwords = { current: password, next, keepKeys: keepKeys === 'on' }
  const actor = {
    keep: { browserSessionId: browser.session.id },
    ip: ctx.state.ip,
    onConfirmed: () => throttle.attempt('passwordChange', { person: user.id }),
  }
  try {
    await credentials.change(user, passwords, actor)
  } catch (error) {
    if (!(error instanceof UserError) || error.reason !== 'wrong_password') throw error
    if (!(await wasJustSet(pages, user, next, ctx.state.ip))) throw error
  }
}

/** True for the second copy of a form: the password that it sets is the one that there is by now. */
async function wasJustSet(
  { users, now }: Dependencies,
  { id }: User,
  password: string,
  ip: string,
): Promise<boolean> {
  const user = await users.find(id)
  if (!user || secondsBetween(user.passwordChangedAt, now()) > repeatSeconds) return false
  await users.requirePassword(id, password, { ip })
  return true
}

function show(
  pages: Dependencies,
  ctx: Context,
  visit: AccountVisit,
  errors: FieldErrors = {},
): void {
  const { texts, language, user } = visit
  const isWrong = Object.keys(errors).length > 0
  sendPage(
    ctx,
    isWrong ? 422 : 200,
    <AccountLayout
      pages={pages}
      visit={visit}
      name="password"
      title={texts.passwordPage}
      lead={texts.passwordLead}
      notice={isWrong ? undefined : noticeOf(ctx, { saved: texts.passwordChanged })}
      errors={errors}
    >
      <Section>
        <Form action={accountPath(pages.path, 'password')}>
          {/* Password managers store the new password with this name. */}
          <input
            type="text"
            name="username"
            autocomplete="username"
            value={nameOf(user)}
            hidden
            readonly
          />
          <CurrentPassword
            language={language}
            label={texts.currentPassword}
            error={errors.password}
          />
          <NewPassword language={language} error={errors.new_password} />
          <label class="check">
            <input type="checkbox" name="keep_keys" aria-describedby="keep-keys" /> {texts.keepKeys}
          </label>
          <p class="hint" id="keep-keys">
            {texts.keepKeysHint}
          </p>
          <button type="submit">{texts.changePassword}</button>
        </Form>
        <p class="after">
          <a href={`${pages.path}/forgot-password`}>{texts.forgotPassword}</a>
        </p>
      </Section>
    </AccountLayout>,
  )
}
