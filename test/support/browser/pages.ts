import type { Page } from 'playwright-core'
import { goodPassword } from '../people/account-api.ts'
import type { TestServer } from '../server/start-server.ts'
import { carryOn, primary, signIn } from './person.ts'
import { authorizeUrl, type RelyingParty } from './relying-party.ts'

/** A tab in which pages are opened one after the other. */
export interface Tour {
  readonly server: TestServer
  readonly app: RelyingParty
  readonly page: Page
  /** The newest link that an address got, as soon as it has got `count` of them. */
  readonly link: (address: string, count?: number) => Promise<string>
}

/** A page in a state that looks different from others. */
export interface PageState {
  /** The route that shows it. */
  readonly route: string
  readonly state?: string
  /** Brings the tab there; absent: opens the route. */
  readonly open?: (tour: Tour) => Promise<unknown>
}

export const nameOf = ({ route, state }: PageState): string =>
  state === undefined ? route : `${route} (${state})`

/** The person of the tour. */
const grace = { username: 'grace', password: goodPassword }

/** A person who owes a new password. */
export const hedy = { username: 'hedy', password: goodPassword }

const visitor = 'new@people.example'

const authorize = ({ page, server, app }: Tour, extra = {}) =>
  page.goto(authorizeUrl(server.url, app.callback, extra))

const send = (page: Page) => Promise.all([page.waitForEvent('load'), page.click(primary)])

async function register({ page, server }: Tour, password: string): Promise<void> {
  await page.goto(`${server.url}/register`)
  await page.fill('input[name=email]', visitor)
  await page.fill('input[name=password]', password)
  await send(page)
}

async function askForReset({ page, server }: Tour): Promise<void> {
  await page.goto(`${server.url}/forgot-password`)
  await page.fill('input[name=email]', visitor)
  await send(page)
}

async function followWarning({ page, server, link }: Tour): Promise<void> {
  const { outbox } = server.services
  const { id: userId } = await server.db('users').where({ email: visitor }).first('id')
  await outbox.put(server.db, { template: 'new_sign_in', to: visitor, userId })
  await page.goto(`${server.url}/secure-account?token=${await link(visitor, 3)}`)
}

/** Pages of somebody who is not signed in, in the order of a visit. */
const strangers: readonly PageState[] = [
  { route: '/' },
  { route: '/register' },
  { route: '/register', state: 'weak password', open: (tour) => register(tour, 'password1') },
  { route: '/verify-email', state: 'code', open: (tour) => register(tour, goodPassword) },
  {
    route: '/verify-email',
    state: 'wrong code',
    async open({ page }) {
      await page.fill('input[name=code]', 'AAAA-AAAA')
      await send(page)
    },
  },
  {
    route: '/verify-email',
    state: 'link',
    open: async ({ page, server, link }) =>
      page.goto(`${server.url}/verify-email?token=${await link(visitor)}`),
  },
  { route: '/verify-email' },
  {
    route: '/verify-email',
    state: 'done',
    open: ({ page, server }) => page.goto(`${server.url}/verify-email?done`),
  },
  { route: '/forgot-password' },
  { route: '/forgot-password', state: 'sent', open: askForReset },
  { route: '/reset-password' },
  {
    route: '/reset-password',
    state: 'link',
    open: async ({ page, server, link }) =>
      page.goto(`${server.url}/reset-password?token=${await link(visitor, 2)}`),
  },
  { route: '/secure-account' },
  { route: '/secure-account', state: 'link', open: followWarning },
  { route: '/secure-account', state: 'done', open: ({ page }) => send(page) },
  {
    route: '/new-password',
    async open({ page, server }) {
      await page.goto(`${server.url}/sign-in`)
      await signIn(page, hedy)
      await page.waitForURL('**/new-password?*')
    },
  },
  { route: '/sign-in' },
  { route: '/sign-in', state: 'to an app', open: (tour) => authorize(tour) },
  {
    route: '/sign-in',
    state: 'wrong password',
    async open(tour) {
      await authorize(tour)
      await signIn(tour.page, { ...grace, password: 'a wrong password' })
      await tour.page.getByRole('alert').waitFor()
    },
  },
  { route: '/sign-out', state: 'signed out' },
  { route: '/signed-out' },
  { route: '/account/deleted' },
  {
    route: '/nothing-here',
    state: 'error',
    open: ({ page, server }) => page.goto(`${server.url}/account/nothing`),
  },
  {
    route: '/oauth/authorize',
    state: 'error',
    open: ({ page, server }) => page.goto(`${server.url}/oauth/authorize?client_id=nobody`),
  },
]

/** Pages of somebody who signs in first. */
const people: readonly PageState[] = [
  {
    route: '/consent',
    async open(tour) {
      await authorize(tour)
      await signIn(tour.page, grace)
      await tour.page.waitForURL('**/consent?*')
    },
  },
  {
    route: '/continue',
    async open(tour) {
      await authorize(tour)
      const consent = tour.page.url()
      await carryOn(tour.page, /\/callback\?/, grace)
      await tour.page.goto(consent)
    },
  },
  { route: '/', state: 'signed in' },
  { route: '/choose-account', open: (tour) => authorize(tour, { prompt: 'select_account' }) },
  { route: '/reauthenticate', open: (tour) => authorize(tour, { prompt: 'login' }) },
  { route: '/sign-out' },
  { route: '/account' },
  { route: '/account/profile' },
  { route: '/account/email' },
  { route: '/account/password' },
  { route: '/account/apps' },
  { route: '/account/sessions' },
  { route: '/account/api-keys' },
  { route: '/account/api-keys/new' },
  { route: '/account/activity' },
  { route: '/account/data' },
  { route: '/account/delete' },
  { route: '/account/confirm', open: openConfirm },
]

function openConfirm({ page, server }: Tour) {
  server.clock.advance({ minutes: 30 })
  return page.goto(`${server.url}/account/delete`)
}

/** Every page, in an order that one tab can follow: a test compares it with the routes of the server. */
export const pageStates: readonly PageState[] = [...strangers, ...people]

export async function openState(tour: Tour, { route, open }: PageState): Promise<void> {
  await (open ? open(tour) : tour.page.goto(tour.server.url + route))
}
