import { Problem } from '../../api/problem.ts'
import type { Client } from '../../clients/client.ts'
import type { Consent, Consents } from '../../consents/consents.ts'
import type { Middleware } from '../../http/context.ts'
import type { RefreshFamilies } from '../../sessions/refresh-families.ts'
import type { ListedSession } from '../../sessions/session.ts'
import { sendPage } from '../document.ts'
import { accountPath } from './account-page-names.ts'
import {
  type AccountPages,
  type AccountVisit,
  clientsOf,
  done,
  noticeOf,
  shown,
  submitted,
} from './account-pages.ts'
import { AccountLayout, agoText, dateText, Row, RowButton, Section } from './elements.tsx'

interface Dependencies extends AccountPages {
  readonly consents: Consents
  readonly families: RefreshFamilies
}

/** An app that can use the account: by a consent, by sessions, or by both. */
interface ConnectedApp {
  readonly client: Client
  readonly consent: Consent | undefined
  readonly sessions: readonly ListedSession[]
}

/** The apps that can use the account. Removing one ends everything that it has (ASVS 10.7.3). */
export function appsPage(pages: Dependencies): { show: Middleware; submit: Middleware } {
  const { consents, clients } = pages
  return {
    show: shown(pages, 'apps', async (ctx, visit) => {
      const { texts } = visit
      const apps = await connectedApps(pages, visit.user.id)
      sendPage(
        ctx,
        200,
        <AccountLayout
          pages={pages}
          visit={visit}
          name="apps"
          title={texts.apps}
          lead={texts.appsLead}
          notice={noticeOf(ctx, { removed: texts.accessRemoved })}
        >
          <Section>
            {apps.length === 0 ? (
              <p>{texts.noApps}</p>
            ) : (
              <ul class="rows">
                {apps.map((app) => (
                  <App key={app.client.id} pages={pages} visit={visit} app={app} />
                ))}
              </ul>
            )}
          </Section>
        </AccountLayout>,
      )
    }),
    submit: submitted(pages, 'apps', async (ctx, { user }, { client: id = '' }) => {
      if (id.length > mostIdLength || !(await clients.find(id))) throw new Problem('not-found')
      // An app that has nothing any more is removed, too: the form was sent twice.
      await consents.withdraw(user.id, id, ctx.state.ip)
      done(pages, ctx, 'apps', 'removed')
    }),
  }
}

const mostIdLength = 255

function App({
  pages,
  visit: { texts, language },
  app: { client, consent, sessions },
}: {
  readonly pages: Dependencies
  readonly visit: AccountVisit
  readonly app: ConnectedApp
}) {
  const { scopes, scopeNamed } = language.messages
  const used = sessions.map(({ lastUsedAt }) => lastUsedAt.getTime())
  const last = used.length > 0 ? new Date(Math.max(...used)) : undefined
  const allowed = consent?.scopes.map((scope) => scopes[scope] ?? scopeNamed(scope)).join(', ')
  return (
    <Row
      name={client.name}
      lines={[
        allowed === undefined ? texts.ownApp : `${texts.mayDo} ${allowed}`,
        consent && texts.allowedOn(dateText(language, consent.grantedAt)),
        last && texts.lastUsed(agoText(language, last, pages.now())),
      ]}
    >
      <RowButton
        action={accountPath(pages.path, 'apps')}
        hidden={{ client: client.id }}
        label={texts.removeAccess}
        of={client.name}
      />
    </Row>
  )
}

/** The clients that have a consent or a session, newest consent first. */
export async function connectedApps(pages: Dependencies, userId: string): Promise<ConnectedApp[]> {
  const { consents, families } = pages
  const [allowed, sessions] = await Promise.all([consents.list(userId), families.list(userId)])
  const clients = await clientsOf(
    pages,
    [...allowed, ...sessions].map(({ clientId }) => clientId),
  )
  return [...clients.values()].map((client) => ({
    client,
    consent: allowed.find(({ clientId }) => clientId === client.id),
    sessions: sessions.filter(({ clientId }) => clientId === client.id),
  }))
}
