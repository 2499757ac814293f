import { createHash, randomBytes, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import type { ExecutionContext } from 'ava'
import { decodeJwt } from 'jose'
import type { NewClient } from '../../../src/clients/new-client.ts'
import type { BegunBrowserSession } from '../../../src/sessions/browser-sessions.ts'
import { ada } from '../../../tools/fixtures.ts'
import type { Credentials } from '../../../tools/http-client.ts'
import type { TestServer } from '../server/start-server.ts'

const redirectUri = 'https://web.example/callback'
const password = 'pwd'

/** A first-party web app with a back-channel logout URI. */
export async function addWebApp(
  { services }: TestServer,
  id: string,
  settings: Partial<NewClient> = {},
): Promise<Credentials> {
  const { secret = '' } = await services.clients.create({
    id,
    name: id,
    firstParty: true,
    grantTypes: ['authorization_code', 'refresh_token'],
    scopes: ['openid', 'read', 'offline_access'],
    audiences: ['https://orders.example'],
    redirectUris: [redirectUri],
    postLogoutRedirectUris: ['https://web.example/bye'],
    ...settings,
  })
  return { id, secret }
}

/** A browser in which a person has just signed in, without walking through the pages. */
export async function signInBrowser(
  { services, clock }: TestServer,
  identifier: string = ada.username,
): Promise<BegunBrowserSession> {
  const user = await services.users.findAny(identifier)
  if (!user) throw new Error(`there is no ${identifier}`)
  const begun = await services.browsers.begin({
    id: randomUUID(),
    user,
    authTime: clock.now(),
    amr: [password],
    acr: 'urn:signet:acr:one',
    requestId: undefined,
    remembered: false,
    ip: '192.0.2.1',
    userAgent: undefined,
    replaces: undefined,
  })
  if (!begun) throw new Error(`${identifier} cannot sign in`)
  return begun
}

/** An authorization code of a browser, the form that redeems it, and the same for the store. */
export async function writeCode(
  { services }: TestServer,
  clientId: string,
  browser: BegunBrowserSession,
  different: { outlivesBrowser?: boolean } = {},
) {
  const verifier = randomBytes(32).toString('base64url')
  const codeChallenge = createHash('sha256').update(verifier).digest('base64url')
  const scope = ['openid', 'read', 'offline_access']
  const client = (await services.clients.find(clientId))?.client
  const { userId } = browser.session
  if (client) await services.consents.allow({ userId, client, scopes: scope, ip: '192.0.2.1' })
  const code = await services.codes.write({
    browserSessionId: browser.session.id,
    clientId,
    redirectUri,
    codeChallenge,
    nonce: undefined,
    audience: ['https://orders.example'],
    claims: undefined,
    hasRefreshToken: true,
    outlivesBrowser: false,
    answers: undefined,
    ...different,
    scope,
  })
  if (code === undefined) throw new Error('no code was written')
  const form = {
    grant_type: 'authorization_code',
    code,
    redirect_uri: redirectUri,
    code_verifier: verifier,
  }
  const presented = {
    code,
    clientId,
    redirectUri,
    codeChallenge,
    idleSeconds: 86_400,
    absoluteSeconds: 86_400,
    ip: '192.0.2.1',
    userAgent: undefined,
  }
  return { code, form, presented }
}

/** The session of a web app that begins from a browser. */
export async function enterWebApp(
  server: TestServer,
  app: Credentials,
  browser: BegunBrowserSession,
  different: { outlivesBrowser?: boolean } = {},
) {
  const { form } = await writeCode(server, app.id, browser, different)
  const { status, body, text: answer } = await server.token(form, app)
  if (status !== 200) throw new Error(answer)
  return {
    idToken: body.id_token as string,
    accessToken: body.access_token as string,
    refreshToken: body.refresh_token as string,
    sid: decodeJwt(body.id_token).sid as string,
  }
}

/** The button of the page "Sign out?". */
export const signOut = ({ services }: TestServer, { cookie }: BegunBrowserSession) =>
  services.signOut.confirmed({ cookie, ip: '192.0.2.1' })

type Reply = (request: IncomingMessage, response: ServerResponse) => unknown

/** The back-channel logout endpoint of a web app, which answers 200 unless told otherwise. */
export interface LogoutEndpoint {
  readonly uri: string
  /** The logout tokens in their order. */
  readonly tokens: readonly string[]
  readonly requests: readonly IncomingMessage[]
  /** The most requests that were open at the same time. */
  readonly mostOpen: number
  reply: Reply
  close(): Promise<void>
  /** Listens again, on the same port. */
  open(): Promise<void>
}

export async function startLogoutEndpoint(
  t: ExecutionContext<unknown>,
  reply: Reply = (_, response) => response.end(),
): Promise<LogoutEndpoint> {
  const tokens: string[] = []
  const requests: IncomingMessage[] = []
  let open = 0
  let mostOpen = 0
  const endpoint = {
    reply,
    get mostOpen() {
      return mostOpen
    },
  }
  const server = createServer(async (request, response) => {
    open += 1
    mostOpen = Math.max(mostOpen, open)
    response.on('close', () => {
      open -= 1
    })
    const body = await text(request).catch(() => '')
    requests.push(request)
    tokens.push(new URLSearchParams(body).get('logout_token') ?? '')
    endpoint.reply(request, response)
  })
  const listen = async (port: number) => {
    server.listen(port, '127.0.0.1')
    await once(server, 'listening')
    return (server.address() as AddressInfo).port
  }
  const port = await listen(0)
  const close = async () => {
    server.closeAllConnections()
    if (!server.listening) return
    server.close()
    await once(server, 'close')
  }
  t.teardown(close)
  return Object.assign(endpoint, {
    uri: `http://127.0.0.1:${port}/backchannel`,
    tokens,
    requests,
    close,
    open: async () => void (await listen(port)),
  })
}
