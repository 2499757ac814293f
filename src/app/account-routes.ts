import type Router from '@koa/router'
import type { RequestState } from '../http/context.ts'
import { accountPath } from '../pages/account/account-page-names.ts'
import type { AccountPages } from '../pages/account/account-pages.ts'
import { activityPage } from '../pages/account/activity.tsx'
import { apiKeysPage } from '../pages/account/api-keys.tsx'
import { appsPage } from '../pages/account/apps.tsx'
import { confirmPage } from '../pages/account/confirm.tsx'
import { dataPage } from '../pages/account/data.tsx'
import { deletePage } from '../pages/account/delete.tsx'
import { emailPage } from '../pages/account/email.tsx'
import { newApiKeyPage } from '../pages/account/new-api-key.tsx'
import { overviewPage } from '../pages/account/overview.tsx'
import { passwordPage } from '../pages/account/password.tsx'
import { profilePage } from '../pages/account/profile.tsx'
import { sessionsPage } from '../pages/account/sessions.tsx'
import { accountStylesheet } from '../pages/account/stylesheet.ts'
import { serve } from '../pages/assets.ts'
import { languageChoice } from '../pages/language-choice.ts'
import { builtInTheme, themed } from '../pages/theme/theme.ts'
import type { PageRuntime, PageServices } from './page-services.ts'

/** The pages on which people see and change their own account. */
export function mountAccountPages(
  router: Router<RequestState>,
  { config: { issuer }, now, theme = builtInTheme }: PageRuntime,
  services: PageServices,
  path: string,
): void {
  const { flow, browserSignIn, clients, lifetimes } = services
  const common: AccountPages = {
    flow,
    browserSignIn,
    clients,
    path,
    origin: new URL(issuer).origin,
    sessionSeconds: lifetimes.sessionAbsoluteSeconds,
    now,
  }
  const pages = { ...services, ...common }
  const profile = profilePage(pages)
  const sessions = sessionsPage(pages)
  const deletion = deletePage(pages)
  const confirm = confirmPage(pages)
  router.get(`${path}/assets/account.css`, serve('text/css; charset=utf-8', accountStylesheet))
  router.use(themed(theme))
  router.use(languageChoice)
  const shown = {
    overview: overviewPage(pages),
    profile,
    email: emailPage(pages),
    password: passwordPage(pages),
    apps: appsPage(pages),
    sessions,
    'api-keys': apiKeysPage(pages),
    'new-api-key': newApiKeyPage(pages),
    activity: activityPage(pages),
    data: dataPage(pages),
    delete: deletion,
  } as const
  for (const [name, page] of Object.entries(shown)) {
    const at = accountPath(path, name as keyof typeof shown)
    router.get(at, page.show)
    if ('submit' in page) router.post(at, page.submit)
  }
  router.post(`${accountPath(path, 'profile')}/username`, profile.rename)
  router.post(`${accountPath(path, 'sessions')}/others`, sessions.endOthers)
  router.get(`${path}/account/confirm`, confirm.show)
  router.post(`${path}/account/confirm`, confirm.submit)
  router.get(`${path}/account/deleted`, deletion.deleted)
}
