import test, { type ExecutionContext } from 'ava'
import { openProfile } from '../support/browser/chromium.ts'
import { decide, signIn } from '../support/browser/person.ts'
import {
  answerAsApp,
  authorizeUrl,
  type RelyingParty,
  registerClient,
  startRelyingParty,
} from '../support/browser/relying-party.ts'
import { startServer } from '../support/server/start-server.ts'

/** Behavior of browsers that no test by HTTP alone can see. */

async function scene(t: ExecutionContext, settings: Parameters<typeof registerClient>[2] = {}) {
  const server = await startServer(t)
  const app = await startRelyingParty(t)
  await registerClient(server, app.callback, settings)
  const profile = await openProfile(t)
  const url = authorizeUrl(server.url, app.callback)
  return { server, app, url, ...profile }
}

/** For clients that need no consent: without a secret, a program at loopback would need it. */
const own = {
  firstParty: true,
  consent: 'skip',
  authenticationMethod: 'client_secret_basic',
} as const

async function signedIn({ page, url, app }: Awaited<ReturnType<typeof scene>>): Promise<void> {
  await page.goto(url)
  await signIn(page)
  await page.waitForURL(`${app.callback}?**`)
}

test('ASVS 3.5.1: a form of a page → the browser names its origin, and it is accepted', async (t) => {
  const { page, url, server } = await scene(t)
  await page.goto(url)
  const [request] = await Promise.all([
    page.waitForRequest((one) => one.method() === 'POST'),
    signIn(page),
  ])
  await page.waitForURL('**/consent?*')
  const headers = await request.allHeaders()
  // With the referrer policy no-referrer it would be null, and browsers without Sec-Fetch-Site refused.
  t.is(headers.origin, server.url)
  t.is(headers['sec-fetch-site'], 'same-origin')
  t.is((await request.response())?.status(), 303)
})

test('ASVS 3.5.1: another site sends the sign-in form → 403, nobody is signed in, a way on', async (t) => {
  const { page, context, app, server, expect } = await scene(t)
  app.pages.set(
    '/evil',
    `<form method="post" action="${server.url}/sign-in">
     <input name="username" value="ada"><input name="password" value="correct horse battery staple">
     <button>Win</button></form>`,
  )
  await page.goto(`${app.origin}/evil`)
  expect(/status of 403/)
  const [response] = await Promise.all([
    page.waitForResponse(`${server.url}/sign-in`),
    page.click('button'),
  ])
  t.is(response.status(), 403)
  t.deepEqual(await context.cookies(server.url), [])
  t.true((await page.locator('main a[href]').count()) > 0)
})

const returns = {
  loopback: undefined,
  https: 'https://app.example/callback',
  'a private scheme': 'com.example.app:/callback',
}

for (const [kind, uri] of Object.entries(returns)) {
  for (const [page, settings] of Object.entries({ consent: {}, 'sign-in': own })) {
    // Only a client without a secret may have such a scheme, and people are asked each time.
    if (kind === 'a private scheme' && page === 'sign-in') continue
    test(`CSP form-action: the ${page} form, a client at ${kind} → the 303 arrives`, async (t) => {
      const server = await startServer(t)
      const callback = uri ?? (await startRelyingParty(t)).callback
      await registerClient(server, callback, settings)
      const { page: tab, expect } = await openProfile(t)
      if (callback.startsWith('https:')) await answerAsApp(tab, callback)
      // No program on this machine owns the scheme.
      expect(/^request: com\.example\.app:/)
      await tab.goto(authorizeUrl(server.url, callback))
      // A browser that blocks the redirect never asks for this URL.
      const arrival = tab.waitForRequest((request) => request.url().startsWith(`${callback}?`))
      await signIn(tab)
      if (page === 'consent') await decide(tab, 'allow')
      t.regex((await arrival).url(), /[?&]code=sac_/)
    })
  }
}

test('SameSite=Lax: a person who arrives from an app by a link → is known', async (t) => {
  const all = await scene(t, own)
  await signedIn(all)
  const { page, app, url } = all
  app.pages.set('/start', `<a href="${url.replaceAll('&', '&amp;')}">Sign in</a>`)
  await page.goto(`${app.origin}/start`)
  await page.click('a')
  await page.waitForURL(`${app.callback}?**`)
  t.is(app.answers.length, 2)
  t.truthy(app.answers[1]?.code)
})

test('SameSite=Lax: a form of an app posts to /oauth/authorize → the person is known', async (t) => {
  const all = await scene(t, own)
  await signedIn(all)
  const { page, app, url, server } = all
  const inputs = [...new URL(url).searchParams].map(
    ([name, value]) => `<input type="hidden" name="${name}" value="${value}">`,
  )
  app.pages.set(
    '/start',
    `<form method="post" action="${server.url}/oauth/authorize">${inputs.join('')}<button>Sign in</button></form>`,
  )
  await page.goto(`${app.origin}/start`)
  await page.click('button')
  await page.waitForURL(`${app.callback}?**`)
  t.truthy(app.answers[1]?.code)
})

test('Cross-Origin-Opener-Policy: sign-in in a popup → the app keeps its window and is answered', async (t) => {
  const { page, app, url } = await scene(t)
  preparePopup(app, url)
  await page.goto(`${app.origin}/start`)
  const [popup] = await Promise.all([page.waitForEvent('popup'), page.click('button')])
  await popup.waitForSelector('input[name=password]')
  t.false(await page.evaluate('popup.closed'), 'the sign-in page')
  await signIn(popup)
  await popup.waitForSelector('button[name=decision]')
  t.false(await page.evaluate('popup.closed'), 'the consent page')
  await decide(popup, 'allow')
  await page.waitForSelector('h2')
  t.regex((await page.textContent('h2')) ?? '', /[?&]code=sac_/)
})

function preparePopup({ pages, origin }: RelyingParty, url: string): void {
  pages.set(
    '/start',
    `<button>Sign in</button><script>
      let popup
      document.querySelector('button').onclick = () => { popup = open(${JSON.stringify(url)}, '', 'popup,width=480,height=640') }
      onmessage = ({ data }) => { document.body.append(Object.assign(document.createElement('h2'), { textContent: data })) }
    </script>`,
  )
  pages.set(
    '/callback',
    `<script>opener.postMessage(location.href, ${JSON.stringify(origin)}); close()</script>`,
  )
}
