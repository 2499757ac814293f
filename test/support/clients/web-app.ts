import { hash, randomBytes } from 'node:crypto'
import type { ExecutionContext } from 'ava'
import { ada } from '../../../tools/fixtures.ts'
import { FlowBrowser, type Visited } from '../http/flow-browser.ts'
import { type ServerOptions, startServer, type TestServer } from '../server/start-server.ts'

export const redirectUri = 'https://web.example/callback'
export const postLogoutRedirectUri = 'https://web.example/bye'

type ClientSettings = Parameters<TestServer['services']['clients']['create']>[0]

/** The parameters and results of the sign-ins of one client, as a person with a browser makes them. */
export class WebApp {
  readonly server: TestServer
  readonly id: string
  readonly secret: string
  readonly method: string
  readonly verifier = randomBytes(32).toString('base64url')
  #count = 0

  constructor(server: TestServer, id: string, secret: string, method: string) {
    this.method = method
    this.server = server
    this.id = id
    this.secret = secret
  }

  /** An authorization request; a parameter that is '' is left out. */
  authorizeUrl(parameters: Readonly<Record<string, string>> = {}): string {
    this.#count += 1
    const all = {
      client_id: this.id,
      redirect_uri: redirectUri,
      response_type: 'code',
      scope: 'openid profile read',
      state: `state-${this.#count}`,
      nonce: `nonce-${this.#count}`,
      code_challenge: hash('sha256', this.verifier, 'base64url'),
      code_challenge_method: 'S256',
      ...parameters,
    }
    const sent = Object.entries(all).filter(([, value]) => value !== '')
    return `/oauth/authorize?${new URLSearchParams(sent)}`
  }

  redeem(code: string, parameters: Readonly<Record<string, string>> = {}, at = this.server) {
    const all = {
      grant_type: 'authorization_code',
      code,
      redirect_uri: redirectUri,
      code_verifier: this.verifier,
      ...parameters,
    }
    const sent = Object.entries(all).filter(([, value]) => value !== '')
    return this.post('/oauth/token', Object.fromEntries(sent), at)
  }

  async post(path: string, form: Readonly<Record<string, string>>, at = this.server) {
    const response = await fetch(`${at.url}${path}`, { method: 'POST', ...this.#sent(form) })
    const text = await response.text()
    return {
      status: response.status,
      headers: response.headers,
      body: text === '' ? {} : JSON.parse(text),
    }
  }

  /** RFC 6749 §2.3.1. */
  #sent(form: Readonly<Record<string, string>>) {
    const { id, secret, method } = this
    if (method === 'none') return { body: new URLSearchParams({ client_id: id, ...form }) }
    if (method === 'client_secret_post') {
      return { body: new URLSearchParams({ client_id: id, client_secret: secret, ...form }) }
    }
    const basic = Buffer.from(`${id}:${secret}`).toString('base64')
    return { body: new URLSearchParams(form), headers: { authorization: `Basic ${basic}` } }
  }

  userinfo(token: string) {
    return fetch(`${this.server.url}/oauth/userinfo`, {
      headers: { authorization: `Bearer ${token}` },
    })
  }
}

export interface WebAppOptions extends ServerOptions {
  readonly settings?: Partial<ClientSettings>
}

/** A server with a confidential client that signs people in. */
export async function startWebApp(
  t: ExecutionContext<unknown>,
  { settings, ...options }: WebAppOptions = {},
): Promise<{ server: TestServer; app: WebApp; browser: FlowBrowser }> {
  const server = await startServer(t, options)
  const app = await addWebApp(server, settings)
  return { server, app, browser: new FlowBrowser(server.url) }
}

/** Registers a client that signs people in. */
export async function addWebApp(
  server: TestServer,
  settings: Partial<ClientSettings> = {},
): Promise<WebApp> {
  const id = settings.id ?? 'web'
  const { client, secret } = await server.services.clients.create({
    id,
    name: 'Web App',
    grantTypes: ['authorization_code', 'refresh_token'],
    scopes: ['openid', 'profile', 'email', 'read', 'offline_access'],
    audiences: ['https://orders.example'],
    redirectUris: [redirectUri],
    postLogoutRedirectUris: [postLogoutRedirectUri],
    ...settings,
  })
  return new WebApp(server, id, secret ?? '', client.authenticationMethod)
}

/** Fills the pages that come until the browser is sent to the client: the sign-in, then the consent. */
export async function finish(
  browser: FlowBrowser,
  start: Visited,
  person: { readonly username: string; readonly password: string } = ada,
): Promise<Visited> {
  let page = start
  for (let steps = 0; steps < 4 && page.location === ''; steps++) {
    const form = page.forms.find(({ method }) => method === 'post')
    if (!form) return page
    if (form.buttons.some(({ name }) => name === 'decision')) {
      page = await browser.submit(page, { decision: 'allow' }, (one) => one === form)
    } else if ('password' in form.fields) {
      page = await browser.submit(page, person, (one) => one === form)
    } else return page
  }
  return page
}

/** The answer that a redirect carries to the client. */
export const answerOf = ({ location }: Visited): Record<string, string> =>
  location === '' ? {} : Object.fromEntries(new URL(location).searchParams)

/** Signs in for a request, consent included, and returns the answer to the client. */
export async function signIn(
  browser: FlowBrowser,
  app: WebApp,
  parameters: Readonly<Record<string, string>> = {},
  person = ada,
): Promise<Record<string, string>> {
  return answerOf(await finish(browser, await browser.open(app.authorizeUrl(parameters)), person))
}

/** The claims of a JWT, unverified. */
export const claimsOf = (jwt: string): Record<string, unknown> =>
  JSON.parse(Buffer.from(jwt.split('.')[1] ?? '', 'base64url').toString())

/** Another person. */
export const grace = { username: 'grace', password: 'another correct horse battery' }

export const addGrace = async ({ services }: TestServer): Promise<typeof grace> => {
  await services.users.create({ ...grace, roles: [] })
  return grace
}
