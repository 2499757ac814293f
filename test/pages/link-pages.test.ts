import test, { type ExecutionContext } from 'ava'
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
    t.true(page.text.includes(`name="token" value="${token}"`))
    t.regex(page.text, /name="password" type="password" autocomplete="current-password"/)
  }
  const wrong = await post(server, '/verify-email', { token, password: 'not the password' })
  t.is(wrong.status, 422)
  t.regex(wrong.text, /aria-invalid="true" aria-describedby="password-wrong"/)
  t.true(wrong.text.includes(token), 'the form can be sent again')
  t.false(wrong.text.includes('not the password'))
  const missing = await post(server, '/verify-email', { token, password: '' })
  t.is(missing.status, 422)
  const done = await post(server, '/verify-email', { token, password: goodPassword })
  t.deepEqual([done.status, done.headers.get('location')], [303, '/verify-email?done'])
  t.regex((await server.get('/verify-email?done')).text, /Your email address is confirmed/)
  t.is(await signsIn(server, goodPassword), 200)
})

test('a person who did not choose the password sets one with the link of the registration', async (t) => {
  const { server, token } = await registered(t)
  const weak = await post(server, '/verify-email', { token, new_password: 'short' })
  t.is(weak.status, 422)
  t.regex(weak.text, /<details open>/)
  t.regex(weak.text, /id="new_password-wrong">[^<]*8 characters/)
  const done = await post(server, '/verify-email', { token, new_password: otherPassword })
  t.is(done.status, 303)
  t.not(await signsIn(server, goodPassword), 200)
  t.is(await signsIn(server, otherPassword), 200)
})

test('the page sets a new password, and a spent link offers a new one', async (t) => {
  const { server, link } = await startMailedServer(t)
  await addPerson(server, 'grace')
  const asked = await post(server, '/reset-password', { email })
  t.deepEqual([asked.status, asked.headers.get('location')], [303, '/reset-password?sent'])
  t.regex((await server.get('/reset-password?sent')).text, /inbox/)
  const token = await link(email)
  const weak = await post(server, '/reset-password', { token, new_password: 'password' })
  t.is(weak.status, 422)
  t.regex(weak.text, /role="alert" id="new_password-wrong">[^<]+</)
  t.is((await post(server, '/reset-password', { token, new_password: otherPassword })).status, 303)
  t.is(await signsIn(server, otherPassword), 200)
  const spent = await post(server, '/reset-password', { token, new_password: goodPassword })
  t.is(spent.status, 400)
  t.regex(spent.text, /no longer valid/)
  t.regex(spent.text, /name="email" type="email"/)
  t.is(await signsIn(server, otherPassword), 200)
  const odd = await post(server, '/reset-password', { email: 'nobody' })
  t.is(odd.status, 422)
  t.regex(odd.text, /id="email-wrong"/)
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

test('ASVS 3.4.3, 3.4.5, 14.3.2: pages run no scripts, send no Referer and are not cached', async (t) => {
  const server = await startServer(t)
  const evil = '"><script>alert(1)</script>'
  for (const path of ['/verify-email', '/reset-password']) {
    for (const query of ['', '?done', '?sent', `?token=${encodeURIComponent(evil)}`]) {
      const { status, headers, text } = await server.get(path + query)
      t.is(status, 200)
      t.is(headers.get('content-type'), 'text/html; charset=utf-8')
      t.is(headers.get('referrer-policy'), 'no-referrer')
      t.is(headers.get('cache-control'), 'no-store')
      t.regex(
        headers.get('content-security-policy') ?? '',
        /^default-src 'none'; style-src 'self';/,
      )
      t.notRegex(headers.get('content-security-policy') ?? '', /unsafe|script-src/)
      t.notRegex(text, /<script|\son\w+=|\sstyle=|<style/i)
      t.regex(text, /<html lang="en">/)
    }
    const bad = await post(server, path, { token: evil, password: 'x', new_password: 'x' })
    t.true(bad.status < 500, bad.text)
    t.notRegex(bad.text, /<script/)
  }
  const style = await server.get('/pages.css')
  t.is(style.headers.get('content-type'), 'text/css; charset=utf-8')
  t.regex(style.text, /color-scheme: light dark/)
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

test('APP_URL is set → there are no pages here', async (t) => {
  const server = await startServer(t, { environment: { APP_URL: 'https://app.example' } })
  for (const path of ['/verify-email', '/reset-password', '/pages.css']) {
    t.is((await server.get(path)).status, 404)
  }
})
