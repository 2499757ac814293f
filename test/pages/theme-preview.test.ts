import test from 'ava'
import { shownByNone } from '../../src/app/preview/preview-states.ts'
import { renderPages } from '../../src/app/preview/render-pages.ts'
import { languageCodes } from '../../src/languages.ts'
import { builtInTheme } from '../../src/pages/theme/theme.ts'
import { startServer } from '../support/server/start-server.ts'

test('every route of the pages → in the preview, with the status that it should have', async (t) => {
  const { app } = await startServer(t)
  const { pages, assets } = await renderPages(builtInTheme, 'en')
  const rendered = new Set(pages.map(({ route }) => route))
  const routes = app.pages.filter((route) => route.startsWith('GET ')).map((one) => one.slice(4))
  t.deepEqual(
    routes.filter((path) => !rendered.has(path) && !shownByNone.some(([one]) => one.test(path))),
    [],
  )
  for (const { route, state, status, expected, html } of pages) {
    t.is(status, expected, `${route} ${state}`)
    t.regex(html, /<h1>[^<]+/)
  }
  t.true(assets.has('assets/account.css'))
  for (const [name, content] of assets) t.true(content.length > 0, name)
})

test('the preview in every language → pages of that language', async (t) => {
  for (const code of languageCodes) {
    const { pages } = await renderPages(builtInTheme, code)
    for (const { html, route } of pages) t.true(html.includes(`<html lang="${code}"`), route)
  }
})
