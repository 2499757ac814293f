import { randomUUID } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { text } from 'node:stream/consumers'
import Router from '@koa/router'
import { createRemoteJWKSet, jwtVerify } from 'jose'
import Koa from 'koa'
import * as oidc from 'openid-client'
import { createVerifier } from 'signet/verifier'
import { liveSession } from 'signet/verifier/koa'
import { register } from '../register.js'
import { page } from './page.js'

const { ISSUER: issuer = 'http://127.0.0.1:3000', PORT: port = '4001' } = process.env
const service = process.env.SERVICE ?? 'http://127.0.0.1:4000'
const url = `http://127.0.0.1:${port}`
const redirectUri = `${url}/callback`
const log = (what) => console.log(JSON.stringify(what))

const client = process.env.CLIENT_ID
  ? { client_id: process.env.CLIENT_ID, client_secret: process.env.CLIENT_SECRET }
  : await register('web-app', {
      name: 'Example web app',
      'first-party': true,
      grant: 'authorization_code,refresh_token',
      scope: 'openid profile email read offline_access',
      audience: issuer,
      'redirect-uri': redirectUri,
      'post-logout-redirect-uri': `${url}/`,
      'backchannel-logout-uri': `${url}/backchannel-logout`,
    })

// http is for this machine only: leave `execute` out for an issuer on the Internet.
const provider = await oidc.discovery(
  new URL(issuer),
  client.client_id,
  undefined,
  oidc.ClientSecretBasic(client.client_secret),
  issuer.startsWith('http:') ? { execute: [oidc.allowInsecureRequests] } : {},
)

/**
 * The sessions of this app, by the value of its cookie: in memory here, in a database in your app. A browser
 * has one before the sign-in too, which remembers what it has sent to the issuer.
 */
const sessions = new Map()
const cookieName = 'example_web_app'
const mostSessions = 10_000
const mostSignIns = 20

function begin(ctx, session) {
  if (ctx.state.id) sessions.delete(ctx.state.id)
  // A new value for each sign-in: nobody can give a person a session that they know.
  const id = randomUUID()
  sessions.set(id, session)
  const [oldest] = sessions.keys()
  if (sessions.size > mostSessions) sessions.delete(oldest)
  ctx.state = { id, session }
  // SameSite=Lax also keeps other sites from sending the forms of this app. On the Internet: secure, too.
  ctx.cookies.set(cookieName, id, { httpOnly: true, sameSite: 'lax', overwrite: true })
}

const router = new Router()

router.get('/', (ctx) => {
  const { person, result } = ctx.state.session ?? {}
  ctx.body = page(person, { result, message: ctx.query.message })
})

const styles = await readFile(new URL('../app.css', import.meta.url), 'utf8')
router.get('/app.css', (ctx) => {
  ctx.type = 'css'
  ctx.body = styles
})

router.get('/sign-in', async (ctx) => {
  if (!ctx.state.session) begin(ctx, { signIns: new Map() })
  const { session } = ctx.state
  session.signIns ??= new Map()
  const state = oidc.randomState()
  const codeVerifier = oidc.randomPKCECodeVerifier()
  const nonce = oidc.randomNonce()
  // Each tab has its own.
  session.signIns.set(state, { codeVerifier, nonce })
  const [first] = session.signIns.keys()
  if (session.signIns.size > mostSignIns) session.signIns.delete(first)
  ctx.redirect(
    oidc.buildAuthorizationUrl(provider, {
      redirect_uri: redirectUri,
      scope: 'openid profile email read offline_access',
      code_challenge: await oidc.calculatePKCECodeChallenge(codeVerifier),
      code_challenge_method: 'S256',
      state,
      nonce,
    }).href,
  )
})

router.get('/callback', async (ctx) => {
  const { session } = ctx.state
  const signIn = session?.signIns?.get(ctx.query.state)
  // An answer to a question that this browser has not asked, or that was answered already: begin anew.
  if (!signIn) return ctx.redirect(session?.person ? '/' : '/sign-in')
  session.signIns.delete(ctx.query.state)
  if (ctx.query.error) return ctx.redirect('/?message=not-signed-in')
  const tokens = await oidc.authorizationCodeGrant(provider, new URL(ctx.url, url), {
    pkceCodeVerifier: signIn.codeVerifier,
    expectedState: ctx.query.state,
    expectedNonce: signIn.nonce,
    idTokenExpected: true,
  })
  const { sub, sid } = tokens.claims()
  const person = await oidc.fetchUserInfo(provider, tokens.access_token, sub)
  begin(ctx, { sid, checkedAt: Date.now(), person: { ...person, sid }, tokens })
  log({ type: 'signed-in', sub, sid })
  ctx.redirect('/')
})

router.post('/call', async (ctx) => {
  const { session } = ctx.state
  if (!session?.person) return ctx.redirect('/')
  const answer = await fetch(`${service}/reports`, {
    headers: { authorization: `Bearer ${session.tokens.access_token}` },
  }).catch(() => undefined)
  session.result = answer
    ? `The service answers ${answer.status}: ${await answer.text()}`
    : `The service at ${service} does not answer. Start it: node examples/koa-service/service.js`
  ctx.redirect('/')
})

router.post('/refresh', async (ctx) => {
  const { session } = ctx.state
  if (!session?.person) return ctx.redirect('/')
  try {
    const fresh = await oidc.refreshTokenGrant(provider, session.tokens.refresh_token)
    session.tokens = { ...session.tokens, ...fresh }
    session.result = `A new access token, valid for ${fresh.expires_in} seconds.`
  } catch (error) {
    if (error.error !== 'invalid_grant') throw error
    // The session has ended at the issuer.
    return endSession(ctx)
  }
  ctx.redirect('/')
})

router.post('/sign-out', (ctx) => {
  const { id, session } = ctx.state
  if (!session?.person) return ctx.redirect('/')
  sessions.delete(id)
  ctx.redirect(
    oidc.buildEndSessionUrl(provider, {
      id_token_hint: session.tokens.id_token,
      post_logout_redirect_uri: `${url}/`,
    }).href,
  )
})

function endSession(ctx) {
  sessions.delete(ctx.state.id)
  ctx.cookies.set(cookieName, null)
  ctx.redirect('/?message=signed-out')
}

const keys = createRemoteJWKSet(new URL(provider.serverMetadata().jwks_uri))
const longestToken = 16 * 1024

/** OpenID Connect Back-Channel Logout 1.0 §2.6: the issuer tells that a session has ended. */
router.post('/backchannel-logout', async (ctx) => {
  ctx.set('cache-control', 'no-store')
  if (Number(ctx.get('content-length') || Infinity) > longestToken) return ctx.throw(400)
  const token = new URLSearchParams(await text(ctx.req)).get('logout_token') ?? ''
  const options = { issuer, audience: client.client_id, typ: 'logout+jwt', algorithms: ['RS256'] }
  const { payload } = await jwtVerify(token, keys, options).catch(() => ({}))
  const event = payload?.events?.['http://schemas.openid.net/event/backchannel-logout']
  if (!event || payload.nonce !== undefined || !payload.sid) return ctx.throw(400)
  for (const [id, session] of sessions) if (session.sid === payload.sid) sessions.delete(id)
  log({ type: 'backchannel-logout', sid: payload.sid })
  ctx.status = 200
})

// The list of revocations says the same, without an endpoint. One of the two is enough for an app.
const verifier = createVerifier({ issuer, audience: client.client_id, onEvent: log })
const requireLive = liveSession(verifier, {
  session: (ctx) => (ctx.state.session?.sid ? ctx.state.session : undefined),
  onEnded(state, ctx) {
    log({ type: 'session-ended', state, sid: ctx.state.session.sid })
    endSession(ctx)
    // Not known for sure: whoever is still signed in at the issuer comes back without a page.
    if (state === 'unknown') ctx.redirect('/sign-in')
  },
})

const app = new Koa()
app.use((ctx, next) => {
  const id = ctx.cookies.get(cookieName)
  const session = id && sessions.get(id)
  ctx.state = session ? { id, session } : {}
  ctx.set('cache-control', 'no-store')
  ctx.set('content-security-policy', "default-src 'none'; style-src 'self'; frame-ancestors 'none'")
  return next()
})
app.use(requireLive)
app.use(router.routes())
const server = app.listen(port, '127.0.0.1', () => {
  log({ type: 'ready', url, issuer })
  console.log(`Open ${url}/ in a browser.`)
})

for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, () => {
    server.close()
    server.closeAllConnections()
    verifier.close()
  })
}
