import test from 'ava'
import { ada } from '../../tools/fixtures.ts'
import {
  addGrace,
  answerOf,
  claimsOf,
  finish,
  grace,
  redirectUri,
  signIn,
  startWebApp,
} from '../support/clients/web-app.ts'
import { FlowBrowser, type PageForm, type Visited } from '../support/http/flow-browser.ts'
import { startServer } from '../support/server/start-server.ts'

const sessionCookie = '__Host-signet_session'
const asksPassword = ({ fields }: PageForm) => 'password' in fields
const asksConsent = ({ buttons }: PageForm) => buttons.some(({ name }) => name === 'decision')

/** Copies of a form that arrive together; the browser keeps the cookie of the last answer. */
function sendTogether(
  browser: FlowBrowser,
  page: Visited,
  which: (form: PageForm) => boolean,
  values: Record<string, string>,
  copies = 4,
): Promise<Visited[]> {
  const form = page.forms.find(which)
  const sent = { form: { ...form?.fields, ...values } }
  return Promise.all(Array.from({ length: copies }, () => browser.visit(form?.action ?? '', sent)))
}

/** A browser that keeps all cookies that it was given, to compare them. */
class CollectingBrowser extends FlowBrowser {
  readonly given: string[] = []
  override async visit(...parameters: Parameters<FlowBrowser['visit']>): Promise<Visited> {
    const visited = await super.visit(...parameters)
    for (const line of visited.headers.getSetCookie()) {
      if (line.startsWith(sessionCookie)) this.given.push(line.split(';')[0] ?? '')
    }
    return visited
  }
}

test('the sign-in form sent four times at once → one session, and the same cookie each time', async (t) => {
  const { app, server } = await startWebApp(t)
  const browser = new CollectingBrowser(server.url)
  const page = await browser.open(app.authorizeUrl())
  const answers = await sendTogether(browser, page, asksPassword, ada)
  for (const { status, location } of answers) {
    t.is(status, 303)
    t.regex(location, /\/consent\?/)
  }
  t.is(browser.given.length, 4)
  t.is(new Set(browser.given).size, 1)
  t.is((await server.db('browser_sessions')).length, 1)
})

test('the sign-in form sent again a moment later → the same session and cookie', async (t) => {
  const { app, server } = await startWebApp(t)
  const browser = new CollectingBrowser(server.url)
  const page = await browser.open(app.authorizeUrl())
  await browser.submit(page, ada, asksPassword)
  server.clock.advance({ seconds: 20 })
  const again = await browser.submit(page, ada, asksPassword)
  t.true(again.forms.some(asksConsent))
  t.is(new Set(browser.given).size, 1)
  t.is((await server.db('browser_sessions')).length, 1)
})

test('a re-authentication sent four times at once → the cookie changes once', async (t) => {
  const { app, server } = await startWebApp(t)
  const browser = new CollectingBrowser(server.url)
  await signIn(browser, app)
  server.clock.advance({ minutes: 5 })
  const page = await browser.open(app.authorizeUrl({ prompt: 'login' }))
  await sendTogether(browser, page, asksPassword, ada)
  t.is(new Set(browser.given).size, 2)
  t.is((await server.db('browser_sessions').first()).version, 1)
})

test('an old sign-in form, sent by another person → their own session, not a wrong password', async (t) => {
  const { app, server, browser } = await startWebApp(t)
  await addGrace(server)
  const page = await browser.open(app.authorizeUrl())
  await browser.submit(page, ada, asksPassword)
  const consent = await browser.submit(page, grace, asksPassword)
  t.regex(consent.html, /grace/)
  const sessions = await server.db('browser_sessions').orderBy('created_at')
  t.is(sessions.length, 2)
  t.is(sessions.filter(({ revoked_at }) => revoked_at === null).length, 1)
})

test('a sign-in form after signing out → a new session', async (t) => {
  const { app, server, browser } = await startWebApp(t)
  const page = await browser.open(app.authorizeUrl())
  await browser.submit(page, ada, asksPassword)
  const out = await browser.open('/oauth/sign-out')
  await browser.submit(out, {}, ({ action }) => action.endsWith('/sign-out'))
  const consent = await browser.submit(page, ada, asksPassword)
  t.true(consent.forms.some(asksConsent), consent.html)
  t.is((await server.db('browser_sessions').whereNull('revoked_at')).length, 1)
})

test('the consent sent four times at once → one code; the others lead to the client', async (t) => {
  const { app, server, browser } = await startWebApp(t)
  const consent = await browser.submit(await browser.open(app.authorizeUrl()), ada, asksPassword)
  const answers = await sendTogether(browser, consent, asksConsent, { decision: 'allow' })
  const codes = answers.filter(({ location }) => location.startsWith(redirectUri))
  t.is(codes.length, 1)
  t.is((await server.db('authorization_codes')).length, 1)
  for (const { location } of answers.filter((one) => !codes.includes(one))) {
    const page = await browser.open(location)
    t.is(page.status, 200)
    t.is(page.location, '')
    t.regex(page.html, /href="https:\/\/web\.example\/"/)
  }
  t.is((await app.redeem(answerOf(codes[0] as Visited).code ?? '')).status, 200)
})

test('a form that the client answers, sent again later → a page that leads on, no second code', async (t) => {
  const { app, browser } = await startWebApp(t)
  const page = await browser.open(app.authorizeUrl())
  const consent = await browser.submit(page, ada, asksPassword)
  const { code } = answerOf(await browser.submit(consent, { decision: 'allow' }, asksConsent))
  t.truthy(code)
  for (const again of [
    await browser.submit(consent, { decision: 'allow' }, asksConsent),
    await browser.submit(page, ada, asksPassword),
    await browser.open(page.url),
    await browser.open(consent.url),
  ]) {
    t.is(again.status, 200)
    t.is(again.location, '')
    t.regex(again.html, /href="https:\/\/web\.example\/"/)
  }
  // A new request of the client passes without a question.
  t.truthy(answerOf(await browser.open(app.authorizeUrl())).code)
})

test('the page of an answered request → begins at initiate_login_uri with the issuer, if there is one', async (t) => {
  const { app, browser, server } = await startWebApp(t, {
    settings: { initiateLoginUri: 'https://web.example/login?tenant=7' },
  })
  const page = await browser.open(app.authorizeUrl())
  await finish(browser, page)
  const again = await browser.open(page.url)
  const issuer = encodeURIComponent(server.app.issuer)
  t.true(again.html.includes(`https://web.example/login?tenant=7&amp;iss=${issuer}`), again.html)
})

test('another person signs in in a second tab → the first tab asks them, and acts for nobody else', async (t) => {
  const { app, server, browser } = await startWebApp(t)
  await addGrace(server)
  const consent = await browser.submit(await browser.open(app.authorizeUrl()), ada, asksPassword)
  t.regex(consent.html, /ada/)
  const secondTab = await browser.open(app.authorizeUrl({ prompt: 'login' }))
  await browser.submit(secondTab, grace, asksPassword)
  const asked = await browser.submit(consent, { decision: 'allow' }, asksConsent)
  t.is(asked.location, '')
  t.regex(asked.html, /grace/)
  t.notRegex(asked.html, /\bada\b/)
  t.is((await server.db('consents')).length, 0)
  const { code = '' } = answerOf(await browser.submit(asked, { decision: 'allow' }, asksConsent))
  const { body } = await app.redeem(code)
  const { id } = await server.db('users').where({ username: grace.username }).first()
  t.is(claimsOf(body.id_token).sub, id)
})

test('a sign-in page that was left open for a day → the client is reached', async (t) => {
  const { app, server, browser } = await startWebApp(t)
  const page = await browser.open(app.authorizeUrl({ prompt: 'login' }))
  server.clock.advance({ days: 1 })
  const answer = answerOf(await finish(browser, page))
  t.is((await app.redeem(answer.code ?? '')).status, 200)
})

test('a sign-in page that was left open for a week → the page again, then the client', async (t) => {
  const { app, server, browser } = await startWebApp(t)
  const page = await browser.open(app.authorizeUrl())
  server.clock.advance({ days: 7 })
  t.truthy(answerOf(await finish(browser, page)).code)
})

test('the instance stops between two pages → another one goes on, and knows what was answered', async (t) => {
  const { app, server, browser } = await startWebApp(t)
  const other = await startServer(t, { beside: server })
  const page = await browser.open(app.authorizeUrl({ prompt: 'login' }))
  browser.url = other.url
  const moved = await browser.open(page.url.replace(server.url, other.url))
  const consent = await browser.submit(moved, ada, asksPassword)
  browser.url = server.url
  const back = await browser.open(consent.url.replace(other.url, server.url))
  const { code = '' } = answerOf(await browser.submit(back, { decision: 'allow' }, asksConsent))
  t.is((await app.redeem(code, {}, other)).status, 200)
  // `prompt=login` was satisfied for this request, and the request was answered.
  browser.url = other.url
  const again = await browser.open(consent.url.replace(server.url, other.url))
  t.false(again.forms.some(asksPassword))
  t.regex(again.html, /href="https:\/\/web\.example\/"/)
})

test('reloading the consent of prompt=login, a minute later → not asked for the password again', async (t) => {
  const { app, server, browser } = await startWebApp(t)
  await signIn(browser, app)
  const settings = { prompt: 'login consent', max_age: '0' }
  const page = await browser.open(app.authorizeUrl(settings))
  const consent = await browser.submit(page, ada, asksPassword)
  server.clock.advance({ minutes: 1 })
  const reloaded = await browser.open(consent.url)
  t.true(reloaded.forms.some(asksConsent))
  t.false(reloaded.forms.some(asksPassword))
  t.truthy(answerOf(await browser.submit(reloaded, { decision: 'allow' }, asksConsent)).code)
})

test('RFC 9068 §2.2.1.1: an access token of a sign-in → acr, auth_time and amr; at a refresh too', async (t) => {
  const { app, server, browser } = await startWebApp(t)
  const { code = '' } = await signIn(browser, app, { scope: 'openid offline_access' })
  const { body } = await app.redeem(code)
  const expected = { acr: 'urn:signet:acr:one', amr: ['pwd'] }
  t.like(claimsOf(body.access_token), expected)
  t.true([claimsOf(body.access_token).aud].flat().includes(server.app.issuer))
  const form = { grant_type: 'refresh_token', refresh_token: body.refresh_token }
  const refreshed = await app.post('/oauth/token', form)
  t.like(claimsOf(refreshed.body.access_token), expected)
})

test('RFC 8707 §2: a sign-in for a resource → a token for it alone, which opens no userinfo', async (t) => {
  const { app, browser } = await startWebApp(t)
  const { code = '' } = await signIn(browser, app, { resource: 'https://orders.example' })
  const { body } = await app.redeem(code)
  t.is(claimsOf(body.access_token).aud, 'https://orders.example')
  t.is((await app.userinfo(body.access_token)).status, 401)
})

test('ASVS 7.2.4: the cookie before a re-authentication → accepted for 30 seconds, then refused', async (t) => {
  const { app, browser, server } = await startWebApp(t)
  await signIn(browser, app)
  const former = browser.cookies.get(sessionCookie) ?? ''
  server.clock.advance({ minutes: 5 })
  await signIn(browser, app, { prompt: 'login' })
  t.not(browser.cookies.get(sessionCookie), former)
  const thief = new FlowBrowser(server.url)
  const silent = async () => {
    thief.cookies.set(sessionCookie, former)
    return answerOf(await thief.visit(app.authorizeUrl({ prompt: 'none' }))).error
  }
  server.clock.advance({ seconds: 20 })
  t.is(await silent(), undefined, 'for requests that were under way')
  server.clock.advance({ seconds: 20 })
  t.is(await silent(), 'login_required')
})
