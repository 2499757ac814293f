import test from 'ava'
import { ada } from '../../tools/fixtures.ts'
import { openProfile } from '../support/browser/chromium.ts'
import { signIn } from '../support/browser/person.ts'
import { startServer } from '../support/server/start-server.ts'

for (const locale of ['en', 'ar']) {
  for (const javaScriptEnabled of [true, false]) {
    const how = `${locale}, ${javaScriptEnabled ? 'with' : 'without'} JavaScript`

    test(`the account at 320 px, ${how} → a navigation of one row that shows the current page`, async (t) => {
      const server = await startServer(t)
      const viewport = { width: 320, height: 700 }
      const { page } = await openProfile(t, { locale, viewport, javaScriptEnabled })
      await page.goto(`${server.url}/sign-in`)
      await signIn(page, ada)
      await page.waitForURL('**/account')
      const links = page.locator('.account nav a')
      const boxes = await Promise.all((await links.all()).map((link) => link.boundingBox()))
      t.is(boxes.length, 9)
      t.is(new Set(boxes.map((box) => box?.y)).size, 1)
      await page.goto(`${server.url}/account/data`)
      const current = await page.locator('.account nav [aria-current]').boundingBox()
      const { x = -1, width = 0 } = current ?? {}
      t.true(x >= 0 && x + width <= 320, `${x} ${width}`)
    })
  }
}
