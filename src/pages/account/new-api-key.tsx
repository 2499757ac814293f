import { adminScope } from '../../api/access-control.ts'
import { accountClientId } from '../../api/account/api-clients.ts'
import { Problem } from '../../api/problem.ts'
import type { SealedValues } from '../../authentication/sealed-values.ts'
import type { Client } from '../../clients/client.ts'
import { later } from '../../clock.ts'
import type { Context, Middleware } from '../../http/context.ts'
import { offlineAccess } from '../../oauth/scope.ts'
import type { Throttle } from '../../throttle/throttle.ts'
import type { ApiKeys } from '../../tokens/api-keys.ts'
import type { ChosenApiKey } from '../../tokens/new-api-key.ts'
import { sendPage } from '../document.ts'
import { Field, Form } from '../elements/form.tsx'
import { accountPath } from './account-page-names.ts'
import {
  type AccountPages,
  type AccountVisit,
  type FormFields,
  shown,
  submitted,
} from './account-pages.ts'
import { AccountLayout, keyScopeText, Section } from './elements.tsx'
import type { FieldErrors } from './field-errors.ts'

interface Dependencies extends AccountPages {
  readonly apiKeys: ApiKeys
  readonly sealed: SealedValues
  readonly throttle: Throttle
  /** How long a revocation is remembered: a form may not be older. */
  readonly rememberSeconds: number
}

/** Days for which a key may be valid; 0: without end. */
const lifetimes = [30, 90, 365, 0]
const usualDays = 90
const longestName = 100

/**
 * Creates a key. The form carries it, sealed, before it exists: two copies of the form create one key and
 * both show it. Nothing is stored that could show it again, so the answer to the form is the page itself.
 */
export function newApiKeyPage(pages: Dependencies): { show: Middleware; submit: Middleware } {
  const needs = { recent: true }
  return {
    show: shown(pages, 'new-api-key', (ctx, visit) => show(pages, ctx, visit), needs),
    submit: submitted(
      pages,
      'new-api-key',
      (ctx, visit, fields) => submit(pages, ctx, visit, fields),
      needs,
    ),
  }
}

async function submit(
  pages: Dependencies,
  ctx: Context,
  visit: AccountVisit,
  fields: FormFields,
): Promise<void> {
  const { apiKeys, sealed, throttle, rememberSeconds, now } = pages
  const { user, browser, texts } = visit
  const client = await clientOf(pages)
  const name = (fields.name ?? '').trim()
  const scope = scopesOf(client).filter((one) => fields[`scope:${one}`] === 'on')
  const audience = chosenAudience(client, fields)
  const days = lifetimes.find((one) => String(one) === fields.days) ?? usualDays
  const errors: FieldErrors = {}
  if (name === '' || [...name].length > longestName) errors.name = texts.keyNameRule
  if (scope.length === 0) errors.scope = texts.chooseOne
  if (audience.length === 0) errors.audience = texts.chooseOne
  if (Object.keys(errors).length > 0) return show(pages, ctx, visit, fields, errors)
  const chosen = await sealed.open<ChosenApiKey>('api-key', fields.chosen, rememberSeconds)
  if (!chosen) return show(pages, ctx, visit, fields, { form: texts.formOutdated })
  if (await apiKeys.wasRevoked(chosen.id)) {
    return show(pages, ctx, visit, fields, { form: texts.keyGone })
  }
  await throttle.attempt('apiKeyCreation', { person: user.id })
  const created = await apiKeys.create({
    userId: user.id,
    passwordChangedAt: user.passwordChangedAt,
    clientId: client.id,
    browserSessionId: browser.session.id,
    ip: ctx.state.ip,
    name,
    scope,
    audience,
    expiresAt: days === 0 ? null : later(now(), days * 86_400),
    chosen: { id: chosen.id, secret: chosen.secret },
  })
  if (!created) return show(pages, ctx, visit, fields, { form: texts.keyLimit })
  showSecret(pages, ctx, visit, created.secret)
}

/** The client that keys of the account pages end with. */
async function clientOf({ clients }: AccountPages): Promise<Client> {
  const client = (await clients.find(accountClientId))?.client
  if (!client) throw new Problem('forbidden')
  return client
}

/** A key cannot administer, and keeps no session. */
const scopesOf = ({ scopes }: Client): string[] =>
  scopes.filter((scope) => scope !== offlineAccess && scope !== adminScope)

/** With one service there is nothing to choose. */
const chosenAudience = ({ audiences }: Client, fields: FormFields): string[] =>
  audiences.length === 1
    ? [...audiences]
    : audiences.filter((one) => fields[`audience:${one}`] === 'on')

async function show(
  pages: Dependencies,
  ctx: Context,
  visit: AccountVisit,
  fields: FormFields = {},
  errors: FieldErrors = {},
): Promise<void> {
  const { texts, language } = visit
  const { form, ...wrong } = errors
  const client = await clientOf(pages)
  const chosen = await pages.sealed.seal('api-key', pages.apiKeys.choose(visit.user.id))
  const scopes = scopesOf(client)
  const isFirst = Object.keys(fields).length === 0
  const days = fields.days ?? String(usualDays)
  sendPage(
    ctx,
    Object.keys(errors).length > 0 ? 422 : 200,
    <AccountLayout
      pages={pages}
      visit={visit}
      name="new-api-key"
      title={texts.newApiKey}
      lead={texts.apiKeysLead}
      alert={form}
      errors={wrong}
    >
      <Section>
        <Form action={accountPath(pages.path, 'new-api-key')} hidden={{ chosen }}>
          <Field
            name="name"
            label={texts.keyName}
            type="text"
            autocomplete="off"
            maxlength={longestName}
            hint={texts.keyNameHint}
            value={fields.name}
            error={wrong.name}
          />
          <Choices
            name="scope"
            legend={texts.keyScope}
            error={wrong.scope}
            options={scopes.map((scope) => ({
              value: scope,
              label: keyScopeText(scope, texts),
              isChecked: isFirst ? scopes.length === 1 : fields[`scope:${scope}`] === 'on',
            }))}
          />
          {client.audiences.length > 1 && (
            <Choices
              name="audience"
              legend={texts.keyAudience}
              error={wrong.audience}
              options={client.audiences.map((one, at) => ({
                value: one,
                label: one,
                isChecked: isFirst ? at === 0 : fields[`audience:${one}`] === 'on',
              }))}
            />
          )}
          <div class="field">
            <label for="days">{texts.keyExpiry}</label>
            <select id="days" name="days">
              {lifetimes.map((count) => (
                <option key={count} value={String(count)} selected={String(count) === days}>
                  {count === 0 ? texts.noExpiry : texts.days(count)}
                </option>
              ))}
            </select>
          </div>
          <button type="submit">{texts.createKey}</button>
          <a class="button secondary" href={accountPath(pages.path, 'api-keys')}>
            {language.messages.cancel}
          </a>
        </Form>
      </Section>
    </AccountLayout>,
  )
}

interface ChoicesProps {
  readonly name: string
  readonly legend: string
  readonly error: string | undefined
  readonly options: readonly {
    readonly value: string
    readonly label: string
    readonly isChecked: boolean
  }[]
}

/** Each box has a name of its own: a form has no name twice. */
function Choices({ name, legend, error, options }: ChoicesProps) {
  return (
    <fieldset id={name} class="field" aria-describedby={error && `${name}-error`}>
      <legend class="label">{legend}</legend>
      {options.map(({ value, label, isChecked }) => (
        <label class="check" key={value}>
          <input type="checkbox" name={`${name}:${value}`} checked={isChecked} /> {label}
        </label>
      ))}
      {error && (
        <p class="error" id={`${name}-error`}>
          {error}
        </p>
      )}
    </fieldset>
  )
}

function showSecret(pages: Dependencies, ctx: Context, visit: AccountVisit, secret: string): void {
  const { texts } = visit
  sendPage(
    ctx,
    200,
    <AccountLayout
      pages={pages}
      visit={visit}
      name="new-api-key"
      title={texts.keyCreated}
      lead={texts.keyCreatedLead}
    >
      <Section>
        <div class="field">
          <label for="key">{texts.keyValue}</label>
          <textarea id="key" class="secret" readonly rows={2} autocomplete="off" spellcheck={false}>
            {secret}
          </textarea>
        </div>
        <a class="button" href={accountPath(pages.path, 'api-keys')}>
          {texts.doneWithKey}
        </a>
      </Section>
    </AccountLayout>,
  )
}
