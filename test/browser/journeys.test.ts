import test, { type ExecutionContext } from 'ava'
import type { Page } from 'playwright-core'
import { ada } from '../../tools/fixtures.ts'
import { openProfile } from '../support/browser/chromium.ts'
import { tabTo } from '../support/browser/keyboard.ts'
import { decide, signIn } from '../support/browser/person.ts'
import {
  answerAsApp,
  authorizeUrl,
  registerClient,
  startRelyingParty,
} from '../support/browser/relying-party.ts'
import { startServer } from '../support/server/start-server.ts'

/** Whole ways through the pages, with the keyboard only, with and without JavaScript. */

const callback = 'https://app.example/callback'

async function scene(t: ExecutionContext, javaScriptEnabled: boolean) {
  const server = await startServer(t)
  await registerClient(server, callback)
  const profile = await openProfile(t, { javaScriptEnabled })
  await answerAsApp(profile.page, callback)
  return { server, ...profile }
}

async function signInByKeyboard(page: Page): Promise<void> {
  await tabTo(page, 'input[name=username]')
  await page.keyboard.type(ada.username)
  await tabTo(page, 'input[name=password]')
  await page.keyboard.type(ada.password)
  await page.keyboard.press('Enter')
}

async function press(page: Page, selector: string): Promise<void> {
  await tabTo(page, selector)
  await page.keyboard.press('Enter')
}

const parametersOf = (page: Page) => new URL(page.url()).searchParams

for (const javaScript of [true, false]) {
  const how = `the keyboard, ${javaScript ? 'with' : 'without'} JavaScript`

  test(`${how} → sign in, consent, client, silently again, sign out`, async (t) => {
    const { server, page } = await scene(t, javaScript)
    await page.goto(authorizeUrl(server.url, callback))
    await signInByKeyboard(page)
    await page.waitForURL('**/consent?*')
    await press(page, 'button[value=allow]')
    await page.waitForURL(`${callback}?*`)
    t.regex(parametersOf(page).get('code') ?? '', /^sac_/)

    await page.goto(authorizeUrl(server.url, callback, { prompt: 'none', state: 'again' }))
    t.is(parametersOf(page).get('state'), 'again')
    t.regex(parametersOf(page).get('code') ?? '', /^sac_/)

    await page.goto(`${server.url}/oauth/sign-out?client_id=web`)
    await press(page, 'main button[type=submit]')
    await page.waitForURL('**/signed-out')
    t.true((await page.locator('main a[href]').count()) > 0)

    await page.goto(authorizeUrl(server.url, callback, { prompt: 'none' }))
    t.is(parametersOf(page).get('error'), 'login_required')
  })

  test(`${how}: a consent is refused → the client is told`, async (t) => {
    const { server, page } = await scene(t, javaScript)
    await page.goto(authorizeUrl(server.url, callback))
    await signInByKeyboard(page)
    await page.waitForURL('**/consent?*')
    await press(page, 'button[value=deny]')
    await page.waitForURL(`${callback}?*`)
    t.is(parametersOf(page).get('error'), 'access_denied')
  })

  test(`${how}: a wrong password → the error has the focus, and the next password works`, async (t) => {
    const { server, page, expect } = await scene(t, javaScript)
    await page.goto(authorizeUrl(server.url, callback))
    await tabTo(page, 'input[name=username]')
    await page.keyboard.type(ada.username)
    await tabTo(page, 'input[name=password]')
    await page.keyboard.type('a wrong password')
    expect(/status of 422/)
    await page.keyboard.press('Enter')
    const alert = page.getByRole('alert')
    await alert.waitFor()
    t.truthy((await alert.textContent())?.trim())
    const focused = await page.evaluate('document.activeElement.getAttribute("role")')
    t.is(focused, 'alert', 'it is read first')
    t.is(await page.inputValue('input[name=username]'), ada.username)
    t.is(await page.inputValue('input[name=password]'), '')
    await tabTo(page, 'input[name=password]')
    await page.keyboard.type(ada.password)
    await page.keyboard.press('Enter')
    await page.waitForURL('**/consent?*')
  })

  test(`form_post, ${javaScript ? 'with' : 'without'} JavaScript → the client gets a form`, async (t) => {
    const server = await startServer(t)
    const app = await startRelyingParty(t)
    await registerClient(server, app.callback)
    const { page } = await openProfile(t, { javaScriptEnabled: javaScript })
    await page.goto(authorizeUrl(server.url, app.callback, { response_mode: 'form_post' }))
    await signIn(page)
    await decide(page, 'allow')
    if (!javaScript) await page.click('main button[type=submit]:not([name])')
    await page.waitForURL(app.callback)
    const [answer] = app.answers
    t.like(answer, { method: 'POST', state: 'a state', iss: server.url })
    t.regex(answer?.code ?? '', /^sac_/)
  })
}
