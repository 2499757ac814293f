import { createHash, randomBytes } from 'node:crypto'
import test, { type ExecutionContext } from 'ava'
import { ada } from '../../tools/fixtures.ts'
import { FlowBrowser } from '../support/http/flow-browser.ts'
import { startServer, type TestServer } from '../support/server/start-server.ts'

const redirectUri = 'https://web.example/callback'

async function webApp(t: ExecutionContext, settings = {}) {
  const server = await startServer(t)
  const { secret } = await server.services.clients.create({
    id: 'web',
    name: 'Web App',
    grantTypes: ['authorization_code', 'refresh_token'],
    scopes: ['openid', 'profile', 'email', 'read', 'offline_access'],
    audiences: ['https://orders.example'],
    redirectUris: [redirectUri],
    postLogoutRedirectUris: ['https://web.example/bye'],
    ...settings,
  })
  return { server, secret: secret ?? '' }
}

const verifier = randomBytes(32).toString('base64url')
const authorizeUrl = (extra: Record<string, string> = {}) =>
  `/oauth/authorize?${new URLSearchParams({
    client_id: 'web',
    redirect_uri: redirectUri,
    response_type: 'code',
    scope: 'openid profile read offline_access',
    state: 's1',
    nonce: 'n1',
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
    ...extra,
  })}`

async function signInAndAllow(browser: FlowBrowser, url = authorizeUrl()) {
  const consent = await browser.submit(await browser.open(url), ada)
  return browser.submit(consent, { decision: 'allow' })
}

const redeem = (server: TestServer, secret: string, code: string) =>
  fetch(`${server.url}/oauth/token`, {
    method: 'POST',
    headers: { authorization: `Basic ${Buffer.from(`web:${secret}`).toString('base64')}` },
    body: new URLSearchParams({
      grant_type: 'authorization_code',
      code,
      redirect_uri: redirectUri,
      code_verifier: verifier,
    }),
  })

test('OIDC Core §3.1: a person who signs in and allows → code, tokens, userinfo, sign-out', async (t) => {
  const { server, secret } = await webApp(t)
  const browser = new FlowBrowser(server.url)
  const allowed = await signInAndAllow(browser)
  t.is(allowed.status, 303, allowed.html)
  const answer = new URL(allowed.location)
  t.is(answer.origin + answer.pathname, redirectUri)
  t.is(answer.searchParams.get('state'), 's1')
  t.is(answer.searchParams.get('iss'), server.app.issuer)
  const response = await redeem(server, secret, answer.searchParams.get('code') ?? '')
  const tokens = await response.json()
  t.is(response.status, 200, JSON.stringify(tokens))
  t.truthy(tokens.refresh_token)
  const idToken = JSON.parse(Buffer.from(tokens.id_token.split('.')[1], 'base64url').toString())
  t.like(idToken, { aud: 'web', nonce: 'n1', acr: 'urn:signet:acr:one', amr: ['pwd'] })
  const info = await fetch(`${server.url}/oauth/userinfo`, {
    headers: { authorization: `Bearer ${tokens.access_token}` },
  })
  t.deepEqual(await info.json(), { preferred_username: 'ada', sub: idToken.sub })
  const again = await redeem(server, secret, answer.searchParams.get('code') ?? '')
  t.is(again.status, 400)
  t.is((await server.introspect(tokens.access_token)).body.active, false)
  const silent = await browser.open(authorizeUrl({ prompt: 'none', state: 's2' }))
  t.regex(silent.location, /^https:\/\/web\.example\/callback\?code=sac_/)
  const out = await browser.open(
    `/oauth/sign-out?${new URLSearchParams({
      id_token_hint: tokens.id_token,
      post_logout_redirect_uri: 'https://web.example/bye',
      state: 's3',
    })}`,
  )
  t.is(out.location, 'https://web.example/bye?state=s3')
  const gone = await browser.open(authorizeUrl({ prompt: 'none' }))
  t.is(new URL(gone.location).searchParams.get('error'), 'login_required')
})
