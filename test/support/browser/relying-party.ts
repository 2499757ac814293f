import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { ExecutionContext } from 'ava'
import type { Page } from 'playwright-core'
import type { TestServer } from '../server/start-server.ts'

/** An app that signs people in, on another site than the server: `localhost` beside `127.0.0.1`. */
export interface RelyingParty {
  readonly origin: string
  readonly callback: string
  /** The parameters that the callback has received and their `method`, newest last. */
  readonly answers: Readonly<Record<string, string>>[]
  /** The content of its pages, by path; scripts may be inline. */
  readonly pages: Map<string, string>
}

const verifier = randomBytes(32).toString('base64url')
const challenge = createHash('sha256').update(verifier).digest('base64url')

/** Starts the app, which goes with the test. */
export async function startRelyingParty(t: ExecutionContext<unknown>): Promise<RelyingParty> {
  const answers: Record<string, string>[] = []
  const pages = new Map<string, string>()
  const http = createServer(async (request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '', 'http://localhost')
    if (pathname === '/favicon.ico') return void response.writeHead(204).end()
    const chunks = await request.toArray()
    if (pathname === '/callback') {
      const body = new URLSearchParams(Buffer.concat(chunks).toString())
      const method = request.method ?? ''
      answers.push({ ...Object.fromEntries(searchParams), ...Object.fromEntries(body), method })
    }
    const content = pages.get(pathname) ?? `<h1>The app at ${pathname}</h1>`
    const isScript = pathname.endsWith('.js')
    response.setHeader('content-type', `text/${isScript ? 'javascript' : 'html'}; charset=utf-8`)
    response.end(isScript ? content : `<!doctype html><html lang="en"><title>App</title>${content}`)
  })
  http.listen(0, '127.0.0.1')
  await once(http, 'listening')
  t.teardown(async () => {
    http.closeAllConnections()
    await new Promise((resolve) => http.close(resolve))
  })
  const origin = `http://localhost:${(http.address() as AddressInfo).port}`
  return { origin, callback: `${origin}/callback`, answers, pages }
}

type NewClient = Parameters<TestServer['services']['clients']['create']>[0]

/** Registers a client that signs people in and asks for their consent. */
export async function registerClient(
  server: TestServer,
  redirectUri: string,
  settings: Partial<NewClient> = {},
): Promise<void> {
  await server.services.clients.create({
    id: 'web',
    name: 'Example App',
    authenticationMethod: 'none',
    grantTypes: ['authorization_code', 'refresh_token'],
    scopes: ['openid', 'profile', 'email', 'read', 'offline_access'],
    audiences: ['https://orders.example'],
    redirectUris: [redirectUri],
    ...settings,
  })
}

/** The URL that the app sends people to. */
export const authorizeUrl = (
  issuer: string,
  redirectUri: string,
  extra: Readonly<Record<string, string>> = {},
): string =>
  `${issuer}/oauth/authorize?${new URLSearchParams({
    client_id: 'web',
    redirect_uri: redirectUri,
    response_type: 'code',
    scope: 'openid profile read',
    state: 'a state',
    code_challenge: challenge,
    code_challenge_method: 'S256',
    ...extra,
  })}`

/** Answers for an app with an https origin, which needs no certificate so. It lasts as long as the tab. */
export async function answerAsApp(page: Page, callback: string): Promise<void> {
  const session = await page.context().newCDPSession(page)
  session.on('Fetch.requestPaused', ({ requestId }) => {
    const responseHeaders = [{ name: 'content-type', value: 'text/html; charset=utf-8' }]
    const body = Buffer.from('<!doctype html><title>App</title><h1>The app</h1>').toString('base64')
    const answer = { requestId, responseCode: 200, responseHeaders, body }
    // The tab may be gone.
    session.send('Fetch.fulfillRequest', answer).catch(() => undefined)
  })
  await session.send('Fetch.enable', {
    patterns: [{ urlPattern: `${new URL(callback).origin}/*` }],
  })
}
