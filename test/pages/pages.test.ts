import test, { type ExecutionContext } from 'ava'
import { ada, production } from '../../tools/fixtures.ts'
import { FlowBrowser, visibleText, waysOn } from '../support/http/flow-browser.ts'
import { addPerson, goodPassword, otherPassword } from '../support/people/account-api.ts'
import { emptyFolder, signet } from '../support/server/signet.ts'
import { startServer } from '../support/server/start-server.ts'

const redirectUri = 'https://web.example/callback'
const email = 'grace@people.example'

async function withApp(t: ExecutionContext<unknown>, settings = {}) {
  const server = await startServer(t)
  const person = await addPerson(server, 'grace')
  await server.services.clients.create({
    id: 'web',
    name: 'Web \u202eApp',
    grantTypes: ['authorization_code'],
    scopes: ['openid', 'profile', 'email'],
    audiences: ['https://orders.example'],
    redirectUris: [redirectUri],
    initiateLoginUri: 'https://web.example/login',
    policyUri: 'https://web.example/privacy',
    requirePkce: false,
    ...settings,
  })
  const browser = new FlowBrowser(server.url)
  const authorize = (extra: Record<string, string> = {}) =>
    `/oauth/authorize?${new URLSearchParams({
      client_id: 'web',
      redirect_uri: redirectUri,
      response_type: 'code',
      scope: 'openid',
      ...extra,
    })}`
  const signIn = async (path: string, password = goodPassword) =>
    browser.submit(await browser.open(path), { username: email, password })
  return { server, person, browser, authorize, signIn }
}

const pathOf = ({ url }: { readonly url: string }) => new URL(url).pathname

test('every page → its headers, at most 15 KB, nothing inline, and a way on', async (t) => {
  const { browser, authorize, signIn } = await withApp(t)
  const paths = [
    '/',
    '/sign-in',
    authorize(),
    '/register',
    '/forgot-password',
    '/forgot-password?sent=',
    '/reset-password?token=wrong',
    '/reset-password?done=',
    '/verify-email',
    '/verify-email?token=wrong',
    '/verify-email?sent=',
    '/verify-email?done=',
    '/choose-account',
    '/new-password',
    '/sign-out',
    '/signed-out',
    '/continue',
    '/consent',
    '/oauth/authorize?client_id=nobody',
    authorize({ redirect_uri: 'https://elsewhere.example/' }),
  ]
  for (const isSignedIn of [false, true]) {
    if (isSignedIn) await signIn('/sign-in')
    for (const path of paths) {
      const page = await browser.open(path)
      const ways = waysOn(page.html).filter((way) => !way.includes('/assets/'))
      t.true(ways.length > 0, `${path}: a way on`)
      t.true(Buffer.byteLength(page.html) <= 15 * 1024, `${path}: ${page.html.length}`)
      t.notRegex(page.html, /<script>|\son\w+=|\sstyle=|<style/i, path)
      t.is((page.html.match(/<h1/g) ?? []).length, 1, path)
      if (pathOf(page).startsWith('/account')) continue
      t.is(page.headers.get('cache-control'), 'no-store', path)
      t.is(page.headers.get('referrer-policy'), 'same-origin', path)
      t.is(page.headers.get('cross-origin-opener-policy'), 'unsafe-none', path)
      const policy = page.headers.get('content-security-policy') ?? ''
      t.regex(policy, /^default-src 'none'; script-src 'self'; style-src 'self';/, path)
      t.notRegex(policy, /unsafe/, path)
    }
  }
})

test('an address that is unknown → a page for browsers, JSON for programs', async (t) => {
  const server = await startServer(t)
  const page = await server.request('/nothing', { headers: { accept: 'text/html,*/*;q=0.8' } })
  t.is(page.status, 404)
  t.regex(page.text, /<h1>Page not found<\/h1>/)
  const json = await server.get('/nothing')
  t.deepEqual([json.status, json.body.error], [404, 'not_found'])
})

test('prompt=select_account → the person chooses once, and the request goes on', async (t) => {
  const { browser, authorize, signIn } = await withApp(t, { firstParty: true, consent: 'skip' })
  await signIn('/sign-in')
  const choose = await browser.open(authorize({ prompt: 'select_account' }))
  t.is(pathOf(choose), '/choose-account')
  t.true(visibleText(choose.html).includes(email))
  const done = await browser.submit(choose)
  t.regex(done.location, /^https:\/\/web\.example\/callback\?code=/)
})

test('OIDC Core §3.1.2.1: choosing an account → no proof for prompt=login or max_age', async (t) => {
  const { server, browser, authorize, signIn } = await withApp(t, {
    firstParty: true,
    consent: 'skip',
  })
  await signIn('/sign-in')
  const requests: Record<string, string>[] = [
    { prompt: 'select_account login' },
    { prompt: 'select_account', max_age: '60' },
  ]
  for (const request of requests) {
    server.clock.advance({ minutes: 10 })
    const choose = await browser.open(authorize(request))
    t.is(pathOf(choose), '/choose-account')
    const confirm = await browser.submit(choose)
    t.is(pathOf(confirm), '/reauthenticate')
    const done = await browser.submit(confirm, { username: email, password: goodPassword })
    t.regex(done.location, /^https:\/\/web\.example\/callback\?code=/)
  }
})

test('OIDC Core §3.1.2.1: max_age passes after the account was chosen → the password is asked for', async (t) => {
  const { server, browser, authorize, signIn } = await withApp(t)
  await signIn('/sign-in')
  const choose = await browser.open(authorize({ prompt: 'select_account', max_age: '60' }))
  const consent = await browser.submit(choose)
  t.is(pathOf(consent), '/consent')
  server.clock.advance({ minutes: 10 })
  const confirm = await browser.submit(consent, { decision: 'allow' })
  t.is(pathOf(confirm), '/reauthenticate')
  const allowed = await browser.submit(confirm, { username: email, password: goodPassword })
  const done = await browser.submit(allowed, { decision: 'allow' })
  t.regex(done.location, /^https:\/\/web\.example\/callback\?code=/)
})

test('RFC 9700 §4.12.2: the name of a client → no bidi controls, and the host is shown', async (t) => {
  const { authorize, signIn } = await withApp(t)
  const consent = await signIn(authorize({ scope: 'openid email' }))
  t.is(pathOf(consent), '/consent')
  t.notRegex(consent.html, /\u202e/)
  t.regex(visibleText(consent.html), /You will return to web\.example/)
  t.regex(consent.html, /href="https:\/\/web\.example\/privacy"/)
})

test('a password that must be replaced → a new one, once, and the request goes on', async (t) => {
  const { server, person, browser, authorize, signIn } = await withApp(t, {
    firstParty: true,
    consent: 'skip',
  })
  await server.db('users').where({ id: person.id }).update({ must_change_password: true })
  const owed = await signIn(authorize())
  t.is(pathOf(owed), '/new-password')
  const weak = await browser.submit(owed, { new_password: 'password' })
  t.is(weak.status, 422)
  const done = await browser.submit(weak, { new_password: otherPassword })
  t.regex(done.location, /^https:\/\/web\.example\/callback\?code=/)
  const other = new FlowBrowser(server.url)
  const again = await other.submit(owed, { new_password: otherPassword })
  t.not(again.status, 500)
  t.is((await server.db('browser_sessions').select()).length, 1)
})

test('a page of sign-in with a live session → says who is signed in, and leads on', async (t) => {
  const { browser, authorize, signIn } = await withApp(t)
  const consent = await signIn(authorize())
  const request = new URL(consent.url).searchParams.get('request')
  const back = await browser.open(`/sign-in?request=${request}`)
  t.regex(visibleText(back.html), new RegExp(`You are signed in.*${email}`))
  t.is(pathOf(await browser.submit(back)), '/consent')
  const other = await browser.open(`/sign-in?request=${request}&another=1`)
  t.regex(other.html, /name="password"/)
})

test('another person signs in in a second tab → a form of the first decides nothing for them', async (t) => {
  const { server, browser, authorize, signIn } = await withApp(t)
  const other = async () => browser.submit(await browser.open('/sign-in?another=1'), ada)
  const consent = await signIn(authorize())
  await other()
  const asked = await browser.submit(consent, { decision: 'allow' })
  t.is(pathOf(asked), '/consent')
  t.true(visibleText(asked.html).includes('ada'))
  t.deepEqual(await server.db('consents').select(), [])

  await signIn('/sign-in?another=1')
  const choose = await browser.open(authorize({ prompt: 'select_account' }))
  await other()
  const chosen = await browser.submit(choose)
  t.is(pathOf(chosen), '/choose-account')
  t.true(visibleText(chosen.html).includes('ada'))
})

test('a consent form without a decision, or with another → access_denied, and no consent', async (t) => {
  const { server, browser, authorize, signIn } = await withApp(t)
  await signIn('/sign-in')
  for (const values of [{}, { decision: 'yes' }]) {
    const refused = await browser.submit(await browser.open(authorize()), values)
    t.is(new URL(refused.location).searchParams.get('error'), 'access_denied')
  }
  t.deepEqual(await server.db('consents').select(), [])
})

test('a person stays signed in → a cookie that outlives the window, also after they confirm', async (t) => {
  const { browser } = await withApp(t)
  const cookieAfter = async (path: string, fields: Record<string, string>) => {
    const page = await browser.visit(path)
    const form = page.forms.find(({ fields }) => fields.attempt !== undefined)
    const values = { ...form?.fields, username: email, password: goodPassword, ...fields }
    await browser.visit(form?.action ?? '', { form: values })
    return browser.lastSetCookies.find((cookie) => cookie.startsWith('__Host-signet_session='))
  }
  const ofWindow = /^[^;]+; Path=\/; Secure; HttpOnly; SameSite=Lax$/
  const lasting = /^[^;]+; Path=\/; Max-Age=2592000; Secure; HttpOnly; SameSite=Lax$/
  t.regex((await cookieAfter('/sign-in', {})) ?? '', ofWindow)
  t.regex((await cookieAfter('/sign-in?another=1', { remember: 'on' })) ?? '', lasting)
  t.regex((await cookieAfter('/account/confirm', {})) ?? '', lasting)
})

test('W3C Change Password URL: .well-known/change-password → the page for it', async (t) => {
  const server = await startServer(t)
  const answer = await server.request('/.well-known/change-password', { redirect: 'manual' })
  t.deepEqual([answer.status, answer.headers.get('location')], [303, '/account/password'])
})

test('a new installation → the command on its home page registers an app, and is gone afterwards', async (t) => {
  const server = await startServer(t)
  const home = await server.get('/')
  const [, command = ''] = /<code dir="ltr">npx signet ([^<]+)<\/code>/.exec(home.text) ?? []
  const options = { cwd: await emptyFolder(t), env: production(server.databaseUrl) }
  const ran = await signet(command.split(' '), options)
  t.is(ran.code, 0, ran.stderr)
  t.false((await server.get('/')).text.includes('clients create'))
})
