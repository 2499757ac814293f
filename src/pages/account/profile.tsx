import { confirmRename } from '../../api/account/profile.ts'
import { fullNameField, usernameField } from '../../api/account/schemas.ts'
import type { Context, Middleware } from '../../http/context.ts'
import { deletedCookie } from '../../http/cookies.ts'
import { closestLanguage, languageNames } from '../../languages.ts'
import type { Throttle } from '../../throttle/throttle.ts'
import type { PersonalData } from '../../users/personal-data.ts'
import { UserError } from '../../users/user.ts'
import type { Users } from '../../users/users.ts'
import { sendPage } from '../document.ts'
import { CurrentPassword, Field, Form } from '../elements/form.tsx'
import { languageCookie } from '../languages/languages.ts'
import { accountPath } from './account-page-names.ts'
import {
  type AccountPages,
  type AccountVisit,
  done,
  type FormFields,
  noticeOf,
  shown,
  submitted,
} from './account-pages.ts'
import { AccountLayout, Section } from './elements.tsx'
import { errorsOf, type FieldErrors } from './field-errors.ts'

interface Dependencies extends AccountPages {
  readonly users: Users
  readonly personalData: PersonalData
  readonly throttle: Throttle
}

interface ProfilePage {
  readonly show: Middleware
  readonly submit: Middleware
  readonly rename: Middleware
}

/** The names and the language of a person. The username is a form of its own, because it takes the password. */
export function profilePage(pages: Dependencies): ProfilePage {
  const { personalData, users, throttle } = pages
  return {
    show: shown(pages, 'profile', (ctx, visit) => show(pages, ctx, visit)),
    submit: submitted(pages, 'profile', async (ctx, visit, fields) => {
      const { user, texts } = visit
      const typed = (fields.full_name ?? '').trim()
      const fullName = typed === '' ? null : fullNameField.safeParse(typed)
      if (fullName && !fullName.success) {
        return show(pages, ctx, visit, fields, { full_name: texts.fullNameRule })
      }
      const locale = fields.language ? (closestLanguage(fields.language) ?? null) : null
      const changes = { fullName: fullName?.data ?? null, locale }
      await personalData.change(user.id, changes, ctx.state.ip)
      // The choice at the foot of a page would win over the one that was just made.
      ctx.append('set-cookie', deletedCookie(languageCookie))
      done(pages, ctx, 'profile')
    }),
    rename: submitted(pages, 'profile', async (ctx, visit, fields) => {
      const { user, texts, language } = visit
      const { ip } = ctx.state
      const username = usernameField.safeParse(fields.username ?? '')
      if (!username.success) {
        return show(pages, ctx, visit, fields, { username: texts.usernameRule })
      }
      // The same form again, or the name as it is.
      if (username.data === user.username) return done(pages, ctx, 'profile')
      const errors = await errorsOf(language, async () => {
        if (!fields.password) throw new UserError('wrong_password', 'The password is missing.')
        await confirmRename({ users, throttle }, { id: user.id, ip }, fields.password)
        await personalData.change(user.id, { username: username.data }, ip)
      })
      if (errors) return show(pages, ctx, visit, fields, errors)
      done(pages, ctx, 'profile')
    }),
  }
}

function show(
  pages: Dependencies,
  ctx: Context,
  visit: AccountVisit,
  fields: FormFields = {},
  errors: FieldErrors = {},
): void {
  const { texts, user, language } = visit
  const action = accountPath(pages.path, 'profile')
  const chosen = fields.language ?? (user.locale && closestLanguage(user.locale)) ?? ''
  const isWrong = Object.keys(errors).length > 0
  sendPage(
    ctx,
    isWrong ? 422 : 200,
    <AccountLayout
      pages={pages}
      visit={visit}
      name="profile"
      title={texts.profile}
      lead={texts.profileLead}
      notice={isWrong ? undefined : noticeOf(ctx, { saved: texts.saved })}
      errors={errors}
    >
      <Section>
        <Form action={action}>
          <Field
            name="full_name"
            label={texts.fullName}
            type="text"
            autocomplete="name"
            autocapitalize="words"
            required={false}
            hint={texts.optional}
            value={fields.full_name ?? user.fullName ?? ''}
            error={errors.full_name}
          />
          <div class="field">
            <label for="language">{language.messages.language}</label>
            <p class="hint" id="language-hint">
              {texts.languageHint}
            </p>
            <select id="language" name="language" aria-describedby="language-hint">
              <option value="" selected={chosen === ''}>
                {texts.languageOfBrowser}
              </option>
              {Object.entries(languageNames).map(([code, name]) => (
                <option key={code} value={code} lang={code} selected={code === chosen}>
                  {name}
                </option>
              ))}
            </select>
          </div>
          <button type="submit">{texts.save}</button>
        </Form>
      </Section>
      <Section title={texts.changeUsername}>
        <p>{texts.changeUsernameLead}</p>
        <Form action={`${action}/username`}>
          <Field
            name="username"
            label={user.username ? texts.newUsername : texts.username}
            type="text"
            autocomplete="username"
            value={fields.username ?? user.username ?? ''}
            error={errors.username}
          />
          <CurrentPassword language={language} error={errors.password} />
          <button type="submit" class="secondary">
            {texts.change}
          </button>
        </Form>
      </Section>
    </AccountLayout>,
  )
}
