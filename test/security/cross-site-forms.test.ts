import test from 'ava'
import { ada } from '../../tools/fixtures.ts'
import {
  addGrace,
  answerOf,
  postLogoutRedirectUri,
  signIn,
  startWebApp,
} from '../support/clients/web-app.ts'
import { FlowBrowser, type PageForm } from '../support/http/flow-browser.ts'

const sessionCookie = '__Host-signet_session'
const asksPassword = ({ fields }: PageForm) => 'password' in fields
const asksConsent = ({ buttons }: PageForm) => buttons.some(({ name }) => name === 'decision')

/** Headers by which a form shows where it comes from, and whether it is a page of this server. */
const origins = (own: string): readonly (readonly [boolean, string, Record<string, string>])[] => [
  [false, 'another site', { 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' }],
  [false, 'a sibling domain', { 'sec-fetch-site': 'same-site', origin: own }],
  [false, 'an address typed by hand', { 'sec-fetch-site': 'none', origin: own }],
  [false, 'another site in an old browser', { origin: 'https://evil.example' }],
  [false, 'a sandboxed frame in an old browser', { origin: 'null' }],
  [false, 'a prefix of the origin', { origin: `${own}.evil.example` }],
  [false, 'no header at all', {}],
  [false, 'another site that claims the origin', { 'sec-fetch-site': 'cross-site', origin: own }],
  [true, 'an old browser', { origin: own }],
  [true, 'a page without referrer', { 'sec-fetch-site': 'same-origin', origin: 'null' }],
]

async function send(
  browser: FlowBrowser,
  form: PageForm | undefined,
  values: Record<string, string>,
  headers: Record<string, string>,
): Promise<Response> {
  const cookie = [...browser.cookies].map(([name, value]) => `${name}=${value}`).join('; ')
  return fetch(new URL(form?.action ?? '', browser.url), {
    method: 'POST',
    redirect: 'manual',
    headers: { cookie, ...headers },
    body: new URLSearchParams({ ...form?.fields, ...values }),
  })
}

test('ASVS 3.5.1: the sign-in form of another site → 403, nobody is signed in', async (t) => {
  const { app, browser, server } = await startWebApp(t, { unthrottled: true })
  const page = await browser.open(app.authorizeUrl())
  for (const [isOwn, title, headers] of origins(server.app.issuer)) {
    const response = await send(browser, page.forms.find(asksPassword), ada, headers)
    t.is(response.status, isOwn ? 303 : 403, title)
    t.is(response.headers.getSetCookie().length > 0, isOwn, title)
    t.regex(isOwn ? '<a href=' : await response.text(), /<a [^>]*href=/, title)
  }
})

test('ASVS 3.5.1: the consent of another site → 403, no code and no consent', async (t) => {
  const { app, browser, server } = await startWebApp(t)
  const page = await browser.submit(await browser.open(app.authorizeUrl()), ada, asksPassword)
  for (const [isOwn, title, headers] of origins(server.app.issuer)) {
    if (isOwn) continue
    const allowed = { decision: 'allow' }
    const response = await send(browser, page.forms.find(asksConsent), allowed, headers)
    t.is(response.status, 403, title)
  }
  t.is((await server.db('consents')).length, 0)
  t.is((await server.db('authorization_codes')).length, 0)
})

test('ASVS 10.6.2: the sign-out form of another site → 403, still signed in', async (t) => {
  const { app, browser, server } = await startWebApp(t)
  await signIn(browser, app)
  const page = await browser.open('/oauth/sign-out')
  const form = page.forms.find(({ action }) => action.endsWith('/sign-out'))
  for (const [isOwn, title, headers] of origins(server.app.issuer)) {
    if (!isOwn) t.is((await send(browser, form, {}, headers)).status, 403, title)
  }
  t.truthy(answerOf(await browser.open(app.authorizeUrl({ prompt: 'none' }))).code)
})

test('ASVS 10.6.2: another site sends a sign-out request → the person is asked, the cookie stays', async (t) => {
  const { app, browser, server } = await startWebApp(t)
  await signIn(browser, app)
  const attacker = new FlowBrowser(server.url)
  const mallory = await addGrace(server)
  const { code = '' } = await signIn(attacker, app, {}, mallory)
  const { body: stolen } = await app.redeem(code)
  const back = { post_logout_redirect_uri: postLogoutRedirectUri }
  const requests = [
    {},
    { client_id: app.id, ...back },
    // The attacker's own ID token.
    { id_token_hint: stolen.id_token, ...back },
  ]
  for (const form of requests) {
    await browser.visit('/oauth/sign-out', { form, isCrossSite: true })
    t.deepEqual(browser.lastSetCookies, [], JSON.stringify(Object.keys(form)))
    t.truthy(answerOf(await browser.open(app.authorizeUrl({ prompt: 'none' }))).code)
  }
  const query = new URLSearchParams({ id_token_hint: stolen.id_token, ...back })
  const asked = await browser.open(`/oauth/sign-out?${query}`)
  t.is(asked.location, '')
  t.truthy(answerOf(await browser.open(app.authorizeUrl({ prompt: 'none' }))).code)
})

test('RP-Initiated Logout §2: an ID token of another browser of the person → they are asked', async (t) => {
  const { app, browser, server } = await startWebApp(t)
  await signIn(browser, app)
  const elsewhere = new FlowBrowser(server.url)
  const { code = '' } = await signIn(elsewhere, app)
  const { body } = await app.redeem(code)
  const page = await browser.open(`/oauth/sign-out?id_token_hint=${body.id_token}`)
  t.true(page.forms.length > 0)
  t.truthy(answerOf(await browser.open(app.authorizeUrl({ prompt: 'none' }))).code)
})

test('session fixation: a cookie that an attacker chose → replaced, and it opens nothing', async (t) => {
  const { app, browser, server } = await startWebApp(t)
  const attacker = new FlowBrowser(server.url)
  await signIn(attacker, app, {}, await addGrace(server))
  const planted = attacker.cookies.get(sessionCookie) ?? ''
  for (const value of ['sbs_chosen', '', 'x'.repeat(3000), planted]) {
    browser.cookies.clear()
    browser.cookies.set(sessionCookie, value)
    // The person signs in again, because somebody else is signed in or nobody.
    const answer = await signIn(browser, app, { prompt: 'login' })
    t.truthy(answer.code)
    t.not(browser.cookies.get(sessionCookie), value)
  }
  const silent = await attacker.open(app.authorizeUrl({ prompt: 'none' }))
  t.is(answerOf(silent).error, 'login_required', 'the planted session was replaced')
})

test('RFC 6265bis §4.1.3: the cookie → __Host-, Secure, HttpOnly, Lax, for every path', async (t) => {
  const { app, browser } = await startWebApp(t)
  await browser.submit(await browser.open(app.authorizeUrl()), ada, asksPassword)
  const page = await browser.open(app.authorizeUrl({ prompt: 'login' }))
  const form = page.forms.find(asksPassword)
  const response = await send(browser, form, ada, { 'sec-fetch-site': 'same-origin' })
  const line = response.headers.getSetCookie().find((one) => one.startsWith(sessionCookie)) ?? ''
  t.regex(line, /^__Host-signet_session=sbs_[\w-]+; Path=\/; Secure; HttpOnly; SameSite=Lax$/)
})

test('ASVS 7.2.4: a re-authentication → another cookie; the one before ends after 30 s', async (t) => {
  const { app, browser, server } = await startWebApp(t)
  await signIn(browser, app)
  const before = browser.cookies.get(sessionCookie) ?? ''
  server.clock.advance({ minutes: 2 })
  await signIn(browser, app, { prompt: 'login' })
  t.not(browser.cookies.get(sessionCookie), before)
  const old = new FlowBrowser(server.url)
  const isAccepted = async () => {
    old.cookies.set(sessionCookie, before)
    return answerOf(await old.open(app.authorizeUrl({ prompt: 'none' }))).code !== undefined
  }
  t.true(await isAccepted())
  server.clock.advance({ seconds: 31 })
  t.false(await isAccepted())
  t.truthy(answerOf(await browser.open(app.authorizeUrl({ prompt: 'none' }))).code)
})
