import { hash, randomBytes } from 'node:crypto'
import test from 'ava'
import { ada } from '../../tools/fixtures.ts'
import {
  addWebApp,
  answerOf,
  claimsOf,
  finish,
  redirectUri,
  signIn,
  startWebApp,
} from '../support/clients/web-app.ts'
import { FlowBrowser, type PageForm, type Visited } from '../support/http/flow-browser.ts'

const asksPassword = ({ fields }: PageForm) => 'password' in fields
const asksConsent = ({ buttons }: PageForm) => buttons.some(({ name }) => name === 'decision')

test('open redirect: addresses in the query of a page → nowhere', async (t) => {
  const { app, browser } = await startWebApp(t)
  const evil = 'https://evil.example/'
  const names = ['return_to', 'redirect_uri', 'next', 'url', 'continue', 'request', 'target']
  const query = new URLSearchParams(names.map((name) => [name, evil]))
  const pages = ['/sign-in', '/reauthenticate', '/consent', '/continue', '/sign-out', '/signed-out']
  const check = async (note: string) => {
    for (const page of pages) {
      const visited = await browser.open(`${page}?${query}`)
      t.false(visited.location.startsWith(evil), `${note} ${page}`)
      t.false(visited.headers.get('content-security-policy')?.includes('evil'), `${note} ${page}`)
      for (const { action } of visited.forms) {
        t.true(new URL(action, browser.url).origin === new URL(browser.url).origin, page)
      }
      t.notRegex(visited.html, /(?:href|action)="https:\/\/evil/, `${note} ${page}`)
    }
    for (const path of [
      '//evil.example/sign-in',
      '/\\evil.example/',
      '/sign-in/../..//evil.example',
    ]) {
      const visited = await browser.visit(`${browser.url}${path}`)
      t.false(visited.location.includes('evil.example'), `${note} ${path}`)
    }
  }
  await check('signed out')
  await signIn(browser, app)
  await check('signed in')
  const out = `/oauth/sign-out?${new URLSearchParams({ client_id: app.id, post_logout_redirect_uri: evil })}`
  const page = await browser.open(out)
  const end = await browser.submit(page, {}, ({ action }) => action.endsWith('/sign-out'))
  t.is(end.location, '')
  t.is((await browser.open(out)).location, '')
})

test('RFC 9207 §2: the answer with a code → names this issuer', async (t) => {
  const { app, browser, server } = await startWebApp(t)
  t.is((await signIn(browser, app)).iss, server.app.issuer)
})

test('RFC 9700 §4.5: a code for another client, verifier or address → invalid_grant', async (t) => {
  const { app, browser, server } = await startWebApp(t)
  const other = await addWebApp(server, { id: 'other' })
  await signIn(browser, app)
  const newCode = async (parameters = {}) =>
    answerOf(await browser.open(app.authorizeUrl(parameters))).code ?? ''
  const refused = async (answer: ReturnType<typeof app.redeem>, note: string) => {
    const { status, body } = await answer
    t.is(status, 400, note)
    t.is(body.error, 'invalid_grant', note)
    t.is(body.error_description, 'the authorization code is not valid', note)
  }
  const code = await newCode()
  await refused(other.redeem(code, { code_verifier: app.verifier }), 'another client')
  t.is((await app.redeem(code)).status, 200, 'another client does not spend it')
  const wrong: [string, Record<string, string>][] = [
    ['another verifier', { code_verifier: randomBytes(32).toString('base64url') }],
    ['no verifier', { code_verifier: '' }],
    ['the challenge', { code_verifier: hash('sha256', app.verifier, 'base64url') }],
    ['a short verifier', { code_verifier: 'short' }],
    ['another address', { redirect_uri: `${redirectUri}/` }],
  ]
  for (const [note, parameters] of wrong) {
    const one = await newCode()
    await refused(app.redeem(one, parameters), note)
    await refused(app.redeem(one), `${note} spends it`)
  }
  server.clock.advance({ seconds: -1 })
  const late = await newCode()
  server.clock.advance({ seconds: 61 })
  await refused(app.redeem(late), 'after a minute')
  for (const forged of ['x', `sac_${'A'.repeat(64)}`, `${late}A`, late.slice(0, -1)]) {
    await refused(app.redeem(forged), 'a forged code')
  }
})

test('RFC 9700 §4.8.2: a verifier for a request without a challenge → invalid_grant', async (t) => {
  const { app, browser } = await startWebApp(t, { settings: { requirePkce: false } })
  await signIn(browser, app)
  const plain = { code_challenge: '', code_challenge_method: '' }
  const code = async () => answerOf(await browser.open(app.authorizeUrl(plain))).code ?? ''
  t.is((await app.redeem(await code())).status, 400)
  t.is((await app.redeem(await code(), { code_verifier: '' })).status, 200)
})

/** Every request of a flow: its method, status and target. */
class RecordingBrowser extends FlowBrowser {
  readonly visited: Visited[] = []
  override async visit(...parameters: Parameters<FlowBrowser['visit']>): Promise<Visited> {
    const one = await super.visit(...parameters)
    this.visited.push(one)
    return one
  }
}

test('RFC 9700 §4.12, §4.2.4: a whole flow → 303 alone, and no secret in any address', async (t) => {
  const { app, server } = await startWebApp(t)
  const browser = new RecordingBrowser(server.url)
  const { code = '' } = await signIn(browser, app, { scope: 'openid profile offline_access' })
  const { body } = await app.redeem(code)
  await browser.open(`/oauth/sign-out?id_token_hint=${body.id_token}`)
  const cookies = [...browser.cookies.values()]
  t.true(browser.visited.length >= 5)
  for (const { url, location, status, headers, html } of browser.visited) {
    t.true([200, 303].includes(status), `${url} ${status}`)
    for (const address of [url, location]) {
      for (const secret of [ada.password, 'sbs_', 'srt_', body.access_token, ...cookies]) {
        t.false(decodeURIComponent(address).includes(secret), address)
      }
    }
    t.is(headers.get('cache-control'), 'no-store', url)
    t.is(headers.get('referrer-policy'), 'same-origin', url)
    t.is(headers.get('x-frame-options'), 'DENY', url)
    const policy = headers.get('content-security-policy') ?? ''
    t.regex(policy, /default-src 'none'.*frame-ancestors 'none'/, url)
    t.notRegex(policy, /unsafe-inline|unsafe-eval/, url)
    t.notRegex(html, /<script(?![^>]*src=)|<style|\son\w+="|\sstyle="/, url)
  }
})

test('a redirect URI that is removed meanwhile → gets no code, and neither does an open page', async (t) => {
  const { app, server, browser } = await startWebApp(t)
  const page = await browser.open(app.authorizeUrl())
  const consent = await browser.submit(page, ada, asksPassword)
  await server.services.clients.amend('web', {
    settings: { redirectUris: ['https://web.example/other'] },
  })
  const end = await browser.submit(consent, { decision: 'allow' }, asksConsent)
  t.false(end.location.startsWith('https://web.example'), end.location)
  t.is((await server.db('authorization_codes')).length, 0)
})

test('a consent that is sent by hand → skips no re-authentication', async (t) => {
  const { app, server, browser } = await startWebApp(t)
  const answer = await signIn(browser, app)
  const { body } = await app.redeem(answer.code ?? '')
  const person = String(claimsOf(body.id_token).sub)
  for (const parameters of [{ prompt: 'login' }, { max_age: '0' }, { login_hint: 'grace' }]) {
    const page = await browser.open(app.authorizeUrl(parameters))
    const request = new URL(page.url).searchParams.get('request') ?? ''
    const form = { request, person, decision: 'allow' }
    const end = await browser.open('/consent', { form })
    t.is(end.location, '', JSON.stringify(parameters))
    t.true(end.forms.some(asksPassword), JSON.stringify(parameters))
  }
  t.is((await server.db('authorization_codes')).length, 0)
})

test('sealed texts at the wrong place → no client, no session and no error', async (t) => {
  const { app, browser } = await startWebApp(t)
  const page = await browser.open(app.authorizeUrl())
  const { request = '', attempt = '' } = page.forms.find(asksPassword)?.fields ?? {}
  const middle = request.length >> 1
  const damaged = [
    attempt,
    request.slice(1),
    `${request.slice(0, middle)}A${request.slice(middle + 1)}`,
  ]
  for (const text of [...damaged, `${request}A`, 'x', 'a'.repeat(7000)]) {
    const other = await browser.open(`/sign-in?request=${text}`)
    t.is(other.status, 200)
    t.false(other.html.includes('Web App'), text)
    const sent = await browser.visit('/consent', {
      form: { request: text, person: 'x', decision: 'allow' },
    })
    t.is(sent.status, 303)
    t.regex(sent.location, /\/sign-in$/)
  }
  const wrong = await browser.visit('/sign-in', { form: { ...ada, request, attempt: request } })
  t.is(wrong.status, 422, 'the form is shown again')
  t.deepEqual(browser.lastSetCookies, [])
})

test('a page of a finished flow, opened again → leads on, and gives no second code', async (t) => {
  const { app, browser, server } = await startWebApp(t)
  const start = await browser.open(app.authorizeUrl())
  const pageUrl = start.url
  t.truthy(answerOf(await finish(browser, start)).code)
  const again = await browser.open(pageUrl)
  t.is(again.location, '')
  t.is(again.status, 200)
  t.regex(again.html, /href="https:\/\/web\.example\/"/)
  t.is((await server.db('authorization_codes')).length, 1)
})

test('the address of the page for an owed password, without its browser → worth nothing', async (t) => {
  const { app, server, browser } = await startWebApp(t)
  await server.db('users').where({ username: ada.username }).update({ must_change_password: true })
  const page = await browser.submit(await browser.open(app.authorizeUrl()), ada, asksPassword)
  t.regex(page.url, /\/new-password\?/)
  const thief = new FlowBrowser(server.url)
  const elsewhere = await thief.open(page.url)
  t.notRegex(elsewhere.url, /\/new-password/)
  const form = page.forms.find(({ fields }) => 'new_password' in fields)
  const owed = { ...form?.fields, new_password: 'seven lamps over the harbour' }
  await thief.visit('/new-password', { form: owed })
  t.is(thief.cookies.size, 0)
  const end = await finish(browser, await browser.open('/new-password', { form: owed }))
  t.truthy(answerOf(end).code)
})
