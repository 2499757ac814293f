import type Router from '@koa/router'
import { AccessControl, SameOrigin } from '../api/access-control.ts'
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
import { docs, docsAsset, docsPolicy } from '../api/docs.ts'
import { openApi } from '../api/openapi.ts'
import { mount, type Operation } from '../api/operation.ts'
import { problemErrors } from '../api/problem.ts'
import { type HealthCheck, live, ready } from '../endpoints/health.ts'
import { introspection } from '../endpoints/introspection.ts'
import { jwks } from '../endpoints/jwks.ts'
import { metadata } from '../endpoints/metadata.ts'
import { revocation } from '../endpoints/revocation.ts'
import { revocationsFeed } from '../endpoints/revocations-feed.ts'
import { token } from '../endpoints/token.ts'
import { userinfo } from '../endpoints/userinfo.ts'
import { authorizationCode } from '../grants/authorization-code.ts'
import { clientCredentials } from '../grants/client-credentials.ts'
import type { Grant } from '../grants/grant.ts'
import { password } from '../grants/password.ts'
import { refreshToken } from '../grants/refresh-token.ts'
import { tokenExchange } from '../grants/token-exchange.ts'
import type { StallWatch } from '../http/abandoned.ts'
import { type ReadDocument, staticDocument } from '../http/cached-documents.ts'
import { authenticateClient, confidentialOnly } from '../http/client-authentication.ts'
import type { Middleware, RequestState } from '../http/context.ts'
import { allowEveryOrigin, allowOrigins, openFields } from '../http/cross-origin.ts'
import { oauthErrors } from '../http/error-boundary.ts'
import { form } from '../http/request-body.ts'
import {
  accountFields,
  type Fields,
  flowFields,
  noStore,
  securityFields,
} from '../http/response-headers.ts'
import { byGroup, type RouteGroup, routeGroup } from '../http/route-group.ts'
import { languageCodes } from '../languages.ts'
import { pagePolicy } from '../pages/document.ts'
import { pageErrors, siteErrors } from '../pages/error-page.tsx'
import { builtInTheme } from '../pages/theme/theme.ts'
import { mountAccountPages } from './account-routes.ts'
import { mountPages } from './page-routes.ts'
import type { Runtime, Services } from './services.ts'

interface Routes {
  /** Hands each request to the group of its route. */
  readonly middleware: Middleware
  /** Those that can be answered before the application, by path, and the fields of their group. */
  readonly documents: ReadonlyMap<string, ReadDocument>
  readonly documentFields: Fields
  /** Method and path of each route of the API, without the pages for people. */
  readonly list: readonly string[]
  /** The same for the pages. */
  readonly pages: readonly string[]
}

interface Dependencies {
  readonly runtime: Runtime
  readonly services: Services
  readonly checks: Readonly<Record<string, HealthCheck>>
  readonly stalls: StallWatch
}

/** Mounts every route, in its group; nothing is mounted anywhere else. */
export function createRoutes({ runtime, services, checks, stalls }: Dependencies): Routes {
  const { config } = runtime
  const { issuer, CORS_ORIGINS } = config
  const https = issuer.startsWith('https:')
  // All but the health checks and the metadata lies under the path of the issuer.
  const path = new URL(issuer).pathname.replace(/\/$/, '')
  const grants = createGrants(runtime, services)
  const operations = createOperations(runtime, services, path)

  const common = { metrics: services.metrics, stalls }
  const data = securityFields({ https })
  const listed = allowOrigins({ listed: CORS_ORIGINS, cookies: false })
  const listedAndApps = allowOrigins({
    listed: CORS_ORIGINS,
    isOfApp: (origin) => services.publicOrigins.has(origin),
    cookies: false,
  })

  const oauth = routeGroup(
    { fields: [...data, ...noStore], crossOrigin: listedAndApps, errors: oauthErrors },
    common,
  )
  mountOAuth(oauth.router, runtime, services, path, grants)

  const described = metadata({ issuer, grants, languages: languageCodes })
  const documents = new Map([
    [`${path}/.well-known/jwks.json`, jwks({ keyring: services.keyring, now: runtime.now })],
    // RFC 8414 §3.1: the well-known part of this one stands between host and path of the issuer.
    [`/.well-known/oauth-authorization-server${path}`, described.oauth],
    // OpenID Connect Discovery §4.1 appends its well-known part.
    [`${path}/.well-known/openid-configuration`, described.openId],
    // Clients also use the other spelling of each: RFC 8414 §5.
    [`/.well-known/openid-configuration${path}`, described.openId],
    [`${path}/.well-known/oauth-authorization-server`, described.oauth],
  ])
  const aliases =
    path === ''
      ? []
      : [
          `/.well-known/openid-configuration${path}`,
          `${path}/.well-known/oauth-authorization-server`,
        ]
  const discovery = routeGroup(
    { fields: data, crossOrigin: allowEveryOrigin(), errors: oauthErrors },
    common,
  )
  for (const [name, read] of documents) discovery.router.get(name, staticDocument(read))
  discovery.router.get(`${path}/.well-known/revocations`, revocationsFeed(services))

  const jsonApi = routeGroup(
    {
      fields: [...data, ...noStore],
      crossOrigin: allowOrigins({ listed: CORS_ORIGINS, cookies: true }),
      errors: problemErrors,
    },
    common,
  )
  jsonApi.router.get(`${path}/api/v1/health`, ready(checks, 'status'))
  jsonApi.router.get(`${path}/api/v1/health/database`, ready(only(checks, 'database'), 'status'))
  mount(jsonApi.router, operations.list, operations.accessControl, path)

  const docsPages = routeGroup(
    {
      fields: securityFields({ https }, docsPolicy),
      crossOrigin: listed,
      errors: oauthErrors,
    },
    common,
  )
  docsPages.router.get(`${path}/docs`, docs)
  docsPages.router.get(`${path}/docs/:name`, docsAsset)

  const look = { issuer, path, theme: runtime.theme ?? builtInTheme }
  const html = { crossOrigin: listed, errors: pageErrors(look) }
  const pages = routeGroup(
    { ...html, fields: securityFields({ https }, pagePolicy, flowFields) },
    common,
  )
  mountPages(pages.router, runtime, services, path)
  const account = routeGroup(
    { ...html, fields: securityFields({ https }, pagePolicy, accountFields) },
    common,
  )
  mountAccountPages(account.router, runtime, services, path)

  /** Health checks, the description of the API, and every path at which nothing is. */
  const site = routeGroup({ fields: data, crossOrigin: listed, errors: siteErrors(look) }, common)
  site.router.get('/health/live', live)
  site.router.get('/health/ready', ready(checks))
  site.router.get(
    `${path}/openapi.json`,
    (ctx, next) => {
      ctx.set('cross-origin-resource-policy', 'cross-origin')
      return next()
    },
    staticDocument(openApi({ operations: operations.list, issuer, version })),
  )

  const middleware = byGroup(
    [
      { group: oauth },
      { group: discovery },
      { group: jsonApi, below: `${path}/api/` },
      { group: docsPages, below: `${path}/docs/` },
      { group: pages, below: `${path}/assets/` },
      { group: account, below: `${path}/account/` },
    ],
    site,
  )
  return {
    middleware,
    documents,
    documentFields: [...data, ...openFields],
    pages: [pages, account].flatMap(routesOf),
    list: [oauth, discovery, site, docsPages, jsonApi]
      .flatMap(routesOf)
      .filter((route) => !aliases.includes(route.replace('GET ', ''))),
  }
}

function createGrants({ now }: Runtime, services: Services): Grant[] {
  const { signIn, sessionTokens, codec, codes, accessTokens, lifetimes, apiKeys } = services
  return [
    authorizationCode({ codes, sessionTokens, lifetimes }),
    password({ signIn }),
    refreshToken({ sessionTokens, codec }),
    clientCredentials({ accessTokens, lifetimes }),
    tokenExchange({ apiKeys, accessTokens, lifetimes, now }),
  ]
}

function mountOAuth(
  router: Router<RequestState>,
  { config: { issuer } }: Runtime,
  services: Services,
  path: string,
  grants: readonly Grant[],
): void {
  const { metrics, accessTokens, families, apiKeys } = services
  const client = authenticateClient(services)
  router.post(`${path}/oauth/token`, form, client, token({ grants, metrics }))
  router.post(`${path}/oauth/revoke`, form, client, revocation(services))
  router.post(
    `${path}/oauth/introspect`,
    form,
    client,
    confidentialOnly,
    introspection({ accessTokens, families, apiKeys, issuer, metrics }),
  )
  const info = userinfo({ ...services, issuer })
  router.get(`${path}/oauth/userinfo`, info)
  router.post(`${path}/oauth/userinfo`, info)
}

/** The JSON API, a line for each chapter. */
function createOperations({ config, now }: Runtime, services: Services, path: string) {
  const {
    accessTokens,
    apiClients,
    apiKeys,
    clients,
    codec,
    families,
    passwords,
    personalData,
    registration,
    sessionTokens,
    signIn,
    signingKeys,
    throttle,
    users,
    userSessions,
    administration,
    lifetimes,
  } = services
  const { issuer } = config
  const sameOrigin = new SameOrigin([new URL(issuer).origin, ...config.CORS_ORIGINS])
  const accessControl = new AccessControl({ accessTokens, users, sameOrigin, issuer })
  const cookieMode = new CookieMode({
    sameOrigin,
    codec,
    sessionSeconds: lifetimes.sessionAbsoluteSeconds,
    path,
  })
  const list: Operation[] = [
    ...registrationOperations({
      registration,
      passwords,
      sessionTokens,
      apiClients,
      throttle,
      now,
      open: config.REGISTRATION === 'open',
    }),
    ...loginOperations({ signIn, apiClients, cookieMode, families, accessTokens, userSessions }),
    ...sessionOperations({
      families,
      userSessions,
      codec,
      sessionTokens,
      apiClients,
      cookieMode,
    }),
    ...profileOperations({ users, personalData, administration, throttle, cookieMode }),
    ...passwordOperations(services),
    ...emailOperations(services),
    ...apiKeyOperations({ apiKeys, clients, users, throttle, now }),
    ...userOperations(services),
    ...clientOperations(services),
    ...auditOperations(services),
    ...keyOperations({ signingKeys, now }),
  ]
  return { list, accessControl }
}

const routesOf = ({ router }: RouteGroup): string[] =>
  router.stack.flatMap(({ methods, path }) =>
    methods.filter((method) => method !== 'HEAD').map((method) => `${method} ${path}`),
  )

const only = (checks: Readonly<Record<string, HealthCheck>>, wanted: string) =>
  Object.fromEntries(Object.entries(checks).filter(([name]) => name === wanted))

/** The version of the API in /openapi.json. */
const version = '1'
