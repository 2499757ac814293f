import test, { type ExecutionContext } from 'ava'
import { formsOf, waysOn } from '../support/http/flow-browser.ts'
import { fromElsewhere, startMailedServer } from '../support/mail/mailed-server.ts'
import {
  accountApi,
  addPerson,
  enter,
  goodPassword,
  otherPassword,
} from '../support/people/account-api.ts'
import { eventsOf, signedInBrowser } from '../support/people/account-browser.ts'
import type { ServerOptions, TestServer } from '../support/server/start-server.ts'

const email = 'grace@people.example'

const login = (
  server: TestServer,
  password = goodPassword,
  more: { headers?: Record<string, string>; device_token?: string } = {},
) => {
  const { headers = fromElsewhere(), device_token } = more
  return accountApi(server).post('login', { username: 'grace', password, device_token }, headers)
}

/** A stranger has signed in with the password of a person, who got the mail about it. */
async function intruded(t: ExecutionContext<unknown>, options: ServerOptions = {}) {
  const mailed = await startMailedServer(t, options)
  const { server, link } = mailed
  const { id } = await addPerson(server, 'grace')
  const browser = await signedInBrowser(server, 'grace')
  const stranger = await login(server)
  t.is(stranger.status, 200, stranger.text)
  return { ...mailed, id, browser, stranger: stranger.body, token: await link(email) }
}

const open = (server: TestServer, token: string) => server.get(`/secure-account?token=${token}`)

const send = (server: TestServer, token: string, site = 'same-origin') =>
  server.request('/secure-account', {
    method: 'POST',
    body: new URLSearchParams({ token }),
    headers: { 'sec-fetch-site': site, origin: 'null' },
    redirect: 'manual',
  })

/** The state that an opened link must leave alone. */
const stateOf = async ({ db }: TestServer) => ({
  users: await db('users'),
  sessions: await db('refresh_families'),
  browsers: await db('browser_sessions').select('id', 'revoked_at'),
  links: await db('one_time_tokens'),
  mails: await db('outgoing_mail').select('id'),
  events: await db('audit_events').select('id'),
})

test('the link is opened → a page that says what will happen, and nothing has changed', async (t) => {
  const { server, token, mailbox } = await intruded(t)
  t.is(mailbox.mails[0]?.link, `${server.app.issuer}/secure-account?token=${token}`)
  const before = await stateOf(server)
  for (let look = 0; look < 2; look += 1) {
    const page = await open(server, token)
    t.is(page.status, 200)
    t.deepEqual(formsOf(page.text)[0]?.fields, { token })
    t.regex(page.text, /Every device and app is signed out\./)
    t.is(page.headers.get('referrer-policy'), 'same-origin')
    t.regex(page.headers.get('cache-control') ?? '', /no-store/)
    t.is(page.headers.get('set-cookie'), null)
  }
  t.deepEqual(await stateOf(server), before)
})

test('the form is sent → everybody is out, the password is dead, and a mail leads to a new one', async (t) => {
  const { server, id, browser, stranger, token, link } = await intruded(t)
  const mine = await enter(server, 'grace')
  const key = await mine.post('api-keys', { name: 'x', scope: 'account', password: goodPassword })
  t.is(key.status, 201, key.text)

  const done = await send(server, token)
  t.deepEqual([done.status, done.headers.get('location')], [303, '/secure-account?done='])
  t.is(done.headers.get('set-cookie'), null, 'the link signs nobody in')
  t.regex((await server.get('/secure-account?done=')).text, /Your account is secured/)

  const refreshed = await accountApi(server).post('refresh', {
    refresh_token: stranger.refresh_token,
  })
  t.is(refreshed.status, 401)
  t.is((await accountApi(server, stranger.access_token).get('me')).status, 401)
  t.regex((await browser.visit('/account')).location, /\/sign-in/)
  t.deepEqual(await server.db('api_keys'), [])
  t.is((await server.db('revocations')).length, 3, 'two sessions and a key')
  t.is((await login(server)).status, 401, 'with the device that was known, too')
  t.is((await login(server, goodPassword, stranger)).status, 401)
  t.true((await eventsOf(server, id)).includes('user.sign_in_disowned'))
  const { detail } = await server
    .db('audit_events')
    .where({ event: 'user.sign_in_disowned' })
    .first()
  t.deepEqual(detail, { sessions: 2, apiKeys: 1 })

  const reset = await link(email, 3)
  const chosen = await server.request('/reset-password', {
    method: 'POST',
    body: new URLSearchParams({ token: reset, new_password: otherPassword }),
    headers: { 'sec-fetch-site': 'same-origin' },
    redirect: 'manual',
  })
  t.is(chosen.status, 303, chosen.text)
  t.is((await login(server, otherPassword)).status, 200)
  const late = await open(server, token)
  t.regex(late.text, /This link no longer works/)
})

test('the form is sent again, and many times at once → the same page, one mail, one event', async (t) => {
  const { server, id, token } = await intruded(t)
  const answers = await Promise.all(Array.from({ length: 8 }, () => send(server, token)))
  t.deepEqual([...new Set(answers.map(({ status }) => status))], [303])
  t.is((await send(server, token)).headers.get('location'), '/secure-account?done=')
  t.regex((await open(server, token)).text, /Your account is secured/)
  const disowned = (await eventsOf(server, id)).filter((name) => name === 'user.sign_in_disowned')
  t.is(disowned.length, 1)
  t.is((await server.db('outgoing_mail').where({ template: 'reset_password' })).length, 1)
})

test('the stranger changes the password and signs in again → the link of the mail still works', async (t) => {
  const { server, stranger, token, mailbox, quiet } = await intruded(t)
  const theirs = accountApi(server, stranger.access_token)
  const change = { current_password: goodPassword, new_password: otherPassword }
  const changed = await theirs.post('password/change', change)
  t.is(changed.status, 200, changed.text)
  server.clock.advance({ hours: 2 })
  t.is((await login(server, otherPassword)).status, 200)
  await quiet()
  const links = mailbox.mails.filter(({ link }) => link?.includes('secure-account'))
  t.is(links.length, 2)
  t.is(links[1]?.token, token, 'one link, so that a later mail does not replace it')
  t.is((await send(server, token)).status, 303)
  t.is((await login(server, otherPassword)).status, 401)
})

test('a device that was known to the stranger → new again, so that the next sign-in is mailed', async (t) => {
  const { server, id, stranger, token } = await intruded(t)
  t.is((await send(server, token)).status, 303)
  const user = await server.services.users.find(id)
  if (user) await server.services.credentials.set(user, otherPassword)
  server.clock.advance({ hours: 2 })
  t.is((await login(server, otherPassword, stranger)).status, 200)
  t.is((await server.db('outgoing_mail').where({ template: 'new_sign_in' })).length, 2)
})

test('a form of another site → refused, and nothing has changed', async (t) => {
  const { server, token } = await intruded(t)
  const before = await stateOf(server)
  t.is((await send(server, token, 'cross-site')).status, 403)
  t.deepEqual(await stateOf(server), before)
})

const unusable: Record<string, (server: TestServer, id: string) => unknown> = {
  'after a week': ({ clock }) => clock.advance({ days: 7, seconds: 1 }),
  'of a person who was disabled': ({ services }, id) => services.administration.disable(id),
  'of a person who was deleted': ({ services }, id) => services.administration.delete(id),
  'to an address that was replaced': ({ db }, id) =>
    db('users').where({ id }).update({ email: 'new@people.example', email_key: null }),
}

for (const [state, bring] of Object.entries(unusable)) {
  test(`a link ${state} → a page with a way on, and no change`, async (t) => {
    const { server, id, token } = await intruded(t)
    await bring(server, id)
    // A mail that is waiting would be sent, or dropped, while the page is asked for.
    await server.services.mailSender.stop(0)
    const before = await stateOf(server)
    const pages = [await open(server, token), await send(server, token)]
    t.deepEqual(
      pages.map(({ status }) => status),
      [200, 400],
    )
    for (const page of pages) {
      t.regex(page.text, /This link no longer works/)
      const ways = waysOn(page.text)
      t.true(ways.includes('/sign-in') && ways.includes('/forgot-password'))
    }
    t.deepEqual(await stateOf(server), before)
  })
}

test('no token, one that is too long, one for something else → the same page', async (t) => {
  const { server, link } = await intruded(t)
  await accountApi(server).post('password/reset/request', { email })
  const reset = await link(email, 2)
  for (const token of ['', 'x'.repeat(300), 'sot_x', reset]) {
    t.regex((await open(server, token)).text, /This link no longer works/)
    t.is((await send(server, token)).status, 400)
  }
  t.is((await login(server)).status, 200)
})

test('a session that has ended meanwhile → the link still secures the account', async (t) => {
  const { server, stranger, token } = await intruded(t)
  await accountApi(server, stranger.access_token).post('logout', {})
  t.is((await send(server, token)).status, 303)
  t.is((await login(server)).status, 401)
})

test('APP_URL is set → the link still leads here, where the page is', async (t) => {
  const { server, mailbox, token } = await intruded(t, {
    environment: { APP_URL: 'https://app.example/account' },
  })
  t.is(mailbox.mails[0]?.link, `${server.app.issuer}/secure-account?token=${token}`)
  t.is((await open(server, token)).status, 200)
})

test('a person with a language of their own → the page in it', async (t) => {
  const { server, id, token } = await intruded(t)
  await server.db('users').where({ id }).update({ locale: 'ar' })
  t.regex((await open(server, token)).text, /<html lang="ar" dir="rtl">/)
})
