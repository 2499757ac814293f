import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { openEmbeddedPostgres } from '../../src/stores/embedded/embedded-postgres.ts'
import { freePort, stopPostmaster } from '../../src/stores/embedded/postmaster.ts'
import { findPostmaster } from '../../src/stores/embedded/postmaster-file.ts'
import { eventually } from '../../tools/eventually.ts'
import { ada, masterKeyText, testEnvironment, testRedisUrl } from '../../tools/fixtures.ts'
import { databaseUrl, prepareTemplate, templateName } from '../../tools/template.ts'
import { openProfile, type Profile } from '../support/browser/chromium.ts'
import { startFront } from '../support/browser/front.ts'
import { carryOn, fillIn, primary, signIn } from '../support/browser/person.ts'
import {
  authorizeUrl,
  type RelyingParty,
  registerClient,
  startRelyingParty,
} from '../support/browser/relying-party.ts'
import { emptyFolder, serve } from '../support/server/signet.ts'
import { copyTemplate, startServer, type TestServer } from '../support/server/start-server.ts'

/** A sign-in cannot be lost (D12): each disturbance at each page, and then the person goes on. */

interface Scene {
  readonly server: TestServer
  /** The address that people see. */
  readonly issuer: string
  readonly app: RelyingParty
  /** Lets it happen to the server, for disturbances of servers. */
  readonly disturb?: () => Promise<unknown>
}

interface Cell extends Scene, Profile {}

const grace = { username: 'grace', password: 'another long passphrase' }

async function sceneOf(t: ExecutionContext, server: TestServer, issuer = server.url) {
  const app = await startRelyingParty(t)
  await registerClient(server, app.callback, { postLogoutRedirectUris: [`${app.origin}/bye`] })
  await server.services.users.create(grace)
  return { server, issuer, app }
}

/** The app with an answer; or without one, where the person has answered the same request before. */
const arriving = ({ app }: Scene) => new RegExp(`^${app.origin}/(callback\\?|bye|$)`)

const open = async ({ page, issuer, app }: Cell, extra = {}) => {
  const url = authorizeUrl(issuer, app.callback, extra).replaceAll('&', '&amp;')
  app.pages.set('/start', `<main><a href="${url}">Sign in</a></main>`)
  await page.goto(`${app.origin}/start`)
  await Promise.all([page.waitForEvent('load'), page.click('a')])
}

/** The pages, each with the way to it. */
const boundaries: Readonly<Record<string, (cell: Cell) => Promise<void>>> = {
  'sign-in': (cell) => open(cell),
  'sign-in after a wrong password': async (cell) => {
    await open(cell)
    await signIn(cell.page, { ...ada, password: 'a wrong password' })
    await cell.page.getByRole('alert').waitFor()
  },
  consent: async (cell) => {
    await open(cell)
    await signIn(cell.page)
    await cell.page.waitForURL('**/consent?*')
  },
  reauthenticate: async (cell) => {
    await open(cell)
    await carryOn(cell.page, arriving(cell))
    await open(cell, { prompt: 'login' })
  },
  'sign out?': async (cell) => {
    await open(cell)
    await carryOn(cell.page, arriving(cell))
    const query = new URLSearchParams({
      client_id: 'web',
      post_logout_redirect_uri: `${cell.app.origin}/bye`,
    })
    await cell.page.goto(`${cell.issuer}/oauth/sign-out?${query}`)
  },
}

interface Disturbance {
  readonly scene?: (t: ExecutionContext) => Promise<Scene>
  happen(cell: Cell): Promise<unknown>
}

const disturbances: Readonly<Record<string, Disturbance>> = {
  reload: { happen: ({ page }) => page.reload() },
  back: { happen: ({ page }) => page.goBack() },
  'a double click': {
    async happen({ page }) {
      const hasPassword = (await page.locator('input[name=password]').count()) > 0
      if (hasPassword) await fillIn(page)
      const button = page.locator(`button[value=allow], ${primary}`).first()
      await Promise.all([page.waitForEvent('load'), button.dblclick()])
    },
  },
  'a second tab': {
    async happen(cell) {
      const tab = await cell.context.newPage()
      await tab.goto(cell.page.url())
      await carryOn(tab, arriving(cell))
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

async function withTwoInstances(t: ExecutionContext): Promise<Scene> {
  const front = await startFront(t)
  const first = await startServer(t, { environment: { ISSUER: front.url } })
  const second = await startServer(t, { beside: first, environment: { ISSUER: front.url } })
  front.sendTo(first.url)
  let isFirst = true
  const disturb = async () => {
    isFirst = !isFirst
    front.sendTo(isFirst ? first.url : second.url)
  }
  return { ...(await sceneOf(t, first, front.url)), disturb }
}

async function withProcess(t: ExecutionContext): Promise<Scene> {
  const database = await copyTemplate(t)
  const port = await freePort()
  const issuer = `http://127.0.0.1:${port}`
  const server = await startServer(t, { database, environment: { ISSUER: issuer } })
  const cwd = await emptyFolder(t)
  const env = {
    ...testEnvironment,
    DATABASE_URL: database,
    REDIS_URL: testRedisUrl(database) ?? 'none',
    REDIS_KEY_PREFIX: server.keyPrefix,
    MASTER_KEYS: masterKeyText,
    PORT: String(port),
    ISSUER: issuer,
    LOG_LEVEL: 'info',
    LOG_FORMAT: 'json',
  }
  let running = await serve(t, { cwd, env })
  const disturb = async () => {
    running.signal('SIGKILL')
    await running.exited
    running = await serve(t, { cwd, env })
  }
  return { ...(await sceneOf(t, server, issuer)), disturb }
}

async function withOwnPostgres(t: ExecutionContext): Promise<Scene> {
  const folder = await emptyFolder(t)
  const directory = join(folder, 'database')
  const settings = { fsync: 'off', autovacuum: 'off' }
  const postgres = await openEmbeddedPostgres({ directory, notify: () => undefined, settings })
  t.teardown(() => postgres.close())
  await prepareTemplate(postgres.url)
  const server = await startServer(t, { database: databaseUrl(postgres.url, templateName) })
  const cluster = join(directory, 'postgres')
  // The holder of the folder starts it again, on the same port.
  const disturb = async () => {
    const running = await findPostmaster(cluster)
    await stopPostmaster(cluster, running?.pid ?? 0, 20)
    const isBack = () =>
      server.db.raw('SELECT 1').then(
        () => true,
        () => false,
      )
    await eventually(isBack, 'PostgreSQL is back')
  }
  return { ...(await sceneOf(t, server)), disturb }
}

for (const [name, { scene: prepare, happen }] of Object.entries(disturbances)) {
  test(`${name} at every page → the journey arrives at the app`, async (t) => {
    const scene = prepare ? await prepare(t) : await sceneOf(t, await startServer(t))
    for (const [boundary, reach] of Object.entries(boundaries)) {
      const profile = await openProfile(t)
      // Wrong passwords, pages that are left while they load, and servers that are gone are part of it.
      profile.expect(/ERR_ABORTED|ERR_CONNECTION_|status of 4(22|09)/)
      const cell: Cell = { ...scene, ...profile }
      await reach(cell)
      await happen(cell)
      await t.notThrowsAsync(carryOn(cell.page, arriving(cell)), `${boundary}: ${name}`)
      await profile.close()
    }
  })
}
