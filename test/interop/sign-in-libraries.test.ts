import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import test, { type ExecutionContext } from 'ava'
import * as oauth from 'oauth4webapi'
import * as client from 'openid-client'
import {
  addWebApp,
  finish,
  postLogoutRedirectUri,
  redirectUri,
  startWebApp,
} from '../support/clients/web-app.ts'
import type { FlowBrowser, Visited } from '../support/http/flow-browser.ts'

/** Walks the pages for the URL that a library has built. */
const walk = async (browser: FlowBrowser, url: URL): Promise<Visited> =>
  finish(browser, await browser.open(url.href))

/** As in the README of openid-client; with http, because the test has no certificate. */
const configure = (issuer: string, secret: string) =>
  client.discovery(new URL(issuer), 'web', undefined, client.ClientSecretBasic(secret), {
    execute: [client.allowInsecureRequests],
  })

async function requestOf(config: client.Configuration, extra: Record<string, string> = {}) {
  const verifier = client.randomPKCECodeVerifier()
  const state = client.randomState()
  const nonce = client.randomNonce()
  const url = client.buildAuthorizationUrl(config, {
    redirect_uri: redirectUri,
    scope: 'openid profile offline_access',
    code_challenge: await client.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    state,
    nonce,
    ...extra,
  })
  const checks = {
    pkceCodeVerifier: verifier,
    expectedState: state,
    expectedNonce: nonce,
    idTokenExpected: true,
  }
  return { url, checks }
}

test('openid-client: sign-in, claims, refresh, re-authentication, sign-out', async (t) => {
  const { app, server, browser } = await startWebApp(t)
  const config = await configure(server.app.issuer, app.secret)
  t.true(config.serverMetadata().authorization_response_iss_parameter_supported)
  const { url, checks } = await requestOf(config)
  const answered = await walk(browser, url)
  const tokens = await client.authorizationCodeGrant(config, new URL(answered.location), checks)
  const claims = tokens.claims()
  t.truthy(claims?.sid)
  const info = await client.fetchUserInfo(config, tokens.access_token, claims?.sub ?? '')
  t.is(info.preferred_username, 'ada')
  const refreshed = await client.refreshTokenGrant(config, tokens.refresh_token ?? '')
  t.is(refreshed.claims()?.sub, claims?.sub)

  const again = await requestOf(config, { max_age: '0' })
  const confirmed = await walk(browser, again.url)
  const fresh = await client.authorizationCodeGrant(config, new URL(confirmed.location), {
    ...again.checks,
    maxAge: 0,
  })
  t.truthy(fresh.claims()?.auth_time)

  const out = client.buildEndSessionUrl(config, {
    id_token_hint: fresh.id_token ?? '',
    post_logout_redirect_uri: postLogoutRedirectUri,
    state: 'bye',
  })
  t.is((await browser.open(out.href)).location, `${postLogoutRedirectUri}?state=bye`)
  const silent = await requestOf(config, { prompt: 'none' })
  const refused = await browser.open(silent.url.href)
  const error = await t.throwsAsync(
    client.authorizationCodeGrant(config, new URL(refused.location), silent.checks),
    { instanceOf: client.AuthorizationResponseError },
  )
  t.is(error?.error, 'login_required')
})

test('openid-client: response_mode=form_post → its form is accepted', async (t) => {
  const { app, server, browser } = await startWebApp(t)
  const config = await configure(server.app.issuer, app.secret)
  const { url, checks } = await requestOf(config, { response_mode: 'form_post' })
  const [form] = (await walk(browser, url)).forms
  t.is(form?.action, redirectUri)
  const body = new URLSearchParams(form?.fields)
  const posted = new Request(redirectUri, { method: 'POST', body })
  const tokens = await client.authorizationCodeGrant(config, posted, checks)
  t.truthy(tokens.id_token)
})

test('oauth4webapi: sign-in of a public client, with its signature checked', async (t) => {
  const { server, browser } = await startWebApp(t)
  await addWebApp(server, { id: 'spa', authenticationMethod: 'none' })
  const http = { [oauth.allowInsecureRequests]: true }
  const issuer = new URL(server.app.issuer)
  const discovered = await oauth.discoveryRequest(issuer, { algorithm: 'oidc', ...http })
  const as = await oauth.processDiscoveryResponse(issuer, discovered)
  const own: oauth.Client = { client_id: 'spa' }
  const verifier = oauth.generateRandomCodeVerifier()
  const state = oauth.generateRandomState()
  const nonce = oauth.generateRandomNonce()
  const url = new URL(as.authorization_endpoint ?? '')
  url.search = new URLSearchParams({
    client_id: 'spa',
    redirect_uri: redirectUri,
    response_type: 'code',
    scope: 'openid profile',
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    state,
    nonce,
  }).toString()
  const { location } = await walk(browser, url)
  const parameters = oauth.validateAuthResponse(as, own, new URL(location), state)
  const response = await oauth.authorizationCodeGrantRequest(
    as,
    own,
    oauth.None(),
    parameters,
    redirectUri,
    verifier,
    http,
  )
  const tokens = await oauth.processAuthorizationCodeResponse(as, own, response, {
    expectedNonce: nonce,
    requireIdToken: true,
  })
  await oauth.validateApplicationLevelSignature(as, response, http)
  const { sub } = oauth.getValidatedIdTokenClaims(tokens) ?? { sub: '' }
  const asked = await oauth.userInfoRequest(as, own, tokens.access_token, http)
  const info = await oauth.processUserInfoResponse(as, own, sub, asked)
  t.is(info.preferred_username, 'ada')
})

interface PassportRequest extends IncomingMessage {
  query: Record<string, string>
  session: Record<string, unknown>
}

type Outcome = { readonly error: unknown; readonly profile: Record<string, unknown> | false }

/** A web app with passport: one person, whose session is this object. */
async function startPassportApp(t: ExecutionContext, of: { issuer: string; secret: string }) {
  const { default: passport } = (await import('passport' as string)) as { default: PassportLike }
  const { default: Strategy } = (await import('passport-openidconnect' as string)) as {
    default: new (options: object, verify: (...values: never[]) => void) => object
  }
  const session: Record<string, unknown> = {}
  let outcome: Outcome | undefined
  const http = createServer((request, response) => {
    const { searchParams } = new URL(request.url ?? '', 'http://127.0.0.1')
    const own: PassportRequest = Object.assign(request, {
      query: Object.fromEntries(searchParams),
      session,
    })
    passport.authenticate('openidconnect', (error, profile) => {
      outcome = { error, profile }
      response.end('done')
    })(own, response, (error) => {
      outcome = { error, profile: false }
      response.end('failed')
    })
  })
  http.listen(0, '127.0.0.1')
  await once(http, 'listening')
  t.teardown(() => {
    http.close()
    http.closeAllConnections()
  })
  const { port } = http.address() as AddressInfo
  const url = `http://127.0.0.1:${port}`
  const { issuer, secret } = of
  const options = {
    issuer,
    authorizationURL: `${issuer}/oauth/authorize`,
    tokenURL: `${issuer}/oauth/token`,
    userInfoURL: `${issuer}/oauth/userinfo`,
    clientID: 'passport',
    clientSecret: secret,
    callbackURL: `${url}/callback`,
    scope: 'profile',
    nonce: true,
    skipUserProfile: false,
  }
  const verify = (
    _issuer: string,
    profile: Record<string, unknown>,
    done: (error: null, user: unknown) => void,
  ) => done(null, profile)
  passport.use(new Strategy(options, verify))
  return { url, outcome: () => outcome }
}

interface PassportLike {
  use(strategy: object): void
  authenticate(
    name: string,
    done: (error: unknown, profile: Record<string, unknown> | false) => void,
  ): (request: PassportRequest, response: ServerResponse, next: (error?: unknown) => void) => void
}

test('passport-openidconnect: sign-in → the profile of the person', async (t) => {
  const { server, browser } = await startWebApp(t)
  const app = await addWebApp(server, {
    id: 'passport',
    authenticationMethod: 'client_secret_post',
    // RFC 8252 §7.3: the port is chosen when the app starts.
    redirectUris: ['http://127.0.0.1/callback'],
    // The library knows no PKCE.
    requirePkce: false,
  })
  const site = await startPassportApp(t, { issuer: server.app.issuer, secret: app.secret })
  const begun = await fetch(site.url, { redirect: 'manual' })
  const { location } = await walk(browser, new URL(begun.headers.get('location') ?? ''))
  t.true(location.startsWith(`${site.url}/callback?code=`), location)
  t.is(await (await fetch(location)).text(), 'done')
  const { error, profile } = site.outcome() ?? { error: 'none', profile: false }
  t.falsy(error)
  t.like(profile, { username: 'ada' })
})
