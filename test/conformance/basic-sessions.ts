import type { ExecutionContext } from 'ava'
import { addWebApp, claimsOf } from '../support/clients/web-app.ts'
import type { Module } from './module.ts'
import { entropyOf, type RelyingParty, settings } from './relying-party.ts'

/** A page that asks for the password. */
const asksPassword = (html: string): boolean => /type="password"/.test(html)

/** A request that may show no page: the claims of its ID token. */
async function silently(t: ExecutionContext, rp: RelyingParty, changes: Record<string, string>) {
  const request = rp.parameters(changes)
  const visited = await rp.open(request)
  t.truthy(rp.callback(t, request, visited).code, visited.html)
  return (await rp.complete(t, request, visited)).claims
}

/** The modules of Basic OP about who is signed in, and about tokens. */
export const basicSessions: readonly Module[] = [
  {
    name: 'oidcc-prompt-login',
    title: 'prompt=login → asked again, with a later auth_time',
    async check(t, rp) {
      const before = await rp.authorize(t)
      rp.server.clock.advance({ seconds: 2 })
      const request = rp.parameters({ prompt: 'login' })
      const page = await rp.open(request)
      t.true(asksPassword(page.html))
      const { claims } = await rp.complete(t, request, page)
      t.true(Number(claims.auth_time) > Number(before.claims.auth_time))
    },
  },
  {
    name: 'oidcc-prompt-none-not-logged-in',
    title: 'prompt=none without a session → login_required',
    async check(t, rp) {
      const request = rp.parameters({ prompt: 'none' })
      const { error, code } = rp.callback(t, request, await rp.open(request))
      t.is(error, 'login_required')
      t.is(code, undefined)
    },
  },
  {
    name: 'oidcc-prompt-none-logged-in',
    title: 'prompt=none with a session → silent, the same sub and auth_time',
    async check(t, rp) {
      const { sub, auth_time } = (await rp.authorize(t)).claims
      rp.server.clock.advance({ seconds: 2 })
      t.like(await silently(t, rp, { prompt: 'none' }), { sub, auth_time })
    },
  },
  {
    name: 'oidcc-max-age-1',
    title: 'max_age=1 after two seconds → asked again, with a later auth_time',
    async check(t, rp) {
      const before = await rp.authorize(t)
      rp.server.clock.advance({ seconds: 2 })
      const request = rp.parameters({ max_age: '1' })
      const page = await rp.open(request)
      t.true(asksPassword(page.html))
      const { claims } = await rp.complete(t, request, page)
      t.true(Number(claims.auth_time) > Number(before.claims.auth_time))
    },
  },
  {
    name: 'oidcc-max-age-10000',
    title: 'max_age=10000 → silent, the same auth_time',
    async check(t, rp) {
      const { claims } = await rp.authorize(t, { max_age: '15000' })
      rp.server.clock.advance({ seconds: 2 })
      const { sub, auth_time } = claims
      t.like(await silently(t, rp, { max_age: '10000' }), { sub, auth_time })
    },
  },
  {
    name: 'oidcc-id-token-hint',
    title: 'prompt=none with the ID token of this person → silent',
    async check(t, rp) {
      const { tokens, claims } = await rp.authorize(t)
      const { sub, auth_time } = claims
      const hint = { prompt: 'none', id_token_hint: tokens.id_token }
      t.like(await silently(t, rp, hint), { sub, auth_time })
    },
  },
  {
    name: 'oidcc-userinfo-get',
    title: 'GET with the token in the header → claims',
    async check(t, rp) {
      await rp.authorize(t)
    },
  },
  {
    name: 'oidcc-userinfo-post-header',
    title: 'POST with the token in the header → claims',
    async check(t, rp) {
      const { tokens, claims } = await rp.authorize(t)
      const headers = { authorization: `Bearer ${tokens.access_token}` }
      await rp.userinfo(t, tokens, String(claims.sub), { method: 'POST', headers })
    },
  },
  {
    name: 'oidcc-userinfo-post-body',
    title: 'POST with the token in the form → claims',
    async check(t, rp) {
      const { tokens, claims } = await rp.authorize(t)
      const body = new URLSearchParams({ access_token: tokens.access_token })
      await rp.userinfo(t, tokens, String(claims.sub), { method: 'POST', body, headers: {} })
    },
  },
  {
    name: 'oidcc-codereuse',
    title: 'a code twice at once → invalid_grant',
    async check(t, rp) {
      const { code } = await rp.authorize(t)
      const { status, body } = await rp.redeem(code)
      t.is(status, 400)
      t.is(body.error, 'invalid_grant')
    },
  },
  {
    name: 'oidcc-codereuse-30seconds',
    title: 'a code again after 30 s → invalid_grant, and its token opens nothing',
    async check(t, rp) {
      const { code, tokens } = await rp.authorize(t)
      rp.server.clock.advance({ seconds: 30 })
      const { status, body } = await rp.redeem(code)
      t.is(status, 400)
      t.is(body.error, 'invalid_grant')
      t.is((await rp.first.userinfo(tokens.access_token)).status, 401)
    },
  },
  {
    name: 'oidcc-server-client-secret-post',
    title: 'client_secret_post → tokens',
    async check(t, rp) {
      const authenticationMethod = 'client_secret_post'
      const post = await addWebApp(rp.server, { ...settings, id: 'post', authenticationMethod })
      await rp.authorize(t, {}, post)
    },
  },
  {
    name: 'oidcc-refresh-token',
    title: 'a refresh → new tokens with the same claims, and nothing for another client',
    async check(t, rp) {
      const { body: metadata } = await rp.server.get('/.well-known/openid-configuration')
      t.true(metadata.grant_types_supported.includes('refresh_token'))
      const { tokens, claims } = await rp.authorize(t, { scope: 'openid offline_access' })
      const { refresh_token = '' } = tokens
      t.regex(refresh_token, /^[\x20-\x7e]+$/)
      t.true(entropyOf(refresh_token) >= 96)
      const grant = { grant_type: 'refresh_token', refresh_token }
      const stolen = await rp.second.post('/oauth/token', grant)
      t.is(stolen.status, 400)
      t.is(stolen.body.error, 'invalid_grant')
      rp.server.clock.advance({ seconds: 2 })
      const { status, headers, body } = await rp.first.post('/oauth/token', grant)
      t.is(status, 200, JSON.stringify(body))
      t.is(headers.get('cache-control'), 'no-store')
      t.not(body.access_token, tokens.access_token)
      // OpenID Connect Core §12.2.
      const again = claimsOf(body.id_token)
      for (const name of ['iss', 'sub', 'aud', 'azp', 'auth_time', 'acr', 'sid']) {
        t.deepEqual(again[name], claims[name], name)
      }
      t.true(Number(again.iat) > Number(claims.iat))
      await rp.userinfo(t, body, String(claims.sub))
    },
  },
]
