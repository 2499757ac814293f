import { hash, randomBytes } from 'node:crypto'
import type { ExecutionContext } from 'ava'
import { acrLevels } from '../../src/authentication/next.ts'
import { claimsOf, finish } from '../support/clients/web-app.ts'
import type { Module } from './module.ts'
import { callbackUri, type Parameters, person, type RelyingParty } from './relying-party.ts'

/** A request with more parameters, which must succeed. */
const succeeds =
  (changes: Parameters) =>
  async (t: ExecutionContext, rp: RelyingParty): Promise<void> => {
    await rp.authorize(t, changes)
  }

/** A scope whose claims this server does not know. */
const unknownScope = (scope: string, why: string): Omit<Module, 'name'> => ({
  title: `scopes_supported without ${scope} → the suite does not ask`,
  remark: { result: 'skipped', why },
  async check(t, rp) {
    const { body } = await rp.server.get('/.well-known/openid-configuration')
    t.false(body.scopes_supported.includes(scope))
    const request = rp.parameters({ scope: `openid ${scope}` })
    t.is(rp.callback(t, request, await rp.open(request)).error, 'invalid_scope')
  },
})

const noObject = 'Request objects are not offered (`request_parameter_supported: false`).'
const noClaims = 'There are no such claims here, so the scope is not in `scopes_supported`.'

/** An unsigned request object: OpenID Connect Core §6.1. */
const requestObject = (claims: object): string =>
  `${[{ alg: 'none' }, claims].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.')}.`

const refusedObject =
  (parameter: 'request' | 'request_uri', value: string): Module['check'] =>
  async (t, rp) => {
    const request = rp.parameters({ [parameter]: value })
    const { error, code } = rp.callback(t, request, await rp.open(request))
    t.is(error, `${parameter}_not_supported`)
    t.is(code, undefined)
  }

/** The modules of Basic OP about what a request may hold. */
export const basicRequests: readonly Module[] = [
  {
    name: 'oidcc-server',
    title: 'the plain code flow → tokens, an ID token with at_hash, claims',
    async check(t, rp) {
      const { tokens, claims } = await rp.authorize(t)
      const digest = hash('sha256', tokens.access_token, 'buffer').subarray(0, 16)
      t.is(claims.at_hash, digest.toString('base64url'))
      // §5.4: claims of a scope belong to userinfo.
      for (const name of ['name', 'email', 'preferred_username']) t.false(name in claims, name)
    },
  },
  {
    name: 'oidcc-response-type-missing',
    title: 'no response_type → an error and no code',
    async check(t, rp) {
      const request = rp.parameters({ response_type: '' })
      const { error, code } = rp.callback(t, request, await rp.open(request))
      t.is(error, 'invalid_request')
      t.is(code, undefined)
    },
  },
  {
    name: 'oidcc-idtoken-signature',
    title: 'the ID token → RS256 with the kid of a published key',
    check: succeeds({}),
  },
  {
    name: 'oidcc-idtoken-unsigned',
    title: 'no unsigned ID token is announced → the suite does not ask',
    remark: { result: 'skipped', why: '`alg: none` is not offered.' },
    async check(t, rp) {
      const { body } = await rp.server.get('/.well-known/openid-configuration')
      t.deepEqual(body.id_token_signing_alg_values_supported, ['RS256'])
    },
  },
  {
    name: 'oidcc-ensure-request-without-nonce-succeeds-for-code-flow',
    title: 'no nonce → an ID token without one',
    async check(t, rp) {
      const { claims } = await rp.authorize(t, { nonce: '' })
      t.false('nonce' in claims)
    },
  },
  {
    name: 'oidcc-scope-profile',
    title: 'the scope profile → its claims at userinfo',
    remark: {
      result: 'warning',
      why: 'People have a name, a username and a language here; the other claims of `profile` do not exist.',
    },
    async check(t, rp) {
      const { tokens, claims } = await rp.authorize(t, { scope: 'openid profile' })
      const info = await rp.userinfo(t, tokens, String(claims.sub))
      t.like(info, { name: person.name, preferred_username: person.username })
      t.false('email' in info)
    },
  },
  {
    name: 'oidcc-scope-email',
    title: 'the scope email → the address and whether it is verified',
    async check(t, rp) {
      const { tokens, claims } = await rp.authorize(t, { scope: 'openid email' })
      const info = await rp.userinfo(t, tokens, String(claims.sub))
      t.like(info, { email: person.email, email_verified: true })
      t.false('name' in info)
    },
  },
  { name: 'oidcc-scope-address', ...unknownScope('address', noClaims) },
  { name: 'oidcc-scope-phone', ...unknownScope('phone', noClaims) },
  {
    name: 'oidcc-scope-all',
    title: 'all scopes of OpenID Connect → not all are in scopes_supported',
    remark: { result: 'skipped', why: noClaims },
    check: succeeds({ scope: 'openid profile email' }),
  },
  {
    name: 'oidcc-alternate-happy-flow',
    title: 'parameters and scopes in another order → the same',
    async check(t, rp) {
      const request = Object.fromEntries(
        Object.entries(rp.parameters({ scope: 'email profile openid' })).reverse(),
      )
      await rp.complete(t, request, await rp.open(request))
    },
  },
  {
    name: 'oidcc-display-page',
    title: 'display=page → accepted',
    check: succeeds({ display: 'page' }),
  },
  {
    name: 'oidcc-display-popup',
    title: 'display=popup → accepted',
    check: succeeds({ display: 'popup' }),
  },
  {
    name: 'oidcc-ensure-request-with-unknown-parameter-succeeds',
    title: 'an unknown parameter → ignored',
    check: succeeds({ extra: 'foobar' }),
  },
  {
    name: 'oidcc-login-hint',
    title: 'login_hint → accepted',
    check: succeeds({ login_hint: person.email }),
  },
  {
    name: 'oidcc-ui-locales',
    title: 'ui_locales → accepted',
    check: succeeds({ ui_locales: 'se' }),
  },
  {
    name: 'oidcc-claims-locales',
    title: 'claims_locales → accepted',
    check: succeeds({ claims_locales: 'se' }),
  },
  {
    name: 'oidcc-ensure-request-with-acr-values-succeeds',
    title: 'acr_values → an acr that was asked for',
    async check(t, rp) {
      const { body } = await rp.server.get('/.well-known/openid-configuration')
      t.deepEqual(body.acr_values_supported, acrLevels)
      const { claims } = await rp.authorize(t, { acr_values: acrLevels.join(' ') })
      t.true(acrLevels.includes(String(claims.acr)))
    },
  },
  {
    name: 'oidcc-ensure-registered-redirect-uri',
    title: 'a redirect URI with a suffix → a page, and no redirect',
    async check(t, rp) {
      const visited = await rp.open(rp.parameters({ redirect_uri: `${callbackUri}/suffix` }))
      t.is(visited.status, 400)
      t.is(visited.location, '')
      t.false(visited.html.includes('suite.example/'))
    },
  },
  {
    name: 'oidcc-ensure-post-request-succeeds',
    title: 'a request by POST of another site → the same flow',
    async check(t, rp) {
      const request = rp.parameters()
      const start = await rp.browser.open('/oauth/authorize', { form: request, isCrossSite: true })
      await rp.complete(t, request, start)
      const again = rp.parameters()
      const silent = await rp.browser.open('/oauth/authorize', { form: again, isCrossSite: true })
      t.truthy(rp.callback(t, again, silent).code, 'a signed-in person was asked again')
      const none = rp.parameters({ prompt: 'none' })
      const noPage = await rp.browser.open('/oauth/authorize', { form: none, isCrossSite: true })
      t.truthy(rp.callback(t, none, noPage).code, 'prompt=none showed a page')
    },
  },
  {
    name: 'oidcc-request-uri-unsigned-supported-correctly-or-rejected-as-unsupported',
    title: 'request_uri → request_uri_not_supported',
    remark: { result: 'skipped', why: noObject },
    check: refusedObject('request_uri', 'https://suite.example/request.jwt'),
  },
  {
    name: 'oidcc-unsigned-request-object-supported-correctly-or-rejected-as-unsupported',
    title: 'request → request_not_supported',
    remark: { result: 'skipped', why: noObject },
    check: refusedObject('request', requestObject({ scope: 'openid' })),
  },
  {
    name: 'oidcc-ensure-request-object-with-redirect-uri',
    title: 'a request object with another redirect URI → refused at the registered one',
    remark: { result: 'skipped', why: noObject },
    check: refusedObject('request', requestObject({ redirect_uri: 'https://elsewhere.example/' })),
  },
  {
    name: 'oidcc-claims-essential',
    title: 'claims asks for the name → it is at userinfo, not in the ID token',
    async check(t, rp) {
      const wanted = JSON.stringify({ userinfo: { name: { essential: true } } })
      const { tokens, claims } = await rp.authorize(t, { claims: wanted })
      t.false('name' in claims)
      const info = await rp.userinfo(t, tokens, String(claims.sub))
      t.is(info.name, person.name)
    },
  },
  {
    name: 'oidcc-ensure-request-with-valid-pkce-succeeds',
    title: 'S256 → tokens for its verifier',
    async check(t, rp) {
      const verifier = randomBytes(32).toString('base64url')
      const request = rp.parameters({
        code_challenge: hash('sha256', verifier, 'base64url'),
        code_challenge_method: 'S256',
      })
      const { code = '' } = rp.callback(
        t,
        request,
        await finish(rp.browser, await rp.open(request)),
      )
      const { status, body } = await rp.redeem(code, { code_verifier: verifier })
      t.is(status, 200, JSON.stringify(body))
      t.is(claimsOf(body.id_token).nonce, request.nonce)
    },
  },
]
