import test, { type ExecutionContext } from 'ava'
import { formsOf } from '../support/http/flow-browser.ts'
import { startMailedServer } from '../support/mail/mailed-server.ts'
import {
  accountApi,
  addPerson,
  goodPassword,
  otherPassword,
} from '../support/people/account-api.ts'
import { startServer, type TestServer } from '../support/server/start-server.ts'

const email = 'grace@people.example'
const registration = { username: 'grace', email, password: goodPassword, full_name: 'Grace' }

/** Posts the form of a page as a browser without scripts does. */
const post = (
  server: TestServer,
  path: string,
  fields: Record<string, string>,
  site = 'same-origin',
) =>
  server.request(path, {
    method: 'POST',
    body: new URLSearchParams(fields),
    headers: { 'sec-fetch-site': site, origin: 'null' },
    redirect: 'manual',
  })

async function registered(t: ExecutionContext<unknown>) {
  const mailed = await startMailedServer(t)
  const answer = await accountApi(mailed.server).post('register', registration)
  t.is(answer.status, 201, answer.text)
  return { ...mailed, token: await mailed.link(email) }
}

const signsIn = async (server: TestServer, password: string) =>
  (await accountApi(server).post('login', { username: 'grace', password })).status

test('APP_URL is not set → the mail links to a page here, whose form confirms the address', async (t) => {
  const { server, mailbox, token } = await registered(t)
  t.is(mailbox.mails[0]?.link, `${server.app.issuer}/verify-email?token=${token}`)
  for (let look = 0; look < 2; look += 1) {
    const page = await server.get(`/verify-email?token=${token}`)
    t.is(page.status, 200)
    t.is(formsOf(page.text)[0]?.fields.token, token)
    t.regex(page.text, /type="password" autocomplete="current-password"/)
  }
  const wrong = await post(server, '/verify-email', { token, password: 'not the password' })
  t.is(wrong.status, 422)
  t.regex(wrong.text, /aria-invalid="true" aria-describedby="password-error"/)
  t.true(wrong.text.includes(token), 'the form can be sent again')
  t.false(wrong.text.includes('not the password'))
  const missing = await post(server, '/verify-email', { token, password: '' })
  t.is(missing.status, 422)
  const done = await post(server, '/verify-email', { token, password: goodPassword })
  t.deepEqual([done.status, done.headers.get('location')], [303, '/verify-email?done='])
  t.regex((await server.get('/verify-email?done=')).text, /Your email address is confirmed/)
  t.is(await signsIn(server, goodPassword), 200)
})

test('a person who did not choose the password sets one with the link of the registration', async (t) => {
  const { server, token } = await registered(t)
  const weak = await post(server, '/verify-email', { token, new_password: 'short' })
  t.is(weak.status, 422)
  t.regex(weak.text, /<details class="after" open>/)
  t.regex(weak.text, /id="new_password-error">[^<]*8 characters/)
  const done = await post(server, '/verify-email', { token, new_password: otherPassword })
  t.is(done.status, 303)
  t.not(await signsIn(server, goodPassword), 200)
  t.is(await signsIn(server, otherPassword), 200)
})

test('the page sets a new password, and a spent link offers a new one', async (t) => {
  const { server, link } = await startMailedServer(t)
  await addPerson(server, 'grace')
  for (const page of ['/forgot-password', '/reset-password']) {
    const asked = await post(server, page, { email })
    t.deepEqual([asked.status, asked.headers.get('location')], [303, '/forgot-password?sent='])
  }
  t.regex((await server.get('/forgot-password?sent=')).text, /inbox/)
  const token = await link(email, 2)
  const page = await server.get(`/reset-password?token=${token}`)
  t.regex(page.text, /autocomplete="username" value="grace@people.example"/)
  const weak = await post(server, '/reset-password', { token, new_password: 'password' })
  t.is(weak.status, 422)
  t.regex(weak.text, /role="alert"[\s\S]*href="#new_password"/)
  const done = await post(server, '/reset-password', { token, new_password: otherPassword })
  t.is(done.status, 303)
  t.regex(done.headers.get('set-cookie') ?? '', /^__Host-signet_device=sdt_/)
  t.is(await signsIn(server, otherPassword), 200)
  const spent = await post(server, '/reset-password', { token, new_password: goodPassword })
  t.is(spent.status, 400)
  t.regex(spent.text, /no longer works/)
  t.regex(spent.text, /name="email"[^>]* type="email"/)
  t.is(await signsIn(server, otherPassword), 200)
  const odd = await post(server, '/reset-password', { email: 'nobody' })
  t.is(odd.status, 422)
  t.regex(odd.text, /id="email-error"/)
})

test('ASVS 6.3.8: a link for an unknown address → the same answer, and no mail', async (t) => {
  const { server, mailbox, quiet } = await startMailedServer(t)
  for (const page of ['/forgot-password', '/verify-email']) {
    const asked = await post(server, page, { email: 'nobody@people.example' })
    t.is(asked.status, 303)
  }
  await quiet()
  t.is(mailbox.mails.length, 0)
})

test('ASVS 3.5.1: another site sends the form → 403, and nothing changes', async (t) => {
  const { server, token } = await registered(t)
  for (const site of ['cross-site', 'same-site', 'none']) {
    const sent = await post(server, '/verify-email', { token, password: goodPassword }, site)
    t.is(sent.status, 403, site)
  }
  const elsewhere = await server.request('/verify-email', {
    method: 'POST',
    body: new URLSearchParams({ token, password: goodPassword }),
    headers: { origin: 'https://evil.example' },
  })
  t.is(elsewhere.status, 403)
  t.is((await post(server, '/verify-email', { token, password: goodPassword })).status, 303)
})

test('ASVS 3.4.3, 14.3.2: texts of a link → never markup, and pages are not cached', async (t) => {
  const server = await startServer(t)
  const evil = '"><script>alert(1)</script>'
  for (const path of ['/verify-email', '/reset-password', '/forgot-password', '/new-password']) {
    for (const query of ['', '?done=', '?sent=', `?token=${encodeURIComponent(evil)}`]) {
      const { status, headers, text } = await server.get(path + query)
      t.true(status === 200 || status === 303, path + query)
      if (status === 303) continue
      t.is(headers.get('content-type'), 'text/html; charset=utf-8')
      t.is(headers.get('referrer-policy'), 'same-origin')
      t.is(headers.get('cache-control'), 'no-store')
      t.notRegex(headers.get('content-security-policy') ?? '', /unsafe/)
      t.notRegex(text, /<script>|\son\w+=|\sstyle=|<style/i)
    }
    const bad = await post(server, path, { token: evil, password: 'x', new_password: 'x' })
    t.true(bad.status < 500, bad.text)
    t.notRegex(bad.text, /<script>/)
  }
})

test('links are guessed at a page → 429 with a page that says so', async (t) => {
  const server = await startServer(t)
  let last = await post(server, '/reset-password', { token: 'x', new_password: otherPassword })
  for (let tries = 0; tries < 60 && last.status !== 429; tries += 1) {
    last = await post(server, '/reset-password', {
      token: `x${tries}`,
      new_password: otherPassword,
    })
  }
  t.is(last.status, 429)
  t.regex(last.headers.get('retry-after') ?? '', /^\d+$/)
  t.regex(last.text, /too many attempts/)
})

test('APP_URL is set → mails link to the app, and the pages here work as well', async (t) => {
  const { server, mailbox, link } = await startMailedServer(t, {
    environment: { APP_URL: 'https://app.example' },
  })
  await addPerson(server, 'grace')
  t.is((await post(server, '/forgot-password', { email })).status, 303)
  const token = await link(email)
  t.is(mailbox.mails[0]?.link, `https://app.example/reset-password#token=${token}`)
  const done = await post(server, '/reset-password', { token, new_password: otherPassword })
  t.is(done.status, 303)
})
