import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import Koa from 'koa'
import { StallWatch } from '../../http/abandoned.ts'
import type { RequestState } from '../../http/context.ts'
import { browserCookie } from '../../http/cookies.ts'
import { RequestLog } from '../../http/request-log.ts'
import { byGroup, routeGroup } from '../../http/route-group.ts'
import type { LanguageCode } from '../../languages.ts'
import { pageErrors } from '../../pages/error-page.tsx'
import { languageCookie } from '../../pages/languages/languages.ts'
import type { Theme } from '../../pages/theme/theme.ts'
import { openLog } from '../../telemetry/log.ts'
import { Metrics } from '../../telemetry/metrics.ts'
import { mountAccountPages } from '../account-routes.ts'
import { mountPages } from '../page-routes.ts'
import { type PreviewState, previewStates, shownByNone, usualStates } from './preview-states.ts'
import { sampleServices } from './sample-services.ts'

/** A page as the server answers with it. */
export interface RenderedPage {
  readonly route: string
  readonly state: string | undefined
  readonly status: number
  /** The status that it should have. */
  readonly expected: number
  readonly html: string
}

interface Rendering {
  readonly pages: readonly RenderedPage[]
  /** By path, without the query: what the pages load. */
  readonly assets: ReadonlyMap<string, Buffer>
}

/** An address at which nothing is: its page is the one for errors. */
const nowhere = '/account/nothing'

/**
 * Renders every page of the routes with samples. The pages are those of a server: requests go through the
 * same routes, on a loopback port, and only the services behind them are others.
 */
export async function renderPages(theme: Theme, language: LanguageCode): Promise<Rendering> {
  const stalls = new StallWatch()
  const { handler, routes } = pageHandler(theme, stalls)
  const server = createServer(handler).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  try {
    const pages: RenderedPage[] = []
    for (const route of routes.filter((path) => !shownByNone.some(([one]) => one.test(path)))) {
      for (const state of previewStates[route] ?? usualStates(route)) {
        pages.push(await renderPage(origin, route, state, language))
      }
    }
    const missing = { state: 'not found', status: 404 }
    pages.push(await renderPage(origin, nowhere, missing, language))
    return { pages, assets: await loadAssets(origin, pages) }
  } finally {
    stalls.stop()
    server.closeAllConnections()
    server.close()
  }
}

/** The routes of the pages, in front of samples. */
function pageHandler(theme: Theme, stalls: StallWatch) {
  const now = new Date()
  const issuer = 'http://127.0.0.1'
  const metrics = new Metrics()
  const log = openLog({ level: 'silent', format: 'json', fd: 2 })
  const runtime = { config: { issuer, REGISTRATION: 'open' as const }, now: () => now, theme }
  const services = sampleServices(now)
  const policy = {
    fields: [],
    crossOrigin: (_ctx: unknown, next: () => Promise<unknown>) => next(),
    errors: pageErrors({ issuer, path: '', theme }),
  }
  const groups = [mountPages, mountAccountPages].map((mountGroup) => {
    const group = routeGroup(policy, { metrics, stalls })
    mountGroup(group.router, runtime, services, '')
    return group
  })
  const koa = new Koa<RequestState>()
  koa.use(new RequestLog({ log, metrics, trustedProxies: [] }).middleware)
  koa.use(
    byGroup(
      groups.map((group) => ({ group })),
      groups[0] as (typeof groups)[number],
    ),
  )
  const routes = groups
    .flatMap(({ router }) => router.stack.filter(({ methods }) => methods.includes('GET')))
    .map(({ path }) => String(path))
    // Those of the protocol show errors alone, and come last.
    .sort((one, other) => Number(one.startsWith('/oauth/')) - Number(other.startsWith('/oauth/')))
  return { handler: koa.callback(), routes }
}

async function renderPage(
  origin: string,
  route: string,
  { state, query = {}, form, isSignedIn = false, status = 200 }: PreviewState,
  language: LanguageCode,
): Promise<RenderedPage> {
  const cookies = [`${languageCookie}=${language}`, ...(isSignedIn ? [`${browserCookie}=1`] : [])]
  const answer = await fetch(`${origin}${route}?${new URLSearchParams(query)}`, {
    redirect: 'manual',
    headers: { cookie: cookies.join('; '), 'sec-fetch-site': 'same-origin', accept: 'text/html' },
    ...(form && { method: 'POST', body: new URLSearchParams(form) }),
  })
  return { route, state, status: answer.status, expected: status, html: await answer.text() }
}

/** Links to a file of the server, such as `/assets/logo.svg?v=…`. */
export const assetLinks = /(?<=(?:href|src)=")\/(assets\/[^"?]+)(?:\?[^"]*)?(?=")/g

async function loadAssets(
  origin: string,
  pages: readonly RenderedPage[],
): Promise<ReadonlyMap<string, Buffer>> {
  const names = pages.flatMap(({ html }) =>
    [...html.matchAll(assetLinks)].map(([, name = '']) => name),
  )
  const assets = new Map<string, Buffer>()
  for (const name of new Set(names)) {
    const answer = await fetch(`${origin}/${name}`)
    assets.set(decodeURIComponent(name), Buffer.from(await answer.arrayBuffer()))
  }
  return assets
}
