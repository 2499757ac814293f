import test, { type ExecutionContext } from 'ava'
import { addWebApp, signIn, type WebApp } from '../../support/clients/web-app.ts'
import { FlowBrowser } from '../../support/http/flow-browser.ts'
import { addPerson, goodPassword } from '../../support/people/account-api.ts'
import {
  eventsOf,
  leadsTo,
  openAccount,
  sendForm,
  textOf,
} from '../../support/people/account-browser.ts'
import type { ServerOptions } from '../../support/server/start-server.ts'

const path = '/account/apps'

/** A person who has signed in to an app with this browser, and the tokens of that app. */
async function connected(t: ExecutionContext<unknown>, options: ServerOptions = {}) {
  const opened = await openAccount(t, {}, options)
  const app = await addWebApp(opened.server)
  return { ...opened, app, tokens: await tokensOf(opened.browser, app) }
}

async function tokensOf(browser: FlowBrowser, app: WebApp, username = 'grace') {
  const person = { username, password: goodPassword }
  const scope = 'openid profile read offline_access'
  const { code = '' } = await signIn(browser, app, { scope }, person)
  const { status, body } = await app.redeem(code)
  if (status !== 200) throw new Error(JSON.stringify(body))
  return body
}

const isActive = async (app: WebApp, token: string): Promise<boolean> =>
  (await app.post('/oauth/introspect', { token })).body.active

test('a person has allowed an app → the page names it, what it may do, and when', async (t) => {
  const { browser } = await connected(t)
  const text = textOf(await browser.visit(path))
  t.regex(text, /Web App/)
  t.regex(text, /It can: .*See your name and username/)
  t.regex(text, /Allowed: /)
  t.regex(text, /Last used: /)
})

test('nothing is connected → the page says so', async (t) => {
  const { browser } = await openAccount(t)
  t.regex(textOf(await browser.visit(path)), /No app is connected/)
})

test('ASVS 10.7.3: a person removes an app → consent and sessions are gone, tokens end at once', async (t) => {
  const { server, userId, browser, app, tokens } = await connected(t)
  t.true(await isActive(app, tokens.access_token))
  const sent = await sendForm(browser, path)
  t.is(leadsTo(sent), '/account/apps?done=removed')
  t.false(await isActive(app, tokens.access_token))
  t.false(await isActive(app, tokens.refresh_token))
  const refreshed = await app.post('/oauth/token', {
    grant_type: 'refresh_token',
    refresh_token: tokens.refresh_token,
  })
  t.like(refreshed, { status: 400, body: { error: 'invalid_grant' } })
  t.deepEqual(await server.db('consents'), [])
  const [session] = await server.db('refresh_families').where({ client_id: 'web' })
  t.is(session.revoked_reason, 'consent_withdrawn')
  const events = await server.db('audit_events').where({ event: 'consent.withdrawn' })
  t.like(events, [{ user_id: userId, client_id: 'web', detail: { sessions: 1 } }])
  t.regex(textOf(await browser.open('/account/apps?done=removed')), /no access any more/)
  const again = await browser.open(app.authorizeUrl())
  t.regex(again.url, /\/consent\?/, 'the person is asked anew')
})

test('a code was not redeemed when the app was removed → it begins no session', async (t) => {
  const { browser, app } = await connected(t)
  const { code = '' } = await signIn(browser, app)
  t.not(code, '')
  await sendForm(browser, path)
  t.like(await app.redeem(code), { status: 400, body: { error: 'invalid_grant' } })
})

test('the form is sent twice → one event', async (t) => {
  const { server, userId, browser } = await connected(t)
  const page = await browser.visit(path)
  const form = page.forms.find(({ action }) => action === path)
  const send = () => browser.visit(path, { form: { ...form?.fields } })
  const answers = await Promise.all([send(), send()])
  t.deepEqual(
    answers.map(({ status }) => status),
    [303, 303],
  )
  const events = await eventsOf(server, userId)
  t.is(events.filter((event) => event === 'consent.withdrawn').length, 1)
})

test('an app that there is not → 404', async (t) => {
  const { browser } = await connected(t)
  for (const client of ['nothing', '', 'x'.repeat(2000)]) {
    t.is((await browser.visit(path, { form: { client } })).status, 404)
  }
})

test('one person removes an app → another person keeps it', async (t) => {
  const { server, browser, app } = await connected(t)
  await addPerson(server, 'mary')
  const marys = await tokensOf(new FlowBrowser(server.url), app, 'mary')
  await sendForm(browser, path)
  t.true(await isActive(app, marys.access_token))
  t.is((await server.db('consents')).length, 1)
})

test('a client is deleted, and another gets its id → the consent is not for that one', async (t) => {
  // Redis does not follow the clock of the test.
  const { server, browser, app } = await connected(t, { redis: false })
  await server.services.clients.delete(app.id)
  // Its id is free when its last token has expired.
  server.clock.advance({ minutes: 62 })
  await server.services.janitor.run()
  t.is((await server.db('consents')).length, 0)
  await server.db.raw(
    `INSERT INTO consents SELECT id, 'web', ARRAY['openid', 'profile', 'read'], ? FROM users
      WHERE username = 'grace'`,
    [new Date(server.clock.now().getTime() - 60_000)],
  )
  const next = await addWebApp(server)
  const asked = await browser.open(next.authorizeUrl())
  t.regex(asked.url, /\/consent\?/)
  t.regex(textOf(await browser.visit(path)), /No app is connected/)
  t.is((await server.services.janitor.run()).consents, 1)
})

test('a person is deleted → the janitor deletes their consents, and nobody else’s', async (t) => {
  const { server, userId, app } = await connected(t)
  await addPerson(server, 'mary')
  await tokensOf(new FlowBrowser(server.url), app, 'mary')
  await server.services.administration.delete(userId)
  t.is((await server.services.janitor.run()).consents, 1)
  t.is((await server.db('consents')).length, 1)
})
