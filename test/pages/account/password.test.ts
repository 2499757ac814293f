import test from 'ava'
import { accountApi, enter, goodPassword, otherPassword } from '../../support/people/account-api.ts'
import {
  eventsOf,
  leadsTo,
  openAccount,
  sendForm,
  signedInBrowser,
  textOf,
} from '../../support/people/account-browser.ts'

const path = '/account/password'
const values = { password: goodPassword, new_password: otherPassword }

test('a person changes their password → this browser goes on, everything else ends', async (t) => {
  const { server, userId, browser } = await openAccount(t)
  const elsewhere = await signedInBrowser(server, 'grace')
  const app = await enter(server, 'grace')
  const key = await app.post('api-keys', { name: 'k', scope: 'account', password: goodPassword })
  t.is(key.status, 201)
  const sent = await sendForm(browser, path, values)
  t.is(leadsTo(sent), '/account/password?done=saved')
  t.regex(textOf(await browser.open('/account/password?done=saved')), /Your password is changed/)
  t.is(leadsTo(await elsewhere.visit('/account')), '/sign-in?return=overview')
  t.is((await app.get('me')).status, 401)
  t.is((await server.db('api_keys').where({ user_id: userId })).length, 0)
  t.is((await server.db('outgoing_mail').where({ template: 'password_changed' })).length, 1)
  const login = { username: 'grace', password: otherPassword }
  t.is((await accountApi(server).post('login', login)).status, 200)
})

test('a person keeps their API keys → they stay', async (t) => {
  const { server, userId, browser } = await openAccount(t)
  const app = await enter(server, 'grace')
  await app.post('api-keys', { name: 'k', scope: 'account', password: goodPassword })
  const sent = await sendForm(browser, path, { ...values, keep_keys: 'on' })
  t.is(sent.status, 303)
  t.is((await server.db('api_keys').where({ user_id: userId })).length, 1)
})

test('the form is sent twice, at once or one after the other → both succeed, one change', async (t) => {
  const { server, userId, browser } = await openAccount(t)
  const page = await browser.visit(path)
  const form = page.forms.find(({ action }) => action === path)
  const send = () => browser.visit(path, { form: { ...form?.fields, ...values } })
  const answers = [...(await Promise.all([send(), send(), send()])), await send()]
  for (const answer of answers) t.is(leadsTo(answer), '/account/password?done=saved')
  const events = await eventsOf(server, userId)
  t.is(events.filter((event) => event === 'user.password_set').length, 1)
})

test('the current password is wrong or missing, or the new one is refused → 422, unchanged', async (t) => {
  const { server, userId, browser } = await openAccount(t)
  const before = await server.db('users').where({ id: userId }).first()
  const cases: [Record<string, string>, RegExp, string][] = [
    [{ ...values, password: 'wrong' }, /The password is wrong/, 'password'],
    [{ ...values, password: '' }, /The password is wrong/, 'password'],
    [{ ...values, new_password: 'short' }, /at least 8 characters/, 'new_password'],
    [{ ...values, new_password: '' }, /at least 8 characters/, 'new_password'],
    [{ ...values, new_password: 'x'.repeat(129) }, /at most 128 characters/, 'new_password'],
    [{ ...values, new_password: 'password1' }, /easy to guess/, 'new_password'],
  ]
  for (const [wrong, sentence, field] of cases) {
    const sent = await sendForm(browser, path, wrong)
    t.is(sent.status, 422, JSON.stringify(wrong))
    t.regex(textOf(sent), sentence)
    t.regex(sent.html, new RegExp(`name="${field}"[^>]*aria-invalid="true"`))
    t.false(sent.html.includes(goodPassword), 'no password is shown again')
    t.false(sent.html.includes(otherPassword))
  }
  t.deepEqual(await server.db('users').where({ id: userId }).first(), before)
})

test('a password was set a while ago, and is guessed as the new one → it is no second copy', async (t) => {
  const { server, browser } = await openAccount(t)
  server.clock.advance({ minutes: 5 })
  const sent = await sendForm(browser, path, { password: 'wrong', new_password: goodPassword })
  t.is(sent.status, 422)
})
