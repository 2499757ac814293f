import test from 'ava'
import { addPerson, enter, goodPassword } from '../../support/people/account-api.ts'
import {
  leadsTo,
  openAccount,
  sendForm,
  signedInBrowser,
  textOf,
} from '../../support/people/account-browser.ts'

test('a person downloads their data → a JSON file with everything, and no secret', async (t) => {
  const { server, userId, browser } = await openAccount(t)
  await server.db('consents').insert({
    user_id: userId,
    client_id: 'app',
    scopes: ['read'],
    granted_at: server.clock.now(),
  })
  const other = await addPerson(server, 'mary')
  await server.db('consents').insert({
    user_id: other.id,
    client_id: 'app',
    scopes: ['write'],
    granted_at: server.clock.now(),
  })
  const file = await sendForm(browser, '/account/data')
  t.is(file.status, 200)
  t.is(file.headers.get('content-disposition'), 'attachment; filename="signet-export.json"')
  t.regex(file.headers.get('content-type') ?? '', /^application\/json/)
  const data = JSON.parse(file.html)
  t.is(data.person.id, userId)
  t.like(data.browser_sessions, [{ ip: '127.0.0.1', amr: ['pwd'] }])
  t.is(data.browser_sessions.length, 1)
  t.is(data.consents.length, 1)
  t.like(data.consents, [{ client_id: 'app', scopes: ['read'] }])
  t.false(file.html.includes(browser.cookies.get('__Host-signet_session') ?? ''))
  t.true((await server.db('audit_events').where({ event: 'user.exported' })).length === 1)
})

test('ASVS 2.4.1: too many downloads → 429 with a way on', async (t) => {
  const { browser } = await openAccount(t)
  let status = 200
  for (let count = 0; count < 12 && status === 200; count += 1) {
    status = (await sendForm(browser, '/account/data')).status
  }
  t.is(status, 429)
})

test('a person deletes their account → it is gone, and they are signed out everywhere', async (t) => {
  const { server, userId, browser } = await openAccount(t)
  const other = await signedInBrowser(server, 'grace')
  const app = await enter(server, 'grace')
  const page = await browser.visit('/account/delete')
  const form = page.forms.find(({ action }) => action === '/account/delete')
  const cookie = browser.cookies.get('__Host-signet_session') ?? ''
  const values = { ...form?.fields, confirm: 'GRACE', password: goodPassword }
  const sent = await browser.visit('/account/delete', { form: values })
  t.is(leadsTo(sent), '/account/deleted')
  t.false(browser.cookies.has('__Host-signet_session'))
  t.is(await server.db('users').where({ id: userId }).first(), undefined)
  t.is((await app.get('me')).status, 401)
  t.is(leadsTo(await other.visit('/account')), '/sign-in?return=overview')
  const goodbye = await browser.visit('/account/deleted')
  t.is(goodbye.status, 200)
  t.regex(textOf(goodbye), /Your account is deleted/)
  // The second copy of the form still has the cookie.
  browser.cookies.set('__Host-signet_session', cookie)
  const again = await browser.visit('/account/delete', { form: values })
  t.is(leadsTo(again), '/account/deleted')
})

test('the form is sent twice at once → both end at the same page, one deletion', async (t) => {
  const { server, userId, browser } = await openAccount(t)
  const page = await browser.visit('/account/delete')
  const form = page.forms.find(({ action }) => action === '/account/delete')
  const values = { ...form?.fields, confirm: 'grace', password: goodPassword }
  const send = () => browser.visit('/account/delete', { form: values })
  const answers = await Promise.all([send(), send()])
  for (const answer of answers) t.is(leadsTo(answer), '/account/deleted')
  const events = await server.db('audit_events').where({ event: 'user.deleted', user_id: userId })
  t.is(events.length, 1)
})

test('the name is not typed, or the password wrong or missing → 422, and the account stays', async (t) => {
  const { server, userId, browser } = await openAccount(t)
  const cases: [Record<string, string>, RegExp][] = [
    [{ confirm: '', password: goodPassword }, /Type exactly: grace/],
    [{ confirm: 'mary', password: goodPassword }, /Type exactly: grace/],
    [{ confirm: 'grace', password: 'wrong' }, /The password is wrong/],
    [{ confirm: 'grace', password: '' }, /The password is wrong/],
  ]
  for (const [wrong, sentence] of cases) {
    const sent = await sendForm(browser, '/account/delete', wrong)
    t.is(sent.status, 422)
    t.regex(textOf(sent), sentence)
  }
  t.truthy(await server.db('users').where({ id: userId }).first())
  t.is((await browser.visit('/account')).status, 200)
})

test('the last administrator deletes their account → 422 with what to do, and it stays', async (t) => {
  const { server, userId, browser } = await openAccount(t, { roles: ['admin'] })
  await server.db('users').whereNot({ id: userId }).update({ roles: [] })
  const values = { confirm: 'grace', password: goodPassword }
  const sent = await sendForm(browser, '/account/delete', values)
  t.is(sent.status, 422)
  t.regex(textOf(sent), /You are the last administrator/)
  t.truthy(await server.db('users').where({ id: userId }).first())
})
