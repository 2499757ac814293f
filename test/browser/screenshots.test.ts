import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { root } from '../../tools/root.ts'
import { openProfile } from '../support/browser/chromium.ts'
import { authorizeUrl, registerClient } from '../support/browser/relying-party.ts'
import { startServer } from '../support/server/start-server.ts'

/** The images of the README: `npm run screenshots` writes them. */
const folder = join(root, 'docs', 'images')
const mostBytes = 40_000

for (const [colorScheme, file] of [
  ['light', 'sign-in.png'],
  ['dark', 'sign-in-dark.png'],
] as const) {
  test(`the sign-in page in ${colorScheme} colors → ${file} is small enough for the README`, async (t) => {
    const server = await startServer(t)
    const callback = 'https://app.example/callback'
    await registerClient(server, callback)
    const viewport = { width: 640, height: 720 }
    const { page } = await openProfile(t, { colorScheme, viewport, locale: 'en' })
    await page.goto(authorizeUrl(server.url, callback))
    await page.mouse.click(5, 5)
    const image = await page.screenshot()
    t.true(image.length < mostBytes, `${image.length} bytes`)
    if (process.env.SCREENSHOTS) await writeFile(join(folder, file), image)
  })
}
