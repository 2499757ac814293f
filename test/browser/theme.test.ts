import test, { type ExecutionContext } from 'ava'
import axe from 'axe-core'
import type { Page } from 'playwright-core'
import { ada } from '../../tools/fixtures.ts'
import { openProfile } from '../support/browser/chromium.ts'
import { signIn } from '../support/browser/person.ts'
import { authorizeUrl, registerClient } from '../support/browser/relying-party.ts'
import { startServer } from '../support/server/start-server.ts'
import { exampleTheme, svg, themeFolder } from '../support/server/theme-folder.ts'

const callback = 'https://app.example/callback'

async function startThemed(t: ExecutionContext, folder: string) {
  const server = await startServer(t, { environment: { THEME_DIR: folder } })
  await registerClient(server, callback, { name: 'Shop' })
  const profile = await openProfile(t, { locale: 'en', reducedMotion: 'reduce' })
  return { server, ...profile }
}

const styleOf = (page: Page, selector: string, property: string) =>
  page.evaluate(
    ([at, name]) => {
      const element = document.querySelector(at ?? '')
      return element ? getComputedStyle(element).getPropertyValue(name ?? '') : 'nothing'
    },
    [selector, property],
  )

test('a theme in light and dark → its colors, its images, and no violation of WCAG 2.2 AA', async (t) => {
  const { server, page, expect } = await startThemed(t, exampleTheme)
  const look = async (name: string) => {
    await page.evaluate(axe.source)
    for (const [colorScheme, accent] of [
      ['light', 'rgb(11, 110, 79)'],
      ['dark', 'rgb(111, 211, 171)'],
    ] as const) {
      await page.emulateMedia({ colorScheme })
      t.is(await styleOf(page, 'html', 'accent-color'), accent, `${name} ${colorScheme}`)
      const found = await page.evaluate('axe.run().then(({ violations }) => violations)')
      t.deepEqual(found, [], `${name} ${colorScheme}`)
    }
  }
  await page.goto(authorizeUrl(server.url, callback))
  const images = page.locator('.logo')
  const sizes = await images.evaluateAll((all) =>
    (all as HTMLImageElement[]).map((image) => image.naturalWidth),
  )
  t.deepEqual(sizes, [116])
  await look('sign-in')
  await signIn(page, ada)
  await page.waitForURL('**/consent?*')
  await look('consent')
  await page.goto(`${server.url}/account`)
  await look('account')
  expect(/status of 404/)
  await page.goto(`${server.url}/account/nothing`)
  await look('error')
})

test('an image of the theme with scripts, opened as a page → nothing of it runs or loads', async (t) => {
  const hostile = svg(`
    <script>document.documentElement.setAttribute('data-ran', 'script'); fetch('/account')</script>
    <image href="/assets/favicon.svg" onload="document.documentElement.setAttribute('data-ran', 'load')"/>
    <foreignObject width="40" height="40"><iframe xmlns="http://www.w3.org/1999/xhtml" src="/sign-in"/></foreignObject>
    <a href="javascript:document.documentElement.setAttribute('data-ran', 'link')"><rect width="40" height="40"/></a>`)
  const folder = await themeFolder(t, { 'logo.svg': hostile, 'clients/web.svg': hostile })
  const { server, page, expect } = await startThemed(t, folder)
  const answers: string[] = []
  page.on('response', (response) => answers.push(new URL(response.url()).pathname))
  await page.goto(authorizeUrl(server.url, callback))
  t.is(await page.locator('.logo').count(), 2)
  // The browser says what the policy has kept from running.
  expect(/Content Security Policy|sandbox|csp|ERR_BLOCKED/i)
  for (const name of ['logo.svg', 'clients/web.svg']) {
    answers.length = 0
    await page.goto(`${server.url}/assets/${name}`)
    await page.locator('rect').click({ force: true })
    t.is(await page.locator('svg').first().getAttribute('data-ran'), null)
    t.deepEqual(
      answers.filter((path) => path !== `/assets/${name}`),
      [],
    )
  }
})
