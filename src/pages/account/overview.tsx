import type { Consents } from '../../consents/consents.ts'
import type { Middleware } from '../../http/context.ts'
import type { BrowserSessions } from '../../sessions/browser-sessions.ts'
import type { RefreshFamilies } from '../../sessions/refresh-families.ts'
import type { ApiKeys } from '../../tokens/api-keys.ts'
import { sendPage } from '../document.ts'
import { Icon, type IconName } from '../elements/icons.tsx'
import { breakable } from '../elements/person.tsx'
import { type AccountPageName, accountPath } from './account-page-names.ts'
import { type AccountPages, shown } from './account-pages.ts'
import { connectedApps } from './apps.tsx'
import { AccountLayout, dateText } from './elements.tsx'

interface Dependencies extends AccountPages {
  readonly browsers: BrowserSessions
  readonly families: RefreshFamilies
  readonly consents: Consents
  readonly apiKeys: ApiKeys
}

/** The account at a glance, with a way to each page. */
export function overviewPage(pages: Dependencies): { show: Middleware } {
  return {
    show: shown(pages, 'overview', async (ctx, visit) => {
      const { texts, user, language } = visit
      const [browsers, apps, keys] = await Promise.all([
        pages.browsers.list(user.id),
        connectedApps(pages, user.id),
        pages.apiKeys.list(user.id),
      ])
      const changed = dateText(language, user.passwordChangedAt)
      const cards: readonly (readonly [AccountPageName, IconName, string, string])[] = [
        ['profile', 'person', texts.profile, user.fullName ?? user.username ?? texts.none],
        ['email', 'mail', texts.email, user.email ?? texts.noEmail],
        ['password', 'shield', texts.passwordPage, texts.overviewPassword(changed)],
        ['apps', 'globe', texts.apps, texts.overviewApps(apps.length)],
        ['sessions', 'device', texts.sessions, texts.overviewDevices(browsers.length)],
        ['api-keys', 'key', texts.apiKeys, texts.overviewKeys(keys.length)],
        ['activity', 'clock', texts.activity, texts.overviewActivity],
        ['data', 'download', texts.data, texts.overviewData],
      ]
      sendPage(
        ctx,
        200,
        <AccountLayout
          pages={pages}
          visit={visit}
          name="overview"
          title={texts.account}
          lead={texts.overviewLead}
        >
          <ul class="cards">
            {cards.map(([name, icon, title, text]) => (
              <li key={name}>
                <a href={accountPath(pages.path, name)}>
                  <Icon name={icon} />
                  <span>
                    <b>{title}</b>
                    <bdi>{breakable(text)}</bdi>
                  </span>
                </a>
              </li>
            ))}
          </ul>
        </AccountLayout>,
      )
    }),
  }
}
