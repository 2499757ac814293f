import { rm } from 'node:fs/promises'
import test, { type ExecutionContext } from 'ava'
import { ada } from '../../tools/fixtures.ts'
import { FlowBrowser } from '../support/http/flow-browser.ts'
import { startServer } from '../support/server/start-server.ts'
import { exampleTheme, svg, themeFolder } from '../support/server/theme-folder.ts'

const redirectUri = 'https://shop.example/callback'

async function startThemed(t: ExecutionContext, folder: string) {
  const server = await startServer(t, { environment: { THEME_DIR: folder } })
  for (const id of ['shop', '..']) {
    await server.services.clients.create({
      id,
      name: 'Shop',
      grantTypes: ['authorization_code'],
      scopes: ['openid', 'orders:read'],
      audiences: ['https://orders.example'],
      redirectUris: [redirectUri],
      requirePkce: false,
      accentColor: '#ffff00',
    })
  }
  const authorize = (client_id: string, extra = {}) =>
    `/oauth/authorize?${new URLSearchParams({ client_id, redirect_uri: redirectUri, response_type: 'code', scope: 'openid orders:read', ...extra })}`
  return { server, authorize, browser: new FlowBrowser(server.url) }
}

const linksOf = (html: string) =>
  [...html.matchAll(/(?:href|src)="(\/assets\/[^"]+)"/g)].map(([, href = '']) => href)

test('a theme → its stylesheet behind the built-in one, its images, its texts', async (t) => {
  const { browser, authorize } = await startThemed(t, exampleTheme)
  const { html } = await browser.open(authorize('shop', { ui_locales: 'de' }))
  const names = linksOf(html).map((href) => href.replace(/\?v=[\w-]{12}$/, '?v='))
  t.deepEqual(names, [
    '/assets/pages.css',
    '/assets/theme.css?v=',
    '/assets/accent/ffff00.css',
    '/assets/favicon.svg?v=',
    '/assets/pages.js',
    '/assets/logo.svg?v=',
    '/assets/clients/shop.svg?v=',
  ])
  t.regex(html, /Mit Ihrem Linden-Konto weiter zu Shop/)
  const error = await browser.open('/account/nothing', { headers: { 'accept-language': 'en' } })
  t.true(linksOf(error.html).some((href) => href.startsWith('/assets/theme.css?v=')))
  const unknown = await browser.open('/nothing', { headers: { accept: 'text/html' } })
  t.is(unknown.status, 404)
  t.true(linksOf(unknown.html).some((href) => href.startsWith('/assets/theme.css?v=')))
})

test('an account page → the theme behind the stylesheet of the account', async (t) => {
  const { server } = await startThemed(t, exampleTheme)
  const { text } = await server.request('/account/deleted')
  t.regex(text, /pages\.css.*theme\.css\?v=/)
})

test('the files of a theme → immutable at their own version, not stored at another', async (t) => {
  const { server, browser, authorize } = await startThemed(t, exampleTheme)
  const { html } = await browser.open(authorize('shop'))
  const versioned = linksOf(html).filter((href) => href.includes('?v='))
  t.is(versioned.length, 4)
  for (const href of versioned) {
    const { status, headers } = await server.get(href)
    t.is(status, 200, href)
    t.is(headers.get('cache-control'), 'public, max-age=31536000, immutable')
    t.is(headers.get('x-content-type-options'), 'nosniff')
    if (href.includes('.svg')) {
      t.is(headers.get('content-type'), 'image/svg+xml')
      t.is(
        headers.get('content-security-policy'),
        "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; sandbox",
      )
    }
    const other = await server.get(href.replace(/v=.*/, 'v=another'))
    t.is(other.headers.get('cache-control'), 'no-store')
  }
})

test('the accent of a client → readable on the surface of the theme', async (t) => {
  const folder = await themeFolder(t, {
    'theme.css': ':root { --surface: #003366; --text: #fff; --accent: #fff }',
  })
  const { server } = await startThemed(t, folder)
  const built = await (await startServer(t)).get('/assets/accent/004080.css')
  t.regex(built.text, /--accent:#004080;/)
  t.notRegex((await server.get('/assets/accent/004080.css')).text, /#004080/)
})

test('a client without a logo, or with a name of dots → the logo of the service, and 404', async (t) => {
  const folder = await themeFolder(t, { 'logo.svg': svg(), 'clients/shop.svg': svg() })
  const { server, browser, authorize } = await startThemed(t, folder)
  const { html } = await browser.open(authorize('..'))
  t.regex(html, /assets\/logo\.svg\?v=/)
  t.notRegex(html, /assets\/clients/)
  for (const name of [
    '...svg',
    '%2e%2e%2f%2e%2e%2fetc%2fpasswd.svg',
    '..%2flogo.svg',
    'shop',
    '__proto__.svg',
    'shop.svg%00',
  ]) {
    t.is((await server.get(`/assets/clients/${name}`)).status, 404, name)
  }
  t.is((await server.get('/assets/clients/shop.svg')).status, 200)
})

test('the folder vanishes after the start → pages and files stay as they were', async (t) => {
  const folder = await themeFolder(t, {
    'theme.css': ':root { --accent: #036 }',
    'logo.svg': svg(),
    'clients/shop.svg': svg(),
  })
  const { server, browser, authorize } = await startThemed(t, folder)
  await rm(folder, { recursive: true })
  const { html, status } = await browser.open(authorize('shop'))
  t.is(status, 200)
  for (const href of linksOf(html)) t.is((await server.get(href)).status, 200, href)
})

test('a PNG logo and an ICO favicon → served with their types', async (t) => {
  const folder = await themeFolder(t, {
    'logo.png': Buffer.from('89504e470d0a1a0a', 'hex'),
    'favicon.ico': Buffer.from('0000010000000000', 'hex'),
  })
  const { server } = await startThemed(t, folder)
  const { text } = await server.request('/sign-in')
  const [icon = '', logo = ''] = linksOf(text).filter((href) => href.includes('?v='))
  t.regex(icon, /favicon\.ico/)
  t.is((await server.get(icon)).headers.get('content-type'), 'image/x-icon')
  t.is((await server.get(logo)).headers.get('content-type'), 'image/png')
})

test('a text of a scope of the operator → on the consent page', async (t) => {
  const { browser, authorize } = await startThemed(t, exampleTheme)
  const signIn = await browser.open(authorize('shop', { ui_locales: 'en' }))
  const consent = await browser.submit(signIn, ada)
  t.regex(consent.html, /See your orders/)
})
