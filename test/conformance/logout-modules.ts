import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { ExecutionContext } from 'ava'
import { createLocalJWKSet, generateKeyPair, jwtVerify, SignJWT } from 'jose'
import type { Visited } from '../support/http/flow-browser.ts'
import type { Module } from './module.ts'
import { type Parameters, postLogoutUri, type RelyingParty } from './relying-party.ts'

const state = 'z'.repeat(128)

/** Signs in with a long state, as each of these modules does, and asks to sign out. */
async function signOut(
  t: ExecutionContext,
  rp: RelyingParty,
  parametersOf: (idToken: string) => Parameters | Promise<Parameters>,
): Promise<Visited> {
  const { tokens } = await rp.authorize(t, { state })
  const parameters = await parametersOf(tokens.id_token)
  return rp.browser.open(`/oauth/sign-out?${new URLSearchParams(parameters)}`)
}

async function isSignedIn(t: ExecutionContext, rp: RelyingParty): Promise<boolean> {
  const request = rp.parameters({ prompt: 'none' })
  const { error, code } = rp.callback(t, request, await rp.open(request))
  if (code === undefined) t.is(error, 'login_required')
  return code !== undefined
}

/** The request must not lead to the client by itself, and the person stays signed in until they press. */
const asks =
  (parametersOf: (idToken: string) => Parameters | Promise<Parameters>): Module['check'] =>
  async (t, rp) => {
    const page = await signOut(t, rp, parametersOf)
    t.is(page.location, '')
    t.true(page.forms.length > 0, page.html)
    t.true(await isSignedIn(t, rp))
  }

/** The person is signed out, after they have pressed the button if they are asked, and stays here. */
const endsHere =
  (parametersOf: (idToken: string) => Parameters): Module['check'] =>
  async (t, rp) => {
    const page = await signOut(t, rp, parametersOf)
    const end = page.forms.some(({ action }) => action.endsWith('/sign-out'))
      ? await rp.browser.submit(page, {}, ({ action }) => action.endsWith('/sign-out'))
      : page
    t.is(end.status, 200)
    t.is(end.location, '')
    t.false(await isSignedIn(t, rp))
  }

const registered = { post_logout_redirect_uri: postLogoutUri }

function unsigned(idToken: string): string {
  const [, payload] = idToken.split('.')
  return `${Buffer.from('{"alg":"none"}').toString('base64url')}.${payload}.`
}

async function foreign(idToken: string): Promise<string> {
  const { privateKey } = await generateKeyPair('RS256')
  const [header = '', payload = ''] = idToken.split('.')
  const claims = JSON.parse(Buffer.from(payload, 'base64url').toString())
  const { kid } = JSON.parse(Buffer.from(header, 'base64url').toString())
  return new SignJWT(claims).setProtectedHeader({ alg: 'RS256', kid, typ: 'JWT' }).sign(privateKey)
}

export const rpInitiatedLogout: readonly Module[] = [
  {
    name: 'oidcc-rp-initiated-logout-discovery-endpoint-verification',
    title: 'the metadata → end_session_endpoint',
    async check(t, rp) {
      const { body } = await rp.server.get('/.well-known/openid-configuration')
      t.is(body.end_session_endpoint, `${rp.issuer}/oauth/sign-out`)
    },
  },
  {
    name: 'oidcc-rp-initiated-logout',
    title: 'hint, registered address and state → back there with the state, signed out',
    async check(t, rp) {
      const page = await signOut(t, rp, (id_token_hint) => ({
        id_token_hint,
        ...registered,
        state,
      }))
      t.is(page.location, `${postLogoutUri}?state=${state}`)
      t.false(await isSignedIn(t, rp))
    },
  },
  {
    name: 'oidcc-rp-initiated-logout-no-state',
    title: 'no state → none comes back',
    async check(t, rp) {
      const page = await signOut(t, rp, (id_token_hint) => ({ id_token_hint, ...registered }))
      t.is(page.location, postLogoutUri)
      t.false(await isSignedIn(t, rp))
    },
  },
  {
    name: 'oidcc-rp-initiated-logout-bad-post-logout-redirect-uri',
    title: 'an address that is not registered → the person is asked, and not redirected',
    check: asks((id_token_hint) => ({
      id_token_hint,
      post_logout_redirect_uri: `${postLogoutUri}/other`,
      state,
    })),
  },
  {
    name: 'oidcc-rp-initiated-logout-query-added-to-post-logout-redirect-uri',
    title: 'the registered address with a query → the person is asked, and not redirected',
    check: asks((id_token_hint) => ({
      id_token_hint,
      post_logout_redirect_uri: `${postLogoutUri}?foo=bar`,
      state,
    })),
  },
  {
    name: 'oidcc-rp-initiated-logout-modified-id-token-hint',
    title: 'a hint without a signature → the person is asked, and not redirected',
    check: asks((hint) => ({ id_token_hint: unsigned(hint), ...registered, state })),
  },
  {
    name: 'oidcc-rp-initiated-logout-bad-id-token-hint',
    title: 'a hint that somebody else signed → the person is asked, and not redirected',
    check: asks(async (hint) => ({ id_token_hint: await foreign(hint), ...registered, state })),
  },
  {
    name: 'oidcc-rp-initiated-logout-no-id-token-hint',
    title: 'an address without a hint → the person is asked, and not redirected',
    check: asks(() => ({ ...registered, state })),
  },
  {
    name: 'oidcc-rp-initiated-logout-no-params',
    title: 'no parameters → signed out, on a page',
    check: endsHere(() => ({})),
  },
  {
    name: 'oidcc-rp-initiated-logout-only-state',
    title: 'a state alone → signed out, on a page',
    check: endsHere(() => ({ state })),
  },
  {
    name: 'oidcc-rp-initiated-logout-no-post-logout-redirect-uri',
    title: 'a hint without an address → signed out, on a page',
    check: endsHere((id_token_hint) => ({ id_token_hint, state })),
  },
]

/** The back-channel logout endpoint of a client: keeps the forms that arrive. */
async function startReceiver(t: ExecutionContext) {
  const received: { type: string; body: URLSearchParams }[] = []
  const http = createServer(async (request, response) => {
    let text = ''
    for await (const chunk of request) text += chunk
    received.push({
      type: request.headers['content-type'] ?? '',
      body: new URLSearchParams(text),
    })
    response.writeHead(200, { 'cache-control': 'no-store' }).end()
  })
  http.listen(0, '127.0.0.1')
  await once(http, 'listening')
  t.teardown(() => http.close())
  return { received, uri: `http://127.0.0.1:${(http.address() as AddressInfo).port}/logout` }
}

const logoutEvent = 'http://schemas.openid.net/event/backchannel-logout'

export const backChannelLogout: readonly Module[] = [
  {
    name: 'oidcc-backchannel-rp-initiated-logout-discovery-endpoint-verification',
    title: 'the metadata → back-channel logout with a session',
    async check(t, rp) {
      const { body } = await rp.server.get('/.well-known/openid-configuration')
      t.true(body.backchannel_logout_supported)
      t.true(body.backchannel_logout_session_supported)
    },
  },
  {
    name: 'oidcc-backchannel-rp-initiated-logout',
    title: 'signing out → a logout token at the client, and back there',
    async check(t, rp) {
      const { received, uri } = await startReceiver(t)
      await rp.server.services.clients.amend(rp.first.id, {
        settings: { backchannelLogoutUri: uri },
      })
      const { tokens, claims } = await rp.authorize(t, { state })
      const parameters = { id_token_hint: tokens.id_token, ...registered, state }
      const page = await rp.browser.open(`/oauth/sign-out?${new URLSearchParams(parameters)}`)
      t.is(page.location, `${postLogoutUri}?state=${state}`)
      for (let waits = 0; received.length === 0 && waits < 200; waits++) {
        await new Promise((resolve) => setTimeout(resolve, 50))
      }
      t.is(received.length, 1)
      const [{ type, body } = { type: '', body: new URLSearchParams() }] = received
      t.regex(type, /^application\/x-www-form-urlencoded/)
      t.deepEqual([...body.keys()], ['logout_token'])
      const keys = createLocalJWKSet(await rp.jwks(t))
      const { payload } = await jwtVerify(body.get('logout_token') ?? '', keys, {
        issuer: rp.issuer,
        audience: rp.first.id,
        maxTokenAge: 86_400,
        currentDate: rp.server.clock.now(),
      })
      t.truthy(payload.jti)
      t.deepEqual(payload.events, { [logoutEvent]: {} })
      t.false('nonce' in payload)
      t.is(payload.sub, claims.sub as string)
      t.is(payload.sid, claims.sid)
      t.false(await isSignedIn(t, rp))
    },
  },
]
