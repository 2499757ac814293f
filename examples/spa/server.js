import { createReadStream } from 'node:fs'
import { createServer } from 'node:http'
import { createRequire } from 'node:module'
import { pipeline } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { register } from '../register.js'

const { ISSUER: issuer = 'http://127.0.0.1:3000', PORT: port = '4002' } = process.env
const service = process.env.SERVICE ?? 'http://127.0.0.1:4000'
const url = `http://127.0.0.1:${port}`

const clientId =
  process.env.CLIENT_ID ??
  (
    await register('spa', {
      name: 'Example single-page app',
      // A public client: whatever a page contains is no secret. PKCE protects the code.
      auth: 'none',
      'first-party': true,
      grant: 'authorization_code,refresh_token',
      scope: 'openid profile email read offline_access',
      audience: issuer,
      'redirect-uri': `${url}/`,
      'post-logout-redirect-uri': `${url}/`,
    })
  ).client_id

const here = (name) => fileURLToPath(new URL(name, import.meta.url))
const library = createRequire(import.meta.url).resolve('oidc-client-ts')

/** Everything that this server has; it could be a CDN. */
const files = {
  '/': ['text/html', here('index.html')],
  '/app.js': ['text/javascript', here('app.js')],
  '/app.css': ['text/css', here('../app.css')],
  '/oidc-client-ts.js': [
    'text/javascript',
    library.replace(/dist.*$/, 'dist/browser/oidc-client-ts.min.js'),
  ],
}

const policy = `default-src 'self'; connect-src 'self' ${issuer} ${service}; frame-ancestors 'none'; base-uri 'none'`

const server = createServer((request, response) => {
  const [pathname] = request.url.split('?')
  response.setHeader('content-security-policy', policy)
  response.setHeader('x-content-type-options', 'nosniff')
  response.setHeader('referrer-policy', 'no-referrer')
  response.setHeader('cache-control', 'no-cache')
  if (pathname === '/config.json') {
    response.setHeader('content-type', 'application/json')
    return response.end(JSON.stringify({ issuer, clientId, service }))
  }
  if (pathname === '/favicon.ico') return response.writeHead(204).end()
  if (!Object.hasOwn(files, pathname)) return response.writeHead(404).end('Not found')
  const [type, path] = files[pathname]
  response.setHeader('content-type', `${type}; charset=utf-8`)
  // A browser that leaves in the middle must not leave the file open.
  pipeline(createReadStream(path), response, () => {})
})

server.listen(port, '127.0.0.1', () => {
  console.log(JSON.stringify({ type: 'ready', url, issuer }))
  console.log(`Open ${url}/ in a browser.`)
})

for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, () => {
    server.close()
    server.closeAllConnections()
  })
}
