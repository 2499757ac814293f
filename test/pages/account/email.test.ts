import test from 'ava'
import { addPerson, goodPassword } from '../../support/people/account-api.ts'
import {
  eventsOf,
  leadsTo,
  openAccount,
  sendForm,
  textOf,
} from '../../support/people/account-browser.ts'
import type { TestServer } from '../../support/server/start-server.ts'

const path = '/account/email'
const values = { email: 'grace@new.example', password: goodPassword }

const linksTo = ({ db }: TestServer, recipient: string) =>
  db('outgoing_mail').where({ template: 'verify_email', recipient })

test('a person asks for a new address → a link to it, a notice to the old one, and it waits', async (t) => {
  const { server, userId, browser } = await openAccount(t)
  const sent = await sendForm(browser, path, values)
  t.is(leadsTo(sent), '/account/email?done=sent')
  t.is((await linksTo(server, 'grace@new.example')).length, 1)
  t.is((await server.db('outgoing_mail').where({ template: 'email_change_requested' })).length, 1)
  const page = await browser.visit(path)
  t.regex(textOf(page), /sent a link to grace@new\.example/)
  t.regex(textOf(page), /grace@people\.example Confirmed/)
  t.is((await server.db('users').where({ id: userId }).first()).email, 'grace@people.example')
})

test('the new address is confirmed, its link expires, or the password changes → nothing waits', async (t) => {
  const { server, userId, browser } = await openAccount(t)
  const isWaiting = async () => /sent a link/.test(textOf(await browser.visit(path)))
  await sendForm(browser, path, values)
  t.true(await isWaiting())
  await server.db('users').where({ id: userId }).update({ email: 'grace@new.example' })
  t.false(await isWaiting())
  await server.db('users').where({ id: userId }).update({ email: 'grace@people.example' })
  t.true(await isWaiting())
  await server
    .db('users')
    .where({ id: userId })
    .update({ password_changed_at: new Date(server.clock.now().getTime() + 1000) })
  t.false(await isWaiting())
})

test('the form is sent twice → one mail and one event', async (t) => {
  const { server, userId, browser } = await openAccount(t)
  const [one, other] = await Promise.all([
    sendForm(browser, path, values),
    sendForm(browser, path, values),
  ])
  t.deepEqual([one.status, other.status], [303, 303])
  t.is((await linksTo(server, 'grace@new.example')).length, 1)
  const events = await eventsOf(server, userId)
  t.is(events.filter((event) => event === 'user.email_change_requested').length, 1)
})

test('ASVS 6.3.8: the address belongs to somebody else → the same page as for a free one', async (t) => {
  const { server, browser } = await openAccount(t)
  await addPerson(server, 'mary')
  const taken = { email: 'mary@people.example', password: goodPassword }
  const sent = await sendForm(browser, path, taken)
  t.is(leadsTo(sent), '/account/email?done=sent')
  t.regex(textOf(await browser.visit(path)), /sent a link to mary@people\.example/)
})

test('the address is malformed or their own, or the password wrong or missing → 422, no mail', async (t) => {
  const { server, browser } = await openAccount(t)
  const cases: [Record<string, string>, RegExp][] = [
    [{ ...values, email: 'grace' }, /Enter an email address/],
    [{ ...values, email: '' }, /Enter an email address/],
    [{ ...values, email: `${'x'.repeat(250)}@new.example` }, /Enter an email address/],
    [{ ...values, email: 'GRACE@people.example' }, /your address already/],
    [{ ...values, password: 'wrong' }, /The password is wrong/],
    [{ ...values, password: '' }, /The password is wrong/],
  ]
  for (const [wrong, sentence] of cases) {
    const sent = await sendForm(browser, path, wrong)
    t.is(sent.status, 422, JSON.stringify(wrong))
    t.regex(textOf(sent), sentence)
    t.regex(sent.html, /aria-invalid="true"/)
  }
  t.is((await server.db('outgoing_mail')).length, 0)
})
