import type { ExecutionContext } from 'ava'
import { createLocalJWKSet, type JSONWebKeySet, jwtVerify } from 'jose'
import { ada } from '../../tools/fixtures.ts'
import { addWebApp, finish, type WebApp } from '../support/clients/web-app.ts'
import { FlowBrowser, type Visited } from '../support/http/flow-browser.ts'
import { startServer, type TestServer } from '../support/server/start-server.ts'

export type ResponseMode = 'query' | 'form_post'
export type Parameters = Readonly<Record<string, string>>

export const callbackUri = 'https://suite.example/test/a/signet/callback'
export const postLogoutUri = 'https://suite.example/test/a/signet/post_logout_redirect'

/** The person who signs in; all claims that this server knows are there. */
export const person = { ...ada, name: 'Ada Lovelace', email: 'ada@people.example' }

export interface Tokens {
  readonly access_token: string
  readonly id_token: string
  readonly refresh_token?: string
  readonly [member: string]: unknown
}

/** An authorization request with the answer to it. */
export interface Authorized {
  readonly request: Parameters
  readonly code: string
  readonly tokens: Tokens
  /** The claims of the ID token, whose signature was verified. */
  readonly claims: Readonly<Record<string, unknown>>
}

/** How the suite registers its clients. */
export const settings = {
  scopes: ['openid', 'profile', 'email', 'offline_access'],
  audiences: ['https://api.example'],
  redirectUris: [callbackUri],
  postLogoutRedirectUris: [postLogoutUri],
  requirePkce: false,
}

/** A relying party as the conformance suite plays it: AbstractOIDCCServerTest. */
export class RelyingParty {
  readonly server: TestServer
  readonly browser: FlowBrowser
  readonly first: WebApp
  readonly second: WebApp
  readonly mode: ResponseMode
  #count = 0

  constructor(server: TestServer, first: WebApp, second: WebApp, mode: ResponseMode) {
    this.server = server
    this.first = first
    this.second = second
    this.mode = mode
    this.browser = new FlowBrowser(server.url)
  }

  get issuer(): string {
    return this.server.app.issuer
  }

  /** The parameters of a request; one that is '' is left out. */
  parameters(changes: Parameters = {}, client = this.first): Parameters {
    this.#count += 1
    const all: Record<string, string> = {
      client_id: client.id,
      redirect_uri: callbackUri,
      scope: 'openid',
      state: `state-${this.#count}-`.padEnd(24, 'x'),
      nonce: `nonce-${this.#count}-`.padEnd(24, 'y'),
      response_type: 'code',
      ...(this.mode === 'form_post' && { response_mode: 'form_post' }),
      ...changes,
    }
    return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== ''))
  }

  /** Opens an authorization request, and fills no form. */
  open(request: Parameters): Promise<Visited> {
    return this.browser.open(`/oauth/authorize?${new URLSearchParams(request)}`)
  }

  /** The parameters of a callback, checked as every module does. */
  callback(t: ExecutionContext, request: Parameters, visited: Visited): Parameters {
    const parameters = this.#received(t, visited)
    t.is(parameters.state, request.state, 'the state differs')
    // RFC 9207 §2.4.
    t.is(parameters.iss, this.issuer)
    const known = ['code', 'state', 'iss', 'error', 'error_description']
    t.deepEqual(
      Object.keys(parameters).filter((name) => !known.includes(name)),
      [],
    )
    t.regex(parameters.error_description ?? '', /^[\x20\x21\x23-\x5b\x5d-\x7e]*$/)
    return parameters
  }

  #received(t: ExecutionContext, visited: Visited): Parameters {
    if (this.mode === 'query') {
      t.is(visited.status, 303, visited.html)
      const { origin, pathname, searchParams } = new URL(visited.location)
      t.is(origin + pathname, callbackUri)
      return Object.fromEntries(searchParams)
    }
    // OAuth 2.0 Form Post Response Mode §2: nothing in the query.
    t.is(visited.status, 200, visited.html)
    const [form] = visited.forms
    t.like(form, { action: callbackUri, method: 'post' }, visited.html)
    return form?.fields ?? {}
  }

  /** An authorization with a person who signs in and allows, if they are asked; everything is checked. */
  async authorize(t: ExecutionContext, changes: Parameters = {}, client = this.first) {
    const request = this.parameters(changes, client)
    return this.complete(t, request, await this.open(request), client)
  }

  async complete(
    t: ExecutionContext,
    request: Parameters,
    start: Visited,
    client = this.first,
  ): Promise<Authorized> {
    const visited = await finish(this.browser, start)
    const { code = '' } = this.callback(t, request, visited)
    t.regex(code, /^[\w.~-]+$/)
    t.true(entropyOf(code) >= 96 && code.length <= 512)
    const { status, body, headers } = await this.redeem(code, {}, client)
    t.is(status, 200, JSON.stringify(body))
    t.is(headers.get('cache-control'), 'no-store')
    t.is(body.token_type, 'Bearer')
    t.true(body.expires_in > 0)
    return { request, code, tokens: body, claims: await this.#verified(t, request, body, client) }
  }

  redeem(code: string, parameters: Parameters = {}, client = this.first) {
    return client.redeem(code, { redirect_uri: callbackUri, code_verifier: '', ...parameters })
  }

  async #verified(t: ExecutionContext, request: Parameters, tokens: Tokens, client: WebApp) {
    const keys = await this.jwks(t)
    const { payload, protectedHeader } = await jwtVerify(tokens.id_token, createLocalJWKSet(keys), {
      issuer: this.issuer,
      audience: client.id,
      currentDate: this.server.clock.now(),
      maxTokenAge: 300,
    })
    t.truthy(protectedHeader.kid)
    t.is(protectedHeader.alg, 'RS256')
    t.is(payload.nonce, request.nonce)
    const now = this.server.clock.now().getTime() / 1000
    t.true(Number(payload.auth_time) <= now + 1 && Number(payload.auth_time) > now - 31_536_000)
    t.not(payload.acr, '')
    t.regex(String(payload.sub), /^.{1,255}$/)
    await this.userinfo(t, tokens, String(payload.sub))
    return payload
  }

  /** Discovery §3: published keys are public, and each has a name. */
  async jwks(t: ExecutionContext): Promise<JSONWebKeySet> {
    const { body } = await this.server.get('/.well-known/jwks.json')
    const kids = body.keys.map(({ kid }: { kid: string }) => kid)
    t.is(new Set(kids).size, kids.length)
    for (const key of body.keys) {
      t.is(key.kty, 'RSA')
      for (const secret of ['d', 'p', 'q', 'dp', 'dq', 'qi', 'k']) t.false(secret in key)
    }
    return body
  }

  async userinfo(
    t: ExecutionContext,
    { access_token }: Tokens,
    sub: string,
    init: RequestInit = {},
  ) {
    const response = await fetch(`${this.server.url}/oauth/userinfo`, {
      headers: { authorization: `Bearer ${access_token}` },
      ...init,
    })
    t.is(response.status, 200)
    t.regex(response.headers.get('content-type') ?? '', /^application\/json/)
    const body = await response.json()
    t.is(body.sub, sub)
    return body
  }
}

/** Starts a server with the two clients that the suite wants, and a person. */
export async function startProvider(
  t: ExecutionContext,
  { mode = 'query', environment = {} }: { mode?: ResponseMode; environment?: Parameters } = {},
): Promise<RelyingParty> {
  const server = await startServer(t, { environment })
  await server.db('users').where({ username: ada.username }).update({
    full_name: person.name,
    email: person.email,
    email_verified_at: server.clock.now(),
  })
  const first = await addWebApp(server, { ...settings, id: 'first' })
  const second = await addWebApp(server, { ...settings, id: 'second' })
  return new RelyingParty(server, first, second, mode)
}

/** Bits of a text by the frequencies of its characters, as the suite measures them. */
export function entropyOf(text: string): number {
  const counts = new Map<string, number>()
  for (const character of text) counts.set(character, (counts.get(character) ?? 0) + 1)
  let bits = 0
  for (const count of counts.values()) bits -= count * Math.log2(count / text.length)
  return bits
}
