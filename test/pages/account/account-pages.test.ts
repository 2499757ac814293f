import test from 'ava'
import { FlowBrowser } from '../../support/http/flow-browser.ts'
import { goodPassword } from '../../support/people/account-api.ts'
import {
  leadsTo,
  openAccount,
  sendForm,
  textOf,
  waysOn,
} from '../../support/people/account-browser.ts'

/** Every page by its name in `return`, and whether it takes a recent authentication. */
const pages = {
  overview: { path: '/account', isSensitive: false },
  profile: { path: '/account/profile', isSensitive: false },
  email: { path: '/account/email', isSensitive: true },
  password: { path: '/account/password', isSensitive: true },
  apps: { path: '/account/apps', isSensitive: false },
  sessions: { path: '/account/sessions', isSensitive: false },
  'api-keys': { path: '/account/api-keys', isSensitive: false },
  'new-api-key': { path: '/account/api-keys/new', isSensitive: true },
  activity: { path: '/account/activity', isSensitive: false },
  data: { path: '/account/data', isSensitive: false },
  delete: { path: '/account/delete', isSensitive: true },
}

/** Every form and the name of its page. */
const forms = {
  '/account/profile': 'profile',
  '/account/profile/username': 'profile',
  '/account/email': 'email',
  '/account/password': 'password',
  '/account/apps': 'apps',
  '/account/sessions': 'sessions',
  '/account/sessions/others': 'sessions',
  '/account/api-keys': 'api-keys',
  '/account/api-keys/new': 'new-api-key',
  '/account/data': 'data',
  '/account/delete': 'delete',
}

test('a person opens each page → it is theirs, says where they are, and leads on', async (t) => {
  const { server, browser } = await openAccount(t)
  const seen = new Set<string>()
  for (const { path } of Object.values(pages)) {
    const page = await browser.visit(path)
    t.is(page.status, 200, path)
    t.is(page.html.match(/<h1>/g)?.length, 1, path)
    t.is(page.html.match(/aria-current="(page|true)"/g)?.length, 2, `${path}: page and language`)
    t.true(textOf(page).includes('grace'), path)
    t.is(page.headers.get('cache-control'), 'no-store', path)
    t.is(page.headers.get('cross-origin-opener-policy'), 'same-origin', path)
    t.is(page.headers.get('referrer-policy'), 'same-origin', path)
    t.regex(page.headers.get('content-security-policy') ?? '', /form-action 'self';/)
    t.notRegex(page.html, / style="| on\w+="|<script>/)
    t.true(Buffer.byteLength(page.html) < 15 * 1024, path)
    for (const way of waysOn(page)) seen.add(way.replace(/\?.*/, ''))
  }
  for (const way of seen) {
    const { status } = await new FlowBrowser(server.url).visit(way)
    t.true(status < 400 || status === 405, `${way} answers ${status}`)
  }
})

test('the stylesheets of an account page → 10 KB at most each', async (t) => {
  const { browser } = await openAccount(t)
  const page = await browser.visit('/account')
  const sheets = [...page.html.matchAll(/<link rel="stylesheet" href="([^"]+)"/g)]
  t.true(sheets.length >= 2)
  for (const [, href = ''] of sheets) {
    const sheet = await browser.visit(href)
    t.is(sheet.status, 200, href)
    t.regex(sheet.headers.get('content-type') ?? '', /^text\/css/)
    t.true(Buffer.byteLength(sheet.html) <= 10 * 1024, href)
  }
})

test('somebody who has not signed in opens a page → they sign in first, and arrive at it', async (t) => {
  const { server } = await openAccount(t)
  for (const [name, { path }] of Object.entries(pages)) {
    const browser = new FlowBrowser(server.url)
    const refused = await browser.visit(path)
    t.is(refused.status, 303)
    t.is(leadsTo(refused), `/sign-in?return=${name}`)
    const person = { username: 'grace', password: goodPassword }
    const arrived = await browser.submit(await browser.open(path), person)
    t.is(new URL(arrived.url).pathname, path)
    t.is(arrived.status, 200)
  }
})

test('return names no page of the list → one arrives at the account, never elsewhere', async (t) => {
  const { server } = await openAccount(t)
  const names = ['https://evil.example', '//evil.example', '/admin', '__proto__', 'toString', '']
  for (const name of names) {
    const browser = new FlowBrowser(server.url)
    const page = await browser.open(`/sign-in?${new URLSearchParams({ return: name })}`)
    t.false(page.html.includes('evil.example"'))
    const [form] = page.forms.filter(({ method }) => method === 'post')
    const signedIn = await browser.visit('/sign-in', {
      form: { ...form?.fields, return: name, username: 'grace', password: goodPassword },
    })
    t.is(leadsTo(signedIn), '/account')
  }
})

test('a form is sent by somebody who is not signed in → to the sign-in, and nothing changes', async (t) => {
  const { server, userId } = await openAccount(t)
  const before = await server.db('users').where({ id: userId }).first()
  for (const [path, name] of Object.entries(forms)) {
    const sent = await new FlowBrowser(server.url).visit(path, { form: { full_name: 'Mallory' } })
    t.is(sent.status, 303, path)
    t.is(leadsTo(sent), `/sign-in?return=${name}`)
  }
  t.deepEqual(await server.db('users').where({ id: userId }).first(), before)
})

test('ASVS 3.5.1: a form comes from another site → 403, and nothing changes', async (t) => {
  const { server, userId, browser } = await openAccount(t)
  const before = await server.db('users').where({ id: userId }).first()
  const origins: Record<string, string>[] = [
    { 'sec-fetch-site': 'cross-site' },
    { 'sec-fetch-site': 'same-site' },
    { 'sec-fetch-site': 'none' },
    { 'sec-fetch-site': '', origin: 'https://evil.example' },
    { 'sec-fetch-site': '', origin: 'null' },
  ]
  for (const path of [...Object.keys(forms), '/account/confirm']) {
    for (const headers of origins) {
      const sent = await browser.visit(path, { form: { full_name: 'Mallory' }, headers })
      t.is(sent.status, 403, `${path} ${JSON.stringify(headers)}`)
    }
  }
  t.deepEqual(await server.db('users').where({ id: userId }).first(), before)
  t.is((await browser.visit('/account')).status, 200)
})

test('ASVS 7.5.1: the authentication is older than 10 minutes → the password first, then the page', async (t) => {
  const { server, browser } = await openAccount(t)
  server.clock.advance({ minutes: 11 })
  for (const [name, { path, isSensitive }] of Object.entries(pages)) {
    const page = await browser.visit(path)
    t.is(leadsTo(page), isSensitive ? `/account/confirm?page=${name}` : '', path)
  }
  const cookie = browser.cookies.get('__Host-signet_session')
  const asked = await browser.open('/account/password')
  t.is(asked.status, 200)
  const wrong = await browser.submit(asked, { password: 'not the password' })
  t.is(wrong.status, 422)
  t.regex(textOf(wrong), /The password is wrong/)
  t.is(browser.cookies.get('__Host-signet_session'), cookie)
  const arrived = await browser.submit(wrong, { password: goodPassword })
  t.is(new URL(arrived.url).pathname, '/account/password')
  t.not(browser.cookies.get('__Host-signet_session'), cookie, 'ASVS 7.2.4')
  t.is((await browser.visit('/account/delete')).status, 200)
})

test('a form of such a page was open for 21 minutes → the password first, and nothing changes', async (t) => {
  const { server, userId, browser } = await openAccount(t)
  const sensitive = [
    '/account/email',
    '/account/password',
    '/account/api-keys/new',
    '/account/delete',
  ]
  const opened = await Promise.all(sensitive.map((path) => browser.visit(path)))
  server.clock.advance({ minutes: 21 })
  const before = await server.db('users').where({ id: userId }).first()
  for (const page of opened) {
    const { pathname } = new URL(page.url)
    const form = page.forms.find(({ action }) => action === pathname)
    const values = {
      email: 'new@people.example',
      password: goodPassword,
      new_password: 'nine owls under the viaduct',
      confirm: 'grace',
      name: 'key',
    }
    const sent = await browser.visit(pathname, { form: { ...form?.fields, ...values } })
    t.regex(leadsTo(sent), /^\/account\/confirm\?page=/)
  }
  t.deepEqual(await server.db('users').where({ id: userId }).first(), before)
  t.is((await server.db('api_keys')).length, 0)
})

test('the confirmation names no page of the list → one arrives at the account', async (t) => {
  const { browser } = await openAccount(t)
  for (const page of ['https://evil.example', 'nothing', '__proto__']) {
    const sent = await sendForm(
      browser,
      `/account/confirm?${new URLSearchParams({ page })}`,
      { password: goodPassword, page },
      '/account/confirm',
    )
    t.is(leadsTo(sent), '/account')
  }
})

test('an address below /account where nothing is → a page that leads on', async (t) => {
  const { browser } = await openAccount(t)
  for (const path of ['/account/nothing', '/account/', '/account/profile/']) {
    const page = await browser.visit(path)
    t.is(page.status, 404, path)
    t.regex(page.headers.get('content-type') ?? '', /^text\/html/)
    t.true(waysOn(page).length > 0)
  }
})

test('a person who was disabled → the browser is not signed in', async (t) => {
  const { server, userId, browser } = await openAccount(t)
  await server.services.administration.disable(userId)
  t.is(leadsTo(await browser.visit('/account')), '/sign-in?return=overview')
})

test('the confirmation was open for days → it says so, and the password is asked for again', async (t) => {
  const { server, browser } = await openAccount(t)
  const page = await browser.visit('/account/confirm?page=delete')
  server.clock.advance({ days: 4 })
  const form = page.forms.find(({ action }) => action === '/account/confirm')
  const values = { ...form?.fields, password: goodPassword }
  const late = await browser.visit('/account/confirm', { form: values })
  t.is(late.status, 422)
  t.regex(textOf(late), /open for too long/)
  const again = late.forms.find(({ action }) => action === '/account/confirm')
  const sent = await browser.visit('/account/confirm', {
    form: { ...again?.fields, password: goodPassword },
  })
  t.is(leadsTo(sent), '/account/delete')
})
