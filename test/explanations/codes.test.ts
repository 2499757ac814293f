import { randomBytes } from 'node:crypto'
import test from 'ava'
import { AuthorizationCodeCodec } from '../../src/sessions/browser-session.ts'
import { ada } from '../../tools/fixtures.ts'
import { redirectUri, signIn, startWebApp } from '../support/clients/web-app.ts'
import { areExplained, explainerOf } from './explainer.ts'

test('an authorization code with one defect → the condition that does not hold', async (t) => {
  const { server, app, browser } = await startWebApp(t)
  const explain = explainerOf(server)
  const code = async () => (await signIn(browser, app)).code ?? ''
  const good = await code()
  const redirect = (uri: string) => ({ redirectUri: uri })
  const elsewhere = new AuthorizationCodeCodec(randomBytes(32))
  await areExplained(t, explain, [
    [
      'a good one',
      good,
      undefined,
      /S256 of the code_verifier is the code_challenge/,
      { redirectUri, codeVerifier: app.verifier, clientId: app.id },
    ],
    ['cut', good.slice(0, -4), 'form', /cut or changed/],
    [
      'of another installation',
      elsewhere.encode('018f0000-0000-7000-8000-000000000000'),
      'signature',
      /another environment/,
    ],
    ['of another client', good, 'owner', /issued to web, not to "app"/, { clientId: 'app' }],
    [
      'a slash too many',
      good,
      'redirect_uri',
      /at character 29: "\/" instead of the end/,
      redirect(`${redirectUri}/`),
    ],
    [
      'http instead of https',
      good,
      'redirect_uri',
      /at character 5: ":\/\/web.example.*" instead of "s:/,
      redirect(redirectUri.replace('https', 'http')),
    ],
    [
      'another verifier',
      good,
      'pkce',
      /is not the code_challenge/,
      { codeVerifier: 'x'.repeat(43) },
    ],
    ['a short verifier', good, 'pkce', /\(3 characters\)/, { codeVerifier: 'abc' }],
  ])
  t.is((await app.redeem(good)).status, 200, 'explaining has not spent it')
  await areExplained(t, explain, [
    ['redeemed', good, 'code', /redeemed by web, and began .*Presenting it again ends/],
  ])
  await app.redeem(good)
  await areExplained(t, explain, [
    ['presented twice', good, 'code', /presented again \(audit event \d+ session\.reused/],
  ])
  const refused = await code()
  await app.redeem(refused, { redirect_uri: `${redirectUri}/` })
  await areExplained(t, explain, [['refused before', refused, 'code', /presented once/]])
  const late = await code()
  server.clock.advance({ minutes: 2 })
  await areExplained(t, explain, [['late', late, 'time', /lives for a minute/]])
})

test('a code whose person, client, browser or consent has changed → what has changed', async (t) => {
  const { server, app, browser } = await startWebApp(t)
  const explain = explainerOf(server)
  const { code = '' } = await signIn(browser, app)
  const row = await server.db('authorization_codes').first()
  const now = server.clock.now()
  const changes = [
    ['consents', { user_id: row.user_id }, { scopes: ['openid'] }, 'consent', /withdrawn/],
    [
      'browser_sessions',
      { id: row.browser_session_id },
      { revoked_at: now, revoked_reason: 'signed_out' },
      'browser',
      /the person signed out/,
    ],
    ['clients', { id: app.id }, { disabled_at: now }, 'client', /web was disabled/],
    ['users', { id: row.user_id }, { password_changed_at: now }, 'password', /changed since/],
    ['users', { id: row.user_id }, { disabled_at: now }, 'person', /was disabled/],
  ] as const
  for (const [table, where, change, failed, says] of changes) {
    await server.db(table).where(where).update(change)
    await areExplained(t, explain, [[`${failed} changed`, code, failed, says]])
  }
})

test('the cookie of a browser → its session, and how it ended', async (t) => {
  const { server, app, browser } = await startWebApp(t)
  const explain = explainerOf(server)
  await signIn(browser, app)
  const row = await server.db('browser_sessions').first()
  const cookie = browser.cookies.get('__Host-signet_session') ?? ''
  const person = await server.services.users.findAny(ada.username)
  await areExplained(t, explain, [
    ['a good one', cookie, undefined, /the newest cookie/],
    ['its id', row.id, undefined, /it has not ended/],
    ['its person', person?.id ?? '', undefined, /is enabled/],
  ])
  await server.db('browser_sessions').update({ version: row.version + 5 })
  await areExplained(t, explain, [['an old cookie', cookie, 'version', /signed in again/]])
  await server.db('browser_sessions').update({ idle_expires_at: new Date(0) })
  await areExplained(t, explain, [['unused', cookie, 'time', /expired/]])
  await server
    .db('browser_sessions')
    .update({ revoked_at: server.clock.now(), revoked_reason: 'signed_out' })
  await areExplained(t, explain, [
    ['signed out', cookie, 'end', /the person signed out/],
    ['signed out, by its id', row.id, 'end', /the person signed out/],
  ])
  await server.db('browser_sessions').delete()
  await areExplained(t, explain, [['gone', cookie, 'session', /kept for a day/]])
})

test('the request in the URL of a page → sealed here, and whether it is still accepted', async (t) => {
  const { server, app, browser } = await startWebApp(t)
  const explain = explainerOf(server)
  const page = await browser.open(app.authorizeUrl())
  const sealed = new URL(page.url).searchParams.get('request') ?? ''
  await areExplained(t, explain, [
    ['a good one', sealed, undefined, /on its way through the pages/],
    ['changed', `${sealed.slice(0, -4)}AAAA`, 'seal', /another environment/],
  ])
  server.clock.advance({ days: 31 })
  await areExplained(t, explain, [['old', sealed, 'request', /older than 30 days/]])
  await server.services.clients.disable(app.id)
  await areExplained(t, explain, [['of a disabled client', sealed, 'client', /was disabled/]])
})
