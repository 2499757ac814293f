import test from 'ava'
import { accentStyle } from '../../src/pages/assets.ts'
import { contrastOf, leastContrast } from '../../src/pages/contrast.ts'
import { colors, stylesheet } from '../../src/pages/stylesheet.ts'
import { contrastsOf } from '../../src/pages/theme/theme-contrast.ts'
import { startServer } from '../support/server/start-server.ts'

test('WCAG 2.2 §1.4.3, §1.4.11: every pair of colors → enough contrast in both schemes', (t) => {
  const contrasts = contrastsOf(colors)
  t.is(contrasts.length, 20)
  for (const { name, on, scheme, ratio, least } of contrasts) {
    t.true(ratio >= least, `${name} on ${on}, ${scheme}: ${ratio}`)
  }
})

test('WCAG 2.2 §1.4.3: the accent of a client cannot be read → a darker and a lighter one', (t) => {
  for (const accent of ['#ffff00', '#000000', '#ffffff', '#00ff7f', '#0000ff', '#777777']) {
    const [, light = '', dark = ''] = /light-dark\((#\w+),(#\w+)\)/.exec(accentStyle(accent)) ?? []
    t.true((contrastOf(light, colors.surface[0]) ?? 0) >= leastContrast, `${accent} ${light}`)
    t.true((contrastOf(dark, colors.surface[1]) ?? 0) >= leastContrast, `${accent} ${dark}`)
  }
})

test('the stylesheet → 10 KB at most, and it loads nothing', (t) => {
  t.true(Buffer.byteLength(stylesheet) <= 10 * 1024)
  t.notRegex(stylesheet, /url\(|@import/)
})

test('the files of pages → their type, cacheable, and images that run nothing', async (t) => {
  const server = await startServer(t)
  const types = {
    'pages.css': 'text/css; charset=utf-8',
    'pages.js': 'text/javascript; charset=utf-8',
    'submit.js': 'text/javascript; charset=utf-8',
    'logo.svg': 'image/svg+xml',
    'favicon.svg': 'image/svg+xml',
    'accent/aa3300.css': 'text/css; charset=utf-8',
  }
  for (const [name, type] of Object.entries(types)) {
    const { status, headers } = await server.get(`/assets/${name}`)
    t.deepEqual([status, headers.get('content-type')], [200, type], name)
    t.regex(headers.get('cache-control') ?? '', /^public, max-age=/)
    if (type === 'image/svg+xml') {
      t.regex(headers.get('content-security-policy') ?? '', /^default-src 'none';/)
    }
  }
  for (const odd of ['accent/red.css', 'accent/aa3300;}.css', 'other.css']) {
    t.is((await server.get(`/assets/${encodeURI(odd)}`)).status, 404, odd)
  }
})

test('a language is chosen at the foot of a page → a cookie, and the page again without it', async (t) => {
  const server = await startServer(t)
  const { status, headers } = await server.request('/sign-in?request=abc&lang=en', {
    redirect: 'manual',
  })
  t.deepEqual([status, headers.get('location')], [303, '/sign-in?request=abc'])
  t.regex(headers.get('set-cookie') ?? '', /^__Host-signet_language=en; Path=\/; .*SameSite=Lax/)
  const unknown = await server.request('/sign-in?lang=xx', { redirect: 'manual' })
  t.deepEqual([unknown.status, unknown.headers.get('set-cookie')], [200, null])
})
