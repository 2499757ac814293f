import test from 'ava'
import { languageCodes } from '../../src/languages.ts'
import { languageCookie } from '../../src/pages/languages/languages.ts'
import { finish, startWebApp } from '../support/clients/web-app.ts'

const most = 15 * 1024

test('each page in each language, with a long request → 15 KB at most', async (t) => {
  const { app, browser } = await startWebApp(t)
  const state = 'x'.repeat(1000)
  const signIn = await browser.open(app.authorizeUrl({ state }))
  const { search } = new URL(signIn.url)
  const strangers = ['sign-in', 'register', 'forgot-password'].map((name) => `/${name}${search}`)
  const check = async (path: string, status: number, hasForm: boolean) => {
    for (const language of languageCodes) {
      browser.cookies.set(languageCookie, language)
      const page = await browser.open(path)
      t.is(page.status, status, path)
      t.regex(page.html, new RegExp(`<html lang="${language}"`))
      t.is(
        page.forms.some(({ method }) => method === 'post'),
        hasForm,
        path,
      )
      const bytes = Buffer.byteLength(page.html)
      t.true(bytes <= most, `${path} in ${language}: ${bytes} bytes`)
    }
  }
  for (const path of strangers) await check(path, 200, true)
  await check('/oauth/authorize?client_id=none', 400, false)
  await check('/signed-out', 200, false)
  await finish(browser, signIn)
  for (const prompt of ['consent', 'select_account', 'login']) {
    await check(app.authorizeUrl({ prompt, state }), 200, true)
  }
  await check('/oauth/sign-out', 200, true)
})
