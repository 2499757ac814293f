import test, { type ExecutionContext } from 'ava'
import { FlowBrowser, visibleText } from '../support/http/flow-browser.ts'
import { startMailedServer } from '../support/mail/mailed-server.ts'
import { addPerson, goodPassword } from '../support/people/account-api.ts'
import { startServer } from '../support/server/start-server.ts'

const email = 'grace@people.example'
const filled = { email, full_name: 'Grace', password: goodPassword }

async function registered(t: ExecutionContext<unknown>) {
  const mailed = await startMailedServer(t)
  const browser = new FlowBrowser(mailed.server.url)
  const form = await browser.open('/register')
  const waiting = await browser.submit(form, filled)
  return { ...mailed, browser, form, waiting }
}

const codeOf = (text: string | undefined) => /\b([0-9A-Z]{4}-[0-9A-Z]{4})\b/.exec(text ?? '')?.[1]

test('a person registers and types the code of the mail → signed in, with a verified address', async (t) => {
  const { server, browser, waiting, link, mailbox } = await registered(t)
  t.is(waiting.status, 200)
  t.true(visibleText(waiting.html).includes(email))
  t.false(waiting.url.includes('people.example'), 'no address in a URL')
  await link(email)
  const code = codeOf(mailbox.mails[0]?.text)
  t.truthy(code)
  const wrong = await browser.submit(waiting, { code: 'AAAA-AAAA' })
  t.is(wrong.status, 422)
  t.regex(wrong.html, /id="code-error"/)
  const typed = (code ?? '').toLowerCase().replace('-', ' ')
  const done = await browser.submit(wrong, { code: typed })
  t.is(new URL(done.url).pathname, '/account')
  const person = await server.db('users').where({ email }).first()
  t.truthy(person.email_verified_at)
  t.is(person.locale, 'en')
  t.true(browser.cookies.has('__Host-signet_session'))
})

test('the form with the code is sent twice → one session, and both arrive', async (t) => {
  const { server, browser, waiting, link, mailbox } = await registered(t)
  await link(email)
  const code = codeOf(mailbox.mails[0]?.text) ?? ''
  const other = new FlowBrowser(server.url)
  const first = await browser.submit(waiting, { code })
  const second = await other.submit(waiting, { code })
  t.is(new URL(first.url).pathname, '/account')
  t.is(new URL(second.url).pathname, '/account')
  t.is((await server.db('browser_sessions').select()).length, 1)
})

test('the code was entered in another tab → the page that waits leads on', async (t) => {
  const { browser, waiting, link, mailbox } = await registered(t)
  await link(email)
  await browser.submit(waiting, { code: codeOf(mailbox.mails[0]?.text) ?? '' })
  t.is(new URL((await browser.open(waiting.url)).url).pathname, '/account')
  const late = await browser.submit(waiting, { code: 'AAAA-AAAA', attempt: '' })
  t.is(new URL(late.url).pathname, '/account')
})

test('ASVS 6.3.8: an address is taken → the same answer, and a code that never matches', async (t) => {
  const { server, quiet, to } = await startMailedServer(t)
  await addPerson(server, 'grace')
  const browser = new FlowBrowser(server.url)
  const free = new FlowBrowser(server.url)
  const taken = await browser.submit(await browser.open('/register'), filled)
  const other = await free.submit(await free.open('/register'), {
    ...filled,
    email: 'grady@people.example',
  })
  t.is(taken.status, other.status)
  t.is(taken.url.length, other.url.length + 0)
  const without = (html: string) =>
    visibleText(html).replaceAll(/gra[a-z]+@people\.example/g, 'somebody')
  t.is(without(taken.html), without(other.html))
  await quiet()
  t.regex(to(email)[0]?.subject ?? '', /already have an account/)
})

test('the form is sent twice → one registration, and no mail about an attempt', async (t) => {
  const { server, browser, form, to, quiet } = await registered(t)
  const again = await browser.submit(form, filled)
  t.is(new URL(again.url).pathname, '/verify-email')
  await quiet()
  t.is((await server.db('users').where({ email })).length, 1)
  t.deepEqual(
    to(email).map(({ subject }) => /already/.test(subject ?? '')),
    [false],
  )
  const other = await browser.submit(form, { ...filled, email: 'other@people.example' })
  t.is(new URL(other.url).pathname, '/verify-email')
  await quiet()
  t.regex(to('other@people.example')[0]?.subject ?? '', /Confirm/)
})

test('ASVS 6.1.1: codes are guessed → 429 with a page that leads on; the link still works', async (t) => {
  const { server, browser, waiting, link } = await registered(t)
  const token = await link(email)
  let last = waiting
  for (let tries = 0; tries < 12 && last.status !== 429; tries += 1) {
    last = await browser.submit(waiting, { code: `AAAA-AAA${tries % 10}` })
  }
  t.is(last.status, 429)
  t.regex(visibleText(last.html), /too many attempts/)
  t.regex(last.html, /class="button" href="/)
  const page = await browser.open(`/verify-email?token=${token}`)
  const done = await browser.submit(page, { password: goodPassword })
  t.regex(visibleText(done.html), /Your email address is confirmed/)
  t.truthy((await server.db('users').where({ email }).first()).email_verified_at)
})

test('wrong, missing and huge values → the form again, with an error at each field', async (t) => {
  const server = await startServer(t)
  const browser = new FlowBrowser(server.url)
  const form = await browser.open('/register')
  const wrongs = {
    email: { ...filled, email: 'nobody' },
    password: { ...filled, password: 'password' },
    full_name: { ...filled, full_name: 'x'.repeat(300) },
  }
  for (const [name, values] of Object.entries(wrongs)) {
    const again = await browser.submit(form, values)
    t.is(again.status, 422, name)
    t.true(again.html.includes(`id="${name}-error"`), name)
    t.true(again.html.includes(`href="#${name}"`), name)
    t.false(again.html.includes(`value="${values.password}"`), 'no password is sent back')
  }
  const missing = await browser.visit('/register', { form: {} })
  t.is(missing.status, 422)
  const huge = await browser.visit('/register', { form: { email: 'x'.repeat(20_000) } })
  t.is(huge.status, 413)
  const foreign = await browser.visit('/register', { form: filled, isCrossSite: true })
  t.is(foreign.status, 403)
})

test('REGISTRATION=closed → a page that says so, and nobody is added', async (t) => {
  const server = await startServer(t, { environment: { REGISTRATION: 'closed' } })
  const browser = new FlowBrowser(server.url)
  t.is((await browser.open('/register')).status, 403)
  t.is((await browser.visit('/register', { form: filled })).status, 403)
  t.is(await server.db('users').where({ email }).first(), undefined)
  t.notRegex((await browser.open('/sign-in')).html, /href="\/register/)
})
