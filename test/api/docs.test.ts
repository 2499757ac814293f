import test from 'ava'
import { startServer } from '../support/server/start-server.ts'

test('/docs loads everything from this server: no CDN, no inline script', async (t) => {
  const server = await startServer(t)
  const { status, headers, text } = await server.get('/docs')
  t.is(status, 200)
  t.is(headers.get('content-type'), 'text/html; charset=utf-8')
  t.notRegex(text, /https?:|\/\/[a-z]/, 'no other host is named')
  t.notRegex(text, /<script(?![^>]*\bsrc=)|\son\w+=|javascript:/i, 'no script is in the page')
  const links = [...text.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, link = '']) => link)
  t.is(links.length, 4)
  for (const link of links) {
    const url = new URL(link, `${server.url}/docs`)
    const asset = await server.get(url.pathname)
    t.is(asset.status, 200, link)
    t.true(asset.text.length > 50, link)
    t.is(asset.headers.get('x-content-type-options'), 'nosniff')
    const type = link.endsWith('.js') ? 'text/javascript' : link.endsWith('.css') ? 'text/css' : ''
    t.true((asset.headers.get('content-type') ?? '').startsWith(type || 'image/png'), link)
  }
  const start = await server.get('/docs/start.js')
  t.regex(start.text, /url: 'openapi\.json'/)
})

test('ASVS 3.4.3: the policy of /docs allows nothing foreign and no inline script', async (t) => {
  const server = await startServer(t)
  const policy = (await server.get('/docs')).headers.get('content-security-policy') ?? ''
  const directives: Record<string, string[]> = Object.fromEntries(
    policy.split('; ').map((one) => [one.split(' ')[0], one.split(' ').slice(1)]),
  )
  t.deepEqual(directives['default-src'], ["'none'"])
  t.deepEqual(directives['script-src'], ["'self'"])
  t.deepEqual(directives['connect-src'], ["'self'"])
  t.deepEqual(directives['frame-ancestors'], ["'none'"])
  t.deepEqual(directives['base-uri'], ["'none'"])
  const harmless = ["'none'", "'self'", "'unsafe-inline'", 'data:']
  for (const sources of Object.values(directives)) {
    for (const source of sources) t.true(harmless.includes(source), source)
  }
})

test('no other file of the Swagger UI folder is served', async (t) => {
  const server = await startServer(t)
  const names = ['package.json', 'index.html', '..%2fpackage.json', '%00', 'toString', '__proto__']
  for (const name of names) t.is((await server.get(`/docs/${name}`)).status, 404, name)
})

test('the issuer has a path → the page and its files are below it', async (t) => {
  const environment = { ISSUER: 'http://127.0.0.1:9/tenant' }
  const server = await startServer(t, { environment })
  t.is((await server.get('/tenant/docs')).status, 200)
  t.is((await server.get('/tenant/docs/swagger-ui.css')).status, 200)
  t.is((await server.get('/tenant/openapi.json')).status, 200)
  t.is((await server.get('/docs')).status, 404)
})
