import { Problem } from '../../api/problem.ts'
import type { Context, Middleware } from '../../http/context.ts'
import type { ApiKey, ApiKeys } from '../../tokens/api-keys.ts'
import { sendPage } from '../document.ts'
import { accountPath } from './account-page-names.ts'
import {
  type AccountPages,
  type AccountVisit,
  clientsOf,
  done,
  isId,
  noticeOf,
  shown,
  submitted,
} from './account-pages.ts'
import {
  AccountLayout,
  agoText,
  dateText,
  keyScopeText,
  Row,
  RowButton,
  Section,
} from './elements.tsx'

interface Dependencies extends AccountPages {
  readonly apiKeys: ApiKeys
}

/** The keys of a person. Revoking one takes no password: it has to be quick. */
export function apiKeysPage(pages: Dependencies): { show: Middleware; submit: Middleware } {
  const { apiKeys } = pages
  return {
    show: shown(pages, 'api-keys', (ctx, visit) => show(pages, ctx, visit)),
    submit: submitted(pages, 'api-keys', async (ctx, { user }, { key }) => {
      if (!isId(key)) throw new Problem('not-found')
      const isRevoked =
        (await apiKeys.revoke(user.id, key, ctx.state.ip)) || (await apiKeys.wasRevoked(key))
      if (!isRevoked) throw new Problem('not-found')
      done(pages, ctx, 'api-keys', 'revoked')
    }),
  }
}

async function show(pages: Dependencies, ctx: Context, visit: AccountVisit): Promise<void> {
  const { texts, user } = visit
  const keys = await pages.apiKeys.list(user.id)
  const clients = await clientsOf(
    pages,
    keys.flatMap(({ clientId }) => clientId ?? []),
  )
  sendPage(
    ctx,
    200,
    <AccountLayout
      pages={pages}
      visit={visit}
      name="api-keys"
      title={texts.apiKeys}
      lead={texts.apiKeysLead}
      notice={noticeOf(ctx, { revoked: texts.keyRevoked })}
    >
      <Section>
        {keys.length === 0 ? (
          <p>{texts.noApiKeys}</p>
        ) : (
          <ul class="rows">
            {keys.map((key) => (
              <Key
                key={key.id}
                pages={pages}
                visit={visit}
                apiKey={key}
                app={key.clientId ? clients.get(key.clientId)?.name : undefined}
              />
            ))}
          </ul>
        )}
        <a class="button" href={accountPath(pages.path, 'new-api-key')}>
          {texts.newApiKey}
        </a>
      </Section>
    </AccountLayout>,
  )
}

interface KeyProps {
  readonly pages: Dependencies
  readonly visit: AccountVisit
  readonly apiKey: ApiKey
  readonly app: string | undefined
}

function Key({ pages, visit: { texts, language }, apiKey, app }: KeyProps) {
  const { id, name, scope, createdAt, expiresAt, lastUsedAt } = apiKey
  const now = pages.now()
  return (
    <Row
      name={name}
      mark={expiresAt !== null && expiresAt <= now && texts.expired}
      lines={[
        `${texts.mayDo} ${scope.map((one) => keyScopeText(one, texts)).join(', ')}`,
        texts.createdOn(dateText(language, createdAt)),
        app !== undefined && texts.createdByApp(app),
        expiresAt ? texts.expiresOn(dateText(language, expiresAt)) : texts.expiresNever,
        texts.lastUsed(lastUsedAt ? agoText(language, lastUsedAt, now) : texts.never),
      ]}
    >
      <RowButton
        action={accountPath(pages.path, 'api-keys')}
        hidden={{ key: id }}
        label={texts.revoke}
        of={name}
      />
    </Row>
  )
}
