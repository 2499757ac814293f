import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import type { Page } from 'playwright-core'
import { freePort } from '../../src/stores/embedded/postmaster.ts'
import { root } from '../../tools/root.ts'
import { openProfile } from '../support/browser/chromium.ts'
import { decide, signIn } from '../support/browser/person.ts'
import { registerClient, startRelyingParty } from '../support/browser/relying-party.ts'
import { startProgram } from '../support/server/example-program.ts'
import { startServer, type TestServer } from '../support/server/start-server.ts'

/** A single-page app with oidc-client-ts, as its documentation shows it. */

const library = join(root, 'node_modules/oidc-client-ts/dist/browser/oidc-client-ts.min.js')

const appPage = (issuer: string) => `
<h1>Single-page app</h1>
<button id="redirect">Sign in</button>
<button id="popup">Sign in with a popup</button>
<output></output>
<script src="/oidc-client-ts.js"></script>
<script>
  const manager = new oidc.UserManager({
    authority: ${JSON.stringify(issuer)},
    client_id: 'web',
    redirect_uri: location.origin + '/callback',
    post_logout_redirect_uri: location.origin + '/',
    scope: 'openid profile read offline_access',
    loadUserInfo: true,
  })
  const show = (user) => {
    document.querySelector('output').textContent = user ? user.profile.preferred_username : 'nobody'
  }
  redirect.onclick = () => manager.signinRedirect()
  popup.onclick = () => manager.signinPopup().then(show)
  const start = location.pathname === '/callback' ? manager.signinCallback() : manager.getUser()
  start.then(show)
</script>`

async function scene(t: ExecutionContext) {
  const app = await startRelyingParty(t)
  const server = await startServer(t)
  await registerClient(server, app.callback, { postLogoutRedirectUris: [`${app.origin}/`] })
  app.pages.set('/', appPage(server.url))
  app.pages.set('/callback', appPage(server.url))
  app.pages.set('/oidc-client-ts.js', await readFile(library, 'utf8'))
  const profile = await openProfile(t)
  await profile.page.goto(`${app.origin}/`)
  await shows(profile.page, 'nobody')
  return { app, server, ...profile }
}

const shows = (page: Page, text: string) =>
  page.locator('output', { hasText: text }).waitFor({ state: 'visible' })

const userinfo = (server: TestServer, token: string) =>
  server.get('/oauth/userinfo', { authorization: `Bearer ${token}` })

test('oidc-client-ts: signinRedirect, signinSilent, signoutRedirect → signed in, refreshed, out', async (t) => {
  const { app, page, server } = await scene(t)
  await page.click('#redirect')
  await signIn(page)
  await decide(page, 'allow')
  await page.waitForURL(`${app.callback}?*`)
  await shows(page, 'ada')

  const before = String(await page.evaluate('manager.getUser().then((user) => user.access_token)'))
  const after = String(
    await page.evaluate('manager.signinSilent().then((user) => user.access_token)'),
  )
  t.not(after, before)
  t.is((await userinfo(server, after)).status, 200)

  await page.evaluate('void manager.signoutRedirect()')
  await page.waitForURL(`${app.origin}/`)
  await shows(page, 'nobody')
  t.is((await userinfo(server, after)).status, 401)
})

test('oidc-client-ts: signinPopup → the app is told, and the popup closes', async (t) => {
  const { page, app } = await scene(t)
  const [popup] = await Promise.all([page.waitForEvent('popup'), page.click('#popup')])
  await signIn(popup)
  await Promise.all([popup.waitForEvent('close'), decide(popup, 'allow')])
  await shows(page, 'ada')
  t.is(page.url(), `${app.origin}/`, 'the app itself did not leave its page')
})

test('examples/spa → signs in, shows the claims, calls the service, refreshes, signs out', async (t) => {
  const port = String(await freePort())
  const url = `http://127.0.0.1:${port}`
  const server = await startServer(t)
  await registerClient(server, `${url}/`, {
    audiences: [server.url],
    postLogoutRedirectUris: [`${url}/`],
  })
  const ISSUER = server.url
  const service = await startProgram(t, 'koa-service/service.js', {
    env: { ISSUER, APP_ORIGIN: url },
  })
  await startProgram(t, 'spa/server.js', {
    env: { ISSUER, PORT: port, SERVICE: service.url, CLIENT_ID: 'web' },
  })
  const { page } = await openProfile(t)
  const says = (text: string | RegExp) => page.locator('#message', { hasText: text }).waitFor()
  await page.goto(`${url}/`)
  await page.click('#sign-in')
  await signIn(page)
  await decide(page, 'allow')
  await page.locator('h1', { hasText: 'Hello, ada' }).waitFor()
  t.is(page.url(), `${url}/`, 'no code stays in the address')
  await page.click('#call')
  await says(/The service answers 200/)
  await page.click('#refresh')
  await says(/A new access token/)
  await page.click('#sign-out')
  await page.locator('#sign-in').waitFor()
})

test('examples/spa: signing out at the issuer → the page signs out when it is opened again', async (t) => {
  const port = String(await freePort())
  const url = `http://127.0.0.1:${port}`
  const server = await startServer(t)
  await registerClient(server, `${url}/`, { audiences: [server.url], firstParty: true })
  await startProgram(t, 'spa/server.js', {
    env: { ISSUER: server.url, PORT: port, CLIENT_ID: 'web' },
  })
  const { page, expect } = await openProfile(t)
  // A browser reports each refusal in its console: of the access token, and of the refresh token.
  expect(/status of 40[01]/)
  await page.goto(`${url}/`)
  await page.click('#sign-in')
  await signIn(page)
  await decide(page, 'allow')
  await page.locator('h1', { hasText: 'Hello, ada' }).waitFor()
  await page.goto(`${server.url}/sign-out`)
  await page.getByRole('button', { name: 'Sign out' }).click()
  await page.waitForURL(/signed-out/)
  await page.goto(`${url}/`)
  await page.locator('#message', { hasText: 'signed out here as well' }).waitFor()
  await page.locator('#sign-in').waitFor()
  t.true(await page.locator('#signed-in').isHidden())
})
