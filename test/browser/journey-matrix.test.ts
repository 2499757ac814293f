import test from 'ava'
import type { Page } from 'playwright-core'
import { eventually } from '../../tools/eventually.ts'
import { ada } from '../../tools/fixtures.ts'
import { openProfile, type Profile } from '../support/browser/chromium.ts'
import { type Account, carryOn, fillInPage, primary, signIn } from '../support/browser/person.ts'
import { authorizeUrl } from '../support/browser/relying-party.ts'
import {
  arriving,
  grace,
  type Scene,
  withOneServer,
  withOwnPostgres,
  withProcess,
  withTwoInstances,
} from '../support/browser/scenes.ts'
import { addPerson, goodPassword, otherPassword } from '../support/people/account-api.ts'

/** A sign-in cannot be lost (D12): each disturbance at each page, and then the person goes on. */

interface Cell extends Scene, Profile {}

/** A page, and the way to it. */
interface Boundary {
  reach(cell: Cell): Promise<Account | undefined>
  /** True if the link of a mail is opened, or after what: then the person arrives at their account. */
  readonly endsAtAccount?: true | readonly string[]
}

let people = 0

/** A person with a mailbox, who is not registered. */
function stranger({ server, mailbox }: Scene): Account {
  people += 1
  const username = `person${people}@people.example`
  const isSettled = async () =>
    (await server.db('outgoing_mail').where({ sent_at: null, given_up_at: null })).length === 0
  const mails = async () => {
    await eventually(isSettled, 'no mail is under way', 60)
    return mailbox.mails.filter(({ envelope }) => envelope.to.includes(username))
  }
  return {
    username,
    password: goodPassword,
    other: otherPassword,
    inbox: {
      opened: new Set(),
      newestText: async () => (await mails()).at(-1)?.text ?? '',
      links: async () => (await mails()).flatMap(({ link }) => link ?? []),
    },
  }
}

/** The same, registered. */
async function member(scene: Scene): Promise<Account> {
  const account = stranger(scene)
  await addPerson(scene.server, account.username.split('@')[0] ?? '')
  return account
}

const open = async ({ page, issuer, app }: Cell, extra = {}): Promise<undefined> => {
  const url = authorizeUrl(issuer, app.callback, extra).replaceAll('&', '&amp;')
  app.pages.set('/start', `<main><a href="${url}">Sign in</a></main>`)
  await page.goto(`${app.origin}/start`)
  await Promise.all([page.waitForEvent('load'), page.click('a')])
  return undefined
}

const send = (page: Page) => Promise.all([page.waitForEvent('load'), page.click(primary)])

/** Signed in, and then sent here again. */
async function comeBack(cell: Cell, extra: Readonly<Record<string, string>>): Promise<undefined> {
  await open(cell)
  await carryOn(cell.page, arriving(cell))
  await open(cell, extra)
}

async function register(cell: Cell): Promise<Account> {
  await open(cell, { prompt: 'create' })
  return stranger(cell)
}

async function forget(cell: Cell): Promise<Account> {
  const account = await member(cell)
  await open(cell)
  const link = cell.page.locator('main a[href*="forgot-password"]')
  await Promise.all([cell.page.waitForEvent('load'), link.click()])
  return account
}

const boundaries: Readonly<Record<string, Boundary>> = {
  'sign-in': { reach: (cell) => open(cell) },
  'sign-in after a wrong password': {
    async reach(cell) {
      await open(cell)
      await signIn(cell.page, { ...ada, password: 'a wrong password' })
      await cell.page.getByRole('alert').waitFor()
      return undefined
    },
  },
  consent: {
    async reach(cell) {
      await open(cell)
      await signIn(cell.page)
      await cell.page.waitForURL('**/consent?*')
      return undefined
    },
  },
  reauthenticate: { reach: (cell) => comeBack(cell, { prompt: 'login' }) },
  'choose account': { reach: (cell) => comeBack(cell, { prompt: 'select_account' }) },
  register: { reach: register },
  'verify email': {
    async reach(cell) {
      const account = await register(cell)
      await fillInPage(cell.page, account)
      await send(cell.page)
      // A sender that is killed with a mail in its hands keeps it for its lease.
      await account.inbox?.newestText()
      return account
    },
    // The form is sent again, or the code has expired: then the link of the mail helps.
    endsAtAccount: ['back', 'a day that passes'],
  },
  'new password': {
    async reach(cell) {
      const account = await member(cell)
      const who = { email: account.username }
      await cell.server.db('users').where(who).update({ must_change_password: true })
      await open(cell)
      await signIn(cell.page, account)
      await cell.page.waitForURL('**/new-password?*')
      return account
    },
  },
  'forgotten password': { reach: forget, endsAtAccount: true },
  'reset password': {
    async reach(cell) {
      const account = await forget(cell)
      await fillInPage(cell.page, account)
      await send(cell.page)
      const link = await fillInPage(cell.page, account)
      await cell.page.goto(String(link))
      return account
    },
    endsAtAccount: true,
  },
  'sign out?': {
    async reach(cell) {
      await open(cell)
      await carryOn(cell.page, arriving(cell))
      const query = new URLSearchParams({
        client_id: 'web',
        post_logout_redirect_uri: `${cell.app.origin}/bye`,
      })
      await cell.page.goto(`${cell.issuer}/oauth/sign-out?${query}`)
      return undefined
    },
  },
}

interface Disturbance {
  readonly scene?: typeof withOneServer
  happen(cell: Cell, account: Account, destination: RegExp): Promise<unknown>
}

const disturbances: Readonly<Record<string, Disturbance>> = {
  reload: { happen: ({ page }) => page.reload() },
  back: { happen: ({ page }) => page.goBack() },
  'a double click': {
    async happen({ page }, account) {
      const next = await fillInPage(page, account)
      if (typeof next === 'string') return page.goto(next)
      return Promise.all([page.waitForEvent('load'), next.dblclick()])
    },
  },
  'a second tab': {
    async happen(cell, account, destination) {
      const tab = await cell.context.newPage()
      await tab.goto(cell.page.url())
      await carryOn(tab, destination, account)
    },
  },
  'another person in a second tab': {
    async happen(cell) {
      const tab = await cell.context.newPage()
      await tab.goto(authorizeUrl(cell.issuer, cell.app.callback, { prompt: 'login' }))
      await carryOn(tab, arriving(cell), grace)
    },
  },
  'a lost cookie': { happen: ({ context }) => context.clearCookies() },
  'a day that passes': { happen: async ({ server }) => server.clock.advance({ days: 1 }) },
  'another instance': { scene: withTwoInstances, happen: ({ disturb }) => disturb?.() ?? fail() },
  'kill -9 and a start': { scene: withProcess, happen: ({ disturb }) => disturb?.() ?? fail() },
  'a restart of PostgreSQL': {
    scene: withOwnPostgres,
    happen: ({ disturb }) => disturb?.() ?? fail(),
  },
}

const fail = () => Promise.reject(new Error('this scene has no disturbance'))

for (const [name, { scene: prepare = withOneServer, happen }] of Object.entries(disturbances)) {
  test(`${name} at every page → the journey arrives at the app`, async (t) => {
    const scene = await prepare(t)
    for (const [boundary, { reach, endsAtAccount }] of Object.entries(boundaries)) {
      const profile = await openProfile(t)
      // Wrong passwords, pages that are left while they load, and servers that are gone are part of it.
      profile.expect(/ERR_ABORTED|ERR_CONNECTION_|status of 4(00|09|22)/)
      const cell: Cell = { ...scene, ...profile }
      const account = (await reach(cell)) ?? ada
      const isAccount = endsAtAccount === true || endsAtAccount?.includes(name)
      const destination = arriving(cell, isAccount)
      await happen(cell, account, destination)
      const journey = carryOn(cell.page, destination, account)
      await t.notThrowsAsync(journey, `${boundary}: ${name}`)
      await profile.close()
    }
  })
}
