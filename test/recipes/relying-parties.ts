import { strict as assert } from 'node:assert'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { freePort } from '../../src/stores/embedded/postmaster.ts'
import { eventually } from '../../tools/eventually.ts'
import { finish } from '../support/clients/web-app.ts'
import { FlowBrowser } from '../support/http/flow-browser.ts'
import type { Report } from '../support/runner/report.ts'
import type { Closing } from '../support/server/closing.ts'
import { type Installation, install, type Stores } from './installation.ts'
import { startApache, startService, write } from './listeners.ts'
import { python } from './packages.ts'
import { fileOfPage } from './page.ts'

/** The apps of docs/sign-in.md in other languages, as they stand there: Authlib and mod_auth_openidc. */
export async function checkRelyingParties(stores: Stores, report: Report, closing: Closing) {
  const server = await install(stores, closing)
  await server.start()
  await checkFlask(stores, server, report, closing)
  await checkPortal(stores, server, report, closing)
}

/** One person with two tabs: one is at the app, the other on the pages of the server. */
interface Tabs {
  readonly app: FlowBrowser
  readonly pages: FlowBrowser
}

const openTabs = ({ url }: Installation, appUrl: string): Tabs => ({
  app: new FlowBrowser(appUrl),
  pages: new FlowBrowser(url),
})

/** Goes where the app sends the browser, signs in if asked to, and returns to the app. */
async function signInAt({ app, pages }: Tabs, path: string) {
  const begun = await app.open(path)
  assert.ok(begun.location.startsWith(pages.url), `the app sends people here: ${begun.html}`)
  const answered = await finish(pages, await pages.open(begun.location))
  assert.ok(answered.location.startsWith(app.url), `the app is reached: ${answered.html}`)
  return app.open(answered.location)
}

/** Registers an app, and returns what it reads from its environment. */
async function register(server: Installation, id: string, uris: Readonly<Record<string, string>>) {
  const options = Object.entries(uris).flatMap(([name, uri]) => [`--${name}`, uri])
  const { stdout } = await server.signet(
    ...['clients', 'create', id, '--grant', 'authorization_code,refresh_token'],
    ...['--scope', 'openid,profile,email,offline_access', '--audience', 'https://shop.example'],
    // An app of the house ends when its person signs out here.
    ...['--first-party', ...options, '--json'],
  )
  const { client_secret } = JSON.parse(stdout)
  return {
    ISSUER: server.issuer,
    CLIENT_ID: id,
    CLIENT_SECRET: client_secret as string,
    SESSION_SECRET: 'a secret of the test alone, 32 bytes',
  }
}

async function checkFlask(stores: Stores, server: Installation, report: Report, closing: Closing) {
  const port = await freePort()
  const BASE_URL = `http://127.0.0.1:${port}`
  const env = await register(server, 'flask', {
    'redirect-uri': `${BASE_URL}/callback`,
    'post-logout-redirect-uri': `${BASE_URL}/`,
  })
  const folder = join(stores.folder, 'flask')
  await write(folder, { 'app.py': await fileOfPage('sign-in', 'app.py') })
  const args = ['-E', '-B', 'app.py']
  await startService({ command: python, args, folder, port, env: { ...env, BASE_URL } }, closing)
  const tabs = openTabs(server, BASE_URL)
  const person = async () => JSON.parse((await tabs.app.visit('/')).html)
  await report.check('Authlib: sign-in → the claims of the person', async () => {
    assert.equal(await person(), null)
    await signInAt(tabs, '/sign-in')
    assert.equal((await person()).preferred_username, 'ada')
    return undefined
  })
  await report.check('Authlib: refresh, twice → new tokens', async () => {
    for (const _ of [1, 2]) {
      const { status, html } = await tabs.app.visit('/refresh', { form: {} })
      assert.equal(status, 200, html)
      assert.ok(JSON.parse(html).expires_in > 0)
    }
    return undefined
  })
  await report.check(
    'Authlib: an answer that was not asked for → the app signs in again',
    async () => {
      const { status, location } = await tabs.app.open('/callback?code=none&state=none')
      assert.equal(status, 302)
      assert.ok(location.startsWith(`${server.issuer}/oauth/authorize?`), location)
      return undefined
    },
  )
  await report.check('Authlib: RP-initiated logout → signed out here and there', async () => {
    const out = await tabs.app.visit('/sign-out', { form: {} })
    assert.equal((await tabs.pages.open(out.location)).location, `${BASE_URL}/`)
    assert.equal(await person(), null)
    const again = await tabs.pages.open((await tabs.app.open('/sign-in')).location)
    assert.match(again.html, /type="password"/)
    return undefined
  })
}

/**
 * Beside the configuration of the page: a header and a document by which the test sees what an app gets. The
 * module redirects navigations only, and `fetch` says that it is none.
 */
const probes = `
RequestHeader set Sec-Fetch-Mode navigate early
OIDCInfoHook access_token id_token userinfo refresh_token
Header always set x-person "%{OIDC_CLAIM_preferred_username}e"`

async function checkPortal(stores: Stores, server: Installation, report: Report, closing: Closing) {
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const env = await register(server, 'portal', {
    'redirect-uri': `${url}/oidc`,
    'post-logout-redirect-uri': `${url}/signed-out`,
    'backchannel-logout-uri': `${url}/oidc?logout=backchannel`,
  })
  const folder = join(stores.folder, 'portal')
  await mkdir(folder)
  const page = await fileOfPage('sign-in', 'portal.conf')
  const configuration = page
    .replaceAll('https://signet.example', server.issuer)
    .replaceAll('https://portal.example', url)
  await startApache(folder, configuration + probes, closing, { port, env })
  const tabs = openTabs(server, url)
  const info = async () => JSON.parse((await tabs.app.visit('/oidc?info=json')).html)
  const signIn = async () => {
    const { status, html, headers } = await signInAt(tabs, '/orders')
    assert.deepEqual([status, html], [200, 'orders'])
    assert.equal(headers.get('x-person'), 'ada')
  }
  await report.check(
    'mod_auth_openidc: sign-in → the ID token, userinfo and the page',
    async () => {
      await signIn()
      const { id_token, userinfo } = await info()
      assert.equal(id_token.iss, server.issuer)
      assert.ok(id_token.sid)
      assert.equal(userinfo.preferred_username, 'ada')
      assert.equal(userinfo.sub, id_token.sub)
      return undefined
    },
  )
  await report.check('mod_auth_openidc: refresh → another access token', async () => {
    const { access_token: before, refresh_token: spent } = await info()
    const query = new URLSearchParams({ refresh: `${url}/orders`, access_token: before })
    const { status, html } = await tabs.app.open(`/oidc?${query}`)
    assert.deepEqual([status, html], [200, 'orders'])
    const after = await info()
    assert.notEqual(after.access_token, before)
    assert.notEqual(after.refresh_token, spent)
    return undefined
  })
  await report.check(
    'mod_auth_openidc: RP-initiated logout → signed out here and there',
    async () => {
      const goodbye = encodeURIComponent(`${url}/signed-out`)
      const out = await tabs.app.open(`/oidc?logout=${goodbye}`)
      assert.ok(out.location.startsWith(`${server.issuer}/oauth/sign-out?`), out.location)
      const { location } = await tabs.pages.open(out.location)
      assert.equal(location.replace(/\?.*/, ''), `${url}/signed-out`)
      assert.equal((await tabs.app.open(location)).html, 'signed out')
      const again = await tabs.pages.open((await tabs.app.open('/orders')).location)
      assert.match(again.html, /type="password"/)
      return undefined
    },
  )
  await report.check(
    'mod_auth_openidc: signing out at the server → back-channel logout',
    async () => {
      await signIn()
      const asked = await tabs.pages.open('/sign-out')
      await tabs.pages.submit(asked)
      const isOut = async () => (await tabs.app.visit('/orders')).status === 302
      await eventually(isOut, 'the app has ended its session', 20)
      return undefined
    },
  )
}
