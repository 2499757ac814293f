import test, { type ExecutionContext } from 'ava'
import { ada } from '../../tools/fixtures.ts'
import {
  addWebApp,
  answerOf,
  finish,
  redirectUri,
  startWebApp,
} from '../support/clients/web-app.ts'
import type { FlowBrowser, Visited } from '../support/http/flow-browser.ts'

/** RFC 6749 §4.1.2.1: the person learns it on a page with a way on, and the browser goes nowhere. */
function isPage(t: ExecutionContext, visited: Visited, note: string, status = 400): void {
  t.is(visited.status, status, note)
  t.is(visited.location, '', note)
  t.regex(visited.headers.get('content-type') ?? '', /^text\/html/, note)
  t.is(visited.headers.get('cache-control'), 'no-store', note)
  t.regex(visited.headers.get('content-security-policy') ?? '', /frame-ancestors 'none'/, note)
  t.regex(visited.html, /<a [^>]*href=/, note)
}

/** The client learns it: 303 with the error, the state as it was sent, and who answers (RFC 9207 §2). */
function isRedirect(
  t: ExecutionContext,
  visited: Visited,
  expected: { readonly error: string; readonly state?: string | undefined; readonly iss: string },
  note: string,
): void {
  t.is(visited.status, 303, `${note}: ${visited.html}`)
  t.true(visited.location.startsWith(`${redirectUri}?`), `${note}: ${visited.location}`)
  const answer = answerOf(visited)
  t.is(answer.error, expected.error, note)
  t.is(answer.state, expected.state, note)
  t.is(answer.iss, expected.iss, note)
  t.regex(answer.error_description ?? '', /^[\x20\x21\x23-\x5b\x5d-\x7e]+$/, note)
  t.is(answer.code, undefined, note)
  t.is(visited.headers.get('cache-control'), 'no-store', note)
}

const pages: readonly (readonly [string, Record<string, string>])[] = [
  ['no client_id', { client_id: '' }],
  ['an unknown client_id', { client_id: 'stranger' }],
  ['a client_id of another spelling', { client_id: 'WEB' }],
  ['a client_id that is no name', { client_id: "' OR 1=1 --" }],
  ['a huge client_id', { client_id: 'a'.repeat(4000) }],
  ['a disabled client', { client_id: 'disabled' }],
  ['no redirect_uri', { redirect_uri: '' }],
  ['a redirect_uri of somebody else', { redirect_uri: 'https://evil.example/' }],
  ['a redirect_uri with a suffix', { redirect_uri: `${redirectUri}/x` }],
  ['a redirect_uri with a user', { redirect_uri: 'https://web.example@evil.example/callback' }],
  ['a redirect_uri with a line break', { redirect_uri: `${redirectUri}\r\nset-cookie: a=b` }],
  ['a script as redirect_uri', { redirect_uri: 'javascript:alert(1)' }],
  ['a huge redirect_uri', { redirect_uri: `${redirectUri}?${'a'.repeat(5000)}` }],
  ['a redirect_uri of another client', { redirect_uri: 'https://other.example/callback' }],
]

test('RFC 6749 §4.1.2.1: no client or no registered redirect URI → a page, no redirect', async (t) => {
  const { app, server, browser } = await startWebApp(t)
  await addWebApp(server, { id: 'disabled' })
  await addWebApp(server, { id: 'other', redirectUris: ['https://other.example/callback'] })
  await server.services.clients.amend('disabled', { disabled: true })
  for (const [title, parameters] of pages) {
    const visited = await browser.visit(app.authorizeUrl(parameters))
    isPage(t, visited, title)
    t.false(visited.html.includes('evil.example'), title)
    isPage(t, await browser.visit(app.authorizeUrl({ ...parameters, prompt: 'none' })), title)
  }
})

const idToken = 'eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0.'

const redirects: readonly (readonly [string, string, Record<string, string>])[] = [
  ['no response_type', 'invalid_request', { response_type: '' }],
  ['an implicit response_type', 'unsupported_response_type', { response_type: 'token' }],
  ['a hybrid response_type', 'unsupported_response_type', { response_type: 'code id_token' }],
  ['response_type none', 'unsupported_response_type', { response_type: 'none' }],
  ['response_type in capitals', 'unsupported_response_type', { response_type: 'CODE' }],
  ['an unknown prompt', 'invalid_request', { prompt: 'fun' }],
  ['prompt none with another', 'invalid_request', { prompt: 'none login' }],
  ['a negative max_age', 'invalid_request', { max_age: '-1' }],
  ['a max_age that is no number', 'invalid_request', { max_age: '1e3' }],
  ['a huge max_age', 'invalid_request', { max_age: '9'.repeat(30) }],
  ['claims that are no JSON', 'invalid_request', { claims: '{' }],
  ['claims that are a list', 'invalid_request', { claims: '[]' }],
  ['claims with a list in it', 'invalid_request', { claims: '{"userinfo":[]}' }],
  ['claims with a number in it', 'invalid_request', { claims: '{"id_token":1}' }],
  ['huge claims', 'invalid_request', { claims: `{"userinfo":{"${'a'.repeat(5000)}":null}}` }],
  ['no code_challenge', 'invalid_request', { code_challenge: '', code_challenge_method: '' }],
  ['a method without a challenge', 'invalid_request', { code_challenge: '' }],
  ['a challenge without a method', 'invalid_request', { code_challenge_method: '' }],
  ['the method plain', 'invalid_request', { code_challenge_method: 'plain' }],
  ['a short challenge', 'invalid_request', { code_challenge: 'abc' }],
  ['a padded challenge', 'invalid_request', { code_challenge: `${'a'.repeat(43)}=` }],
  ['a hint of somebody else', 'invalid_request', { id_token_hint: idToken }],
  ['a hint that is no token', 'invalid_request', { id_token_hint: 'x' }],
  ['a huge hint', 'invalid_request', { id_token_hint: 'a'.repeat(9000) }],
  ['an unknown response_mode', 'invalid_request', { response_mode: 'fragment' }],
  ['a huge nonce', 'invalid_request', { nonce: 'n'.repeat(513) }],
  ['a huge login_hint', 'invalid_request', { login_hint: 'n'.repeat(321) }],
  ['a scope that the client may not have', 'invalid_scope', { scope: 'openid admin' }],
  ['a malformed scope', 'invalid_scope', { scope: 'openid "read"' }],
  ['a resource with a fragment', 'invalid_target', { resource: 'https://orders.example#x' }],
  ['an unknown resource', 'invalid_target', { resource: 'https://elsewhere.example' }],
  ['a request object', 'request_not_supported', { request: 'e30.e30.' }],
  ['a request_uri', 'request_uri_not_supported', { request_uri: 'https://web.example/r' }],
  ['a pushed request that is none', 'request_uri_not_supported', { request_uri: 'urn:x' }],
  ['registration', 'registration_not_supported', { registration: '{}' }],
  ['nobody is signed in', 'login_required', { prompt: 'none' }],
  ['an essential acr', 'login_required', { prompt: 'none', claims: acr('urn:none') }],
]

function acr(value: string): string {
  return JSON.stringify({ id_token: { acr: { essential: true, value } } })
}

test('RFC 6749 §4.1.2.1, OIDC Core §3.1.2.6: another error → a redirect with state and iss', async (t) => {
  const { app, server, browser } = await startWebApp(t)
  const iss = server.app.issuer
  const state = 'a b&c=d%20"<é>'
  for (const [title, error, parameters] of redirects) {
    const visited = await browser.visit(app.authorizeUrl({ ...parameters, state }))
    isRedirect(t, visited, { error, state, iss }, title)
    const stateless = await browser.visit(app.authorizeUrl({ ...parameters, state: '' }))
    isRedirect(t, stateless, { error, state: undefined, iss }, title)
  }
})

test('OAuth 2.0 Form Post Response Mode §2: an error → a form for the client alone', async (t) => {
  const { app, server, browser } = await startWebApp(t)
  for (const [title, error, parameters] of redirects) {
    if ('response_mode' in parameters) continue
    const visited = await browser.visit(
      app.authorizeUrl({ ...parameters, response_mode: 'form_post', state: '"><script>' }),
    )
    t.is(visited.status, 200, title)
    const [form] = visited.forms
    t.like(form, { action: redirectUri, method: 'post' }, title)
    t.like(form?.fields, { error, state: '"><script>', iss: server.app.issuer }, title)
    t.false(visited.html.includes('"><script>'), title)
    const policy = visited.headers.get('content-security-policy') ?? ''
    t.regex(policy, /form-action https:\/\/web\.example;/, title)
    t.is(visited.headers.get('cache-control'), 'no-store', title)
  }
})

test('a client without the code grant → unauthorized_client', async (t) => {
  const { server, app, browser } = await startWebApp(t)
  // The settings do not allow it, because redirect URIs would be left without a use.
  await server
    .db('clients')
    .where({ id: 'web' })
    .update({ grant_types: ['client_credentials'] })
  const visited = await browser.visit(app.authorizeUrl({ state: 's' }))
  const expected = { error: 'unauthorized_client', state: 's', iss: server.app.issuer }
  isRedirect(t, visited, expected, 'grant')
})

test('RFC 6749 §3.1: a repeated parameter → a page if it is needed to redirect, else a redirect', async (t) => {
  const { app, server, browser } = await startWebApp(t)
  const url = app.authorizeUrl({ state: 's' })
  const names = [...new URL(url, 'http://x').searchParams.keys(), 'prompt', 'response_mode']
  for (const name of names) {
    const value = { prompt: 'login', response_mode: 'query' }[name] ?? ''
    const own = new URL(url, 'http://x').searchParams.get(name) ?? value
    const first = names.slice(-2).includes(name) ? `&${name}=${value}` : ''
    const visited = await browser.visit(`${url}${first}&${name}=${encodeURIComponent(own)}`)
    if (['client_id', 'redirect_uri'].includes(name)) isPage(t, visited, name)
    else {
      const state = name === 'state' ? undefined : 's'
      isRedirect(t, visited, { error: 'invalid_request', state, iss: server.app.issuer }, name)
    }
  }
  // RFC 8707 §2: this one may be repeated.
  const resource = '&resource=https://orders.example'
  const page = await browser.visit(`${url}${resource}${resource}`)
  t.regex(page.location, /\/sign-in\?/)
})

test('broken encoding, NUL, too many parameters, a wrong body → a page, never a 500', async (t) => {
  const { app, browser } = await startWebApp(t)
  const url = app.authorizeUrl()
  const broken = [
    '&x=%ff',
    '&x=%c3%28',
    '&x=%',
    '&x=%zz',
    '&state2=%00',
    '&=x',
    `${'&a=1'.repeat(80)}`,
  ]
  for (const text of [...broken, '&%ed%a0%80=1']) {
    isPage(t, await browser.visit(`${url}${text}`), text)
  }
  isPage(t, await browser.visit('/oauth/authorize'), 'empty')
  isPage(t, await browser.visit('/oauth/authorize?'), 'empty query')
  const bodies: [string, string, number][] = [
    ['application/json', '{}', 400],
    ['text/plain', url.slice(17), 400],
    ['application/x-www-form-urlencoded', 'x=%ff', 400],
    ['application/x-www-form-urlencoded', `x=${'a'.repeat(20_000)}`, 413],
  ]
  for (const [type, body, status] of bodies) {
    const response = await fetch(`${browser.url}/oauth/authorize`, {
      method: 'POST',
      headers: { 'content-type': type },
      body,
    })
    t.is(response.status, status, `${type} ${body.slice(0, 20)}`)
    t.regex(response.headers.get('content-type') ?? '', /^text\/html/)
  }
  const query = url.slice('/oauth/authorize'.length)
  const both = await fetch(`${browser.url}/oauth/authorize${query}`, {
    method: 'POST',
    body: new URLSearchParams({ x: '1' }),
  })
  t.is(both.status, 400)
})

/** A browser that has signed in, with everything allowed. */
async function signedIn(browser: FlowBrowser, url: string): Promise<Visited> {
  return finish(browser, await browser.open(url))
}

test('claims with NUL, a lone surrogate or names of the prototype → ignored, never a 500', async (t) => {
  const { app, browser } = await startWebApp(t)
  await signedIn(browser, app.authorizeUrl())
  const names = ['a\\u0000', '\\ud800', '__proto__', 'constructor', 'toString', 'sub', 'email']
  for (const name of names) {
    for (const member of ['userinfo', 'id_token']) {
      const claims = `{"${member}":{"${name}":null}}`
      const { code = '' } = answerOf(await browser.visit(app.authorizeUrl({ claims })))
      const { status, body } = await app.redeem(code)
      t.is(status, 200, claims)
      t.is((await app.userinfo(body.access_token)).status, 200, claims)
    }
  }
})

test('OIDC Core §5.5.1: claims that name another person, prompt=none → login_required', async (t) => {
  const { app, server, browser } = await startWebApp(t)
  const first = answerOf(await signedIn(browser, app.authorizeUrl()))
  const { body } = await app.redeem(first.code ?? '')
  const { sub } = JSON.parse(Buffer.from(body.id_token.split('.')[1], 'base64url').toString())
  const asked = (value: string) => ({
    prompt: 'none',
    state: 's',
    claims: JSON.stringify({ id_token: { sub: { value } } }),
  })
  t.truthy(answerOf(await browser.visit(app.authorizeUrl(asked(sub)))).code)
  const other = await browser.visit(app.authorizeUrl(asked('somebody-else')))
  isRedirect(t, other, { error: 'login_required', state: 's', iss: server.app.issuer }, 'sub')
  const both = { ...asked('somebody-else'), id_token_hint: body.id_token }
  const mixed = await browser.visit(app.authorizeUrl(both))
  isRedirect(t, mixed, { error: 'invalid_request', state: 's', iss: server.app.issuer }, 'both')
})

test('an essential acr that cannot be reached → unmet_authentication_requirements', async (t) => {
  const { app, server, browser } = await startWebApp(t)
  await signedIn(browser, app.authorizeUrl())
  const visited = await browser.visit(app.authorizeUrl({ claims: acr('urn:none'), state: 's' }))
  const error = 'unmet_authentication_requirements'
  isRedirect(t, visited, { error, state: 's', iss: server.app.issuer }, 'acr')
})

test('the person says no → access_denied', async (t) => {
  const { app, server, browser } = await startWebApp(t)
  const page = await browser.open(app.authorizeUrl({ state: 's' }))
  const consent = await browser.submit(page, ada, ({ fields }) => 'password' in fields)
  const denied = await browser.submit(consent, { decision: 'deny' }, ({ buttons }) =>
    buttons.some(({ name }) => name === 'decision'),
  )
  isRedirect(t, denied, { error: 'access_denied', state: 's', iss: server.app.issuer }, 'deny')
})
