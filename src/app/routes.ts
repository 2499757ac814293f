import Router from '@koa/router'
import { AccessControl } from '../api/access-control.ts'
import { apiKeyOperations } from '../api/account/api-keys.ts'
import { CookieMode } from '../api/account/cookie-mode.ts'
import { emailOperations } from '../api/account/email.ts'
import { loginOperations } from '../api/account/login.ts'
import { passwordOperations } from '../api/account/password.ts'
import { profileOperations } from '../api/account/profile.ts'
import { registrationOperations } from '../api/account/registration.ts'
import { sessionOperations } from '../api/account/sessions.ts'
import { auditOperations } from '../api/admin/audit.ts'
import { clientOperations } from '../api/admin/clients.ts'
import { keyOperations } from '../api/admin/keys.ts'
import { userOperations } from '../api/admin/users.ts'
import { docs, docsAsset } from '../api/docs.ts'
import { openApi } from '../api/openapi.ts'
import { mount, type Operation } from '../api/operation.ts'
import { SameOrigin } from '../api/same-origin.ts'
import { type HealthCheck, live, ready } from '../endpoints/health.ts'
import { introspection } from '../endpoints/introspection.ts'
import { jwks } from '../endpoints/jwks.ts'
import { metadata } from '../endpoints/metadata.ts'
import { revocation } from '../endpoints/revocation.ts'
import { revocationsFeed } from '../endpoints/revocations-feed.ts'
import { token } from '../endpoints/token.ts'
import { clientCredentials } from '../grants/client-credentials.ts'
import { password } from '../grants/password.ts'
import { refreshToken } from '../grants/refresh-token.ts'
import { tokenExchange } from '../grants/token-exchange.ts'
import { type ReadDocument, staticDocument } from '../http/cached-documents.ts'
import { authenticateClient, confidentialOnly } from '../http/client-authentication.ts'
import type { RequestState } from '../http/context.ts'
import { publicDocument } from '../http/cross-origin.ts'
import { form } from '../http/form.ts'
import { foundByPath } from '../http/found-by-path.ts'
import { noStore } from '../http/no-store.ts'
import { jsonApi, publicDocuments, RouteGroups } from '../http/route-group.ts'
import { type LinkPage, resetPassword, verifyEmail } from '../pages/link-pages.ts'
import { stylesheet } from '../pages/page.ts'
import type { Runtime, Services } from './services.ts'

interface Routes {
  readonly router: Router<RequestState>
  /** Not of the API: for browsers, where no app has them. */
  readonly pages: Router<RequestState>
  readonly groups: RouteGroups
  /** Those that can be answered without the router, by path. */
  readonly documents: ReadonlyMap<string, ReadDocument>
}

/** Every route, on the rooms of rooms/. Nothing is mounted anywhere else. */
export function createRouter(
  { config, now }: Runtime,
  services: Services,
  checks: Readonly<Record<string, HealthCheck>>,
): Routes {
  const { issuer } = config
  // What is announced is what answers: all but the health checks lies under the path of the issuer.
  const path = new URL(issuer).pathname.replace(/\/$/, '')
  const grants = [
    password(services),
    refreshToken(services),
    clientCredentials(services),
    tokenExchange({ ...services, now }),
  ]
  const client = authenticateClient(services)
  const sameOrigin = new SameOrigin([new URL(issuer).origin, ...config.CORS_ORIGINS])
  const accessControl = new AccessControl({ ...services, sameOrigin, issuer })
  const sessionSeconds = services.lifetimes.sessionAbsoluteSeconds
  const cookieMode = new CookieMode({ ...services, sameOrigin, sessionSeconds, path })
  const operations: Operation[] = [
    ...registrationOperations({ ...services, now, open: config.REGISTRATION === 'open' }),
    ...loginOperations({ ...services, cookieMode }),
    ...sessionOperations({ ...services, cookieMode }),
    ...profileOperations({ ...services, cookieMode }),
    ...passwordOperations(services),
    ...emailOperations(services),
    ...apiKeyOperations({ ...services, now }),
    ...userOperations(services),
    ...clientOperations(services),
    ...auditOperations(services),
    ...keyOperations({ ...services, now }),
  ]

  const router = foundByPath(new Router<RequestState>({ sensitive: true, strict: true }))
  router.post(`${path}/oauth/token`, noStore, form, client, token({ ...services, grants }))
  router.post(`${path}/oauth/revoke`, noStore, form, client, revocation(services))
  router.post(
    `${path}/oauth/introspect`,
    ...[noStore, form, client, confidentialOnly],
    introspection({ ...services, issuer }),
  )
  const documents = new Map([
    [`${path}/.well-known/jwks.json`, jwks({ ...services, now })],
    // RFC 8414 §3.1: the well-known part of this one stands between host and path of the issuer.
    [`/.well-known/oauth-authorization-server${path}`, metadata({ issuer, grants })],
  ])
  for (const [name, read] of documents) router.get(name, staticDocument(read))
  router.get(`${path}/.well-known/revocations`, revocationsFeed(services))
  router.get('/health/live', live)
  router.get('/health/ready', ready(checks))
  router.get(`${path}/api/v1/health`, ready(checks, 'status'))
  router.get(`${path}/api/v1/health/database`, ready(pick(checks, 'database'), 'status'))
  router.get(
    `${path}/openapi.json`,
    publicDocument,
    staticDocument(openApi({ operations, issuer, version })),
  )
  router.get(`${path}/docs`, docs)
  router.get(`${path}/docs/:name`, docsAsset)
  mount(router, operations, accessControl, path)
  const pages = new Router<RequestState>({ sensitive: true, strict: true })
  if (config.APP_URL === undefined) {
    const shown = { operations, origin: new URL(issuer).origin }
    mountPage(pages, `${path}/verify-email`, verifyEmail(shown))
    mountPage(pages, `${path}/reset-password`, resetPassword(shown))
    pages.get(`${path}/pages.css`, stylesheet)
  }
  const groups = new RouteGroups()
  groups.below(`${path}/api/`, jsonApi)
  const forEverybody = [`${path}/.well-known/revocations`]
  for (const name of [...documents.keys(), ...forEverybody]) groups.at(name, publicDocuments)
  return { router, pages, groups, documents }
}

function mountPage(router: Router<RequestState>, path: string, { show, submit }: LinkPage): void {
  router.get(path, show)
  router.post(path, submit)
}

const pick = (checks: Readonly<Record<string, HealthCheck>>, wanted: string) =>
  Object.fromEntries(Object.entries(checks).filter(([name]) => name === wanted))

/** Of the API that /openapi.json describes. */
const version = '1'
