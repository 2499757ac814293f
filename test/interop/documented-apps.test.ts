import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { freePort } from '../../src/stores/embedded/postmaster.ts'
import { root } from '../../tools/root.ts'
import { addWebApp, finish, startWebApp } from '../support/clients/web-app.ts'
import { fileBlocksOf } from '../support/docs/documents.ts'
import { startPasted } from '../support/docs/pasted-program.ts'
import { FlowBrowser } from '../support/http/flow-browser.ts'

/** The apps of docs/sign-in.md in Node, as they stand there. */

const page = readFileSync(join(root, 'docs/sign-in.md'), 'utf8')
const blocks = fileBlocksOf(page)

for (const file of ['express.js', 'fastify.js']) {
  test(`${file} of docs/sign-in.md → sign-in, claims, refresh, sign-out`, async (t) => {
    const { server, browser } = await startWebApp(t)
    const port = await freePort()
    const BASE_URL = `http://127.0.0.1:${port}`
    const { id, secret } = await addWebApp(server, {
      id: 'shop',
      redirectUris: [`${BASE_URL}/callback`],
      postLogoutRedirectUris: [`${BASE_URL}/`],
    })
    await startPasted(t, blocks.get(file) ?? '', server.app.issuer, {
      port,
      env: { BASE_URL, CLIENT_ID: id, CLIENT_SECRET: secret, SESSION_SECRET: 's'.repeat(32) },
    })
    const app = new FlowBrowser(BASE_URL)
    const shown = async () => (await app.visit('/')).html
    t.notRegex(await shown(), /ada/)
    const begun = await app.open('/sign-in')
    const answered = await finish(browser, await browser.open(begun.location))
    const url = new URL(answered.location)
    t.is((await app.open(url.href)).status, 200)
    t.regex(await shown(), /"preferred_username":"ada"/)
    t.regex((await app.visit('/refresh', { form: {} })).html, /"expiresIn":\d+/)

    // A second tab overwrote what the first has asked: it starts again, and no page is shown.
    const first = await app.open('/sign-in')
    await app.open('/sign-in')
    const late = await app.open(
      (await finish(browser, await browser.open(first.location))).location,
    )
    const again = await browser.open(late.location)
    t.true(again.location.startsWith(`${BASE_URL}/callback?`), again.html)
    await app.open(again.location)
    t.regex(await shown(), /ada/)

    const out = await app.visit('/sign-out', { form: {} })
    t.is(out.status, 303)
    t.notRegex(await shown(), /ada/)
    t.is((await browser.open(out.location)).location, `${BASE_URL}/`)
    t.is((await browser.open((await app.open('/sign-in')).location)).location, '', 'a page again')
  })
}
