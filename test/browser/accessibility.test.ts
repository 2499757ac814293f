import test from 'ava'
import axe from 'axe-core'
import type { Page } from 'playwright-core'
import { focusOrder } from '../support/browser/keyboard.ts'
import { nameOf, openState, pageStates } from '../support/browser/pages.ts'
import { startTour } from '../support/browser/tour.ts'
import { startServer } from '../support/server/start-server.ts'

/** Routes of pages that show none themselves, and why. */
const others: readonly (readonly [RegExp, why: string])[] = [
  [/^\/assets\//, 'stylesheets, scripts and images'],
  [/^\/oauth\/sign-out$/, 'leads to /sign-out'],
  [/^\/\.well-known\/change-password$/, 'leads to /account/password'],
]

test('a route shows a page → it is in the list of pages that are looked at', async (t) => {
  const { app } = await startServer(t)
  const shown = app.pages
    .filter((route) => route.startsWith('GET '))
    .map((route) => route.slice(4))
    .filter((path) => !others.some(([pattern]) => pattern.test(path)))
  const listed = new Set(pageStates.map(({ route }) => route))
  t.deepEqual(
    shown.filter((path) => !listed.has(path)),
    [],
  )
})

interface Violation {
  readonly id: string
  readonly help: string
  readonly nodes: readonly { readonly html: string; readonly failureSummary: string }[]
}

/** Between the color schemes only colors differ. */
const everyRule = { rules: { 'target-size': { enabled: true } } }
const colorsOnly = { runOnly: ['color-contrast', 'link-in-text-block'] }

async function violationsOf(page: Page, rules: object): Promise<string[]> {
  const options = { resultTypes: ['violations'], ...rules }
  const found = await page.evaluate(
    `axe.run(document, ${JSON.stringify(options)}).then(({ violations }) => violations)`,
  )
  return (found as Violation[]).map(
    ({ id, help, nodes: [first] }) => `${id}: ${help}: ${first?.html} ${first?.failureSummary}`,
  )
}

/** WCAG 1.4.10: at 320 pixels, and at 200 % on 1280 pixels, which are 640, nothing is scrolled sideways. */
const isWide = (page: Page) =>
  page.evaluate('document.documentElement.scrollWidth > document.documentElement.clientWidth')

/** A tenth of what Core Web Vitals call good. */
const mostShift = 0.01

/** How far the page has moved while it was shown: the score of Layout Instability. */
const layoutShift = (page: Page) =>
  page.evaluate<number>(
    `new Promise((resolve) => {
       let score = 0
       const add = (list) => { for (const { value } of list.getEntries()) score += value }
       new PerformanceObserver(add).observe({ type: 'layout-shift', buffered: true })
       setTimeout(() => resolve(score), 50)
     })`,
  )

/** The defects of the page that a tab shows, in each color scheme and width. */
async function defectsOf(page: Page): Promise<string[]> {
  const defects: string[] = []
  const headings = await page.locator('h1').count()
  if (headings !== 1) defects.push(`it has ${headings} headings of the first level`)
  const shift = await layoutShift(page)
  if (shift > mostShift) defects.push(`it moves while it is shown: ${shift}`)
  await page.emulateMedia({ media: 'print' })
  if (await isWide(page)) defects.push('printed: it is wider than the paper')
  await page.emulateMedia({ media: 'screen' })
  await page.evaluate(axe.source)
  for (const width of [320, 640, 1280]) {
    await page.setViewportSize({ width, height: 900 })
    if (await isWide(page)) defects.push(`${width} px: it is scrolled sideways`)
    for (const colorScheme of width === 640 ? [] : (['light', 'dark'] as const)) {
      await page.emulateMedia({ colorScheme })
      const found = await violationsOf(page, colorScheme === 'light' ? everyRule : colorsOnly)
      defects.push(...found.map((text) => `${width} px, ${colorScheme}: ${text}`))
    }
  }
  return defects
}

for (const [locale, direction] of [
  ['en', 'ltr'],
  ['ar', 'rtl'],
] as const) {
  test(`WCAG 2.2 AA: every page in ${direction} × light, dark × 320, 1280 → no violation`, async (t) => {
    const tour = await startTour(t, locale)
    const { page } = tour
    const defects = new Set<string>()
    for (const state of pageStates) {
      await openState(tour, state)
      t.is(await page.evaluate('document.documentElement.dir'), direction, nameOf(state))
      for (const defect of await defectsOf(page)) defects.add(`${nameOf(state)}: ${defect}`)
    }
    t.deepEqual([...defects], [])
  })
}

const fields = [
  'Email address or username',
  'Password',
  'Keep me signed in',
  'Forgot your password?',
  'Sign in',
  'Create an account',
]

test('WCAG 2.4.3: Tab on the sign-in page → the focus goes through it in the order of reading', async (t) => {
  const { page, server } = await startTour(t, 'en')
  await page.goto(`${server.url}/sign-in`)
  const order = await focusOrder(page)
  t.deepEqual(
    order.filter((name) => fields.includes(name)),
    fields,
  )
})

test('a page arrives slowly → nothing on it moves', async (t) => {
  const { page, server } = await startTour(t, 'en')
  // With the stylesheet, which the browser keeps.
  await page.goto(`${server.url}/sign-in`)
  const connection = await page.context().newCDPSession(page)
  await connection.send('Network.emulateNetworkConditions', {
    ...{ offline: false, latency: 50 },
    ...{ downloadThroughput: 4000, uploadThroughput: 4000 },
  })
  const shifts: Record<string, number> = {}
  for (const path of ['/sign-in', '/register', '/forgot-password', '/']) {
    await page.goto(`${server.url}${path}`)
    shifts[path] = await layoutShift(page)
  }
  t.deepEqual(
    Object.entries(shifts).filter(([, shift]) => shift > mostShift),
    [],
  )
})
