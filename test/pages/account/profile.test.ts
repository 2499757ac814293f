import test from 'ava'
import { addPerson, goodPassword } from '../../support/people/account-api.ts'
import {
  eventsOf,
  leadsTo,
  openAccount,
  sendForm,
  textOf,
} from '../../support/people/account-browser.ts'

const profile = '/account/profile'
const username = '/account/profile/username'

test('a person changes their name and language → both are stored, and the pages are in it', async (t) => {
  const { server, userId, browser } = await openAccount(t)
  const sent = await sendForm(browser, profile, { full_name: ' Grace Hopper ', language: 'en' })
  t.is(sent.status, 303)
  t.is(leadsTo(sent), '/account/profile?done=saved')
  t.like(await server.db('users').where({ id: userId }).first(), {
    full_name: 'Grace Hopper',
    locale: 'en',
  })
  const page = await browser.visit('/account/profile?done=saved')
  t.regex(textOf(page), /Your changes are saved/)
  t.regex(page.html, /<html lang="en"/)
  t.regex(page.html, /value="Grace Hopper"/)
})

test('the form of the profile is sent twice → one change, one event', async (t) => {
  const { server, userId, browser } = await openAccount(t)
  for (const _ of [1, 2]) {
    const sent = await sendForm(browser, profile, { full_name: 'Grace', language: '' })
    t.is(sent.status, 303)
  }
  const events = await eventsOf(server, userId)
  t.is(events.filter((event) => event === 'user.profile_changed').length, 1)
})

test('an empty name and no language → neither is kept', async (t) => {
  const { server, userId, browser } = await openAccount(t, { fullName: 'Grace Hopper' })
  await sendForm(browser, profile, { full_name: '', language: '' })
  t.like(await server.db('users').where({ id: userId }).first(), { full_name: null, locale: null })
})

test('a name that is too long, or has control characters → 422 beside the field', async (t) => {
  const { server, userId, browser } = await openAccount(t)
  for (const name of ['x'.repeat(201), 'Grace\u202eHopper', 'a\u0007b']) {
    const sent = await sendForm(browser, profile, { full_name: name, language: 'en' })
    t.is(sent.status, 422)
    t.regex(sent.html, /<input[^>]*name="full_name"[^>]*aria-invalid="true"/)
    t.regex(sent.html, /id="full_name-error"/)
  }
  t.is((await server.db('users').where({ id: userId }).first()).full_name, null)
})

test('a language that there is not → that of the browser', async (t) => {
  const { server, userId, browser } = await openAccount(t)
  const sent = await sendForm(browser, profile, { full_name: 'Grace', language: 'xx' })
  t.is(sent.status, 303)
  t.is((await server.db('users').where({ id: userId }).first()).locale, null)
})

test('ASVS 7.5.1: a person changes their username with the password → it is changed, once', async (t) => {
  const { server, userId, browser } = await openAccount(t)
  const page = await browser.visit(profile)
  const form = page.forms.find(({ action }) => action === username)
  for (const _ of [1, 2]) {
    const sent = await browser.visit(username, {
      form: { ...form?.fields, username: 'admiral', password: goodPassword },
    })
    t.is(sent.status, 303)
  }
  t.is((await server.db('users').where({ id: userId }).first()).username, 'admiral')
  const mails = await server.db('outgoing_mail').where({ template: 'username_changed' })
  t.is(mails.length, 1)
})

test('the username is taken, malformed, or the password wrong or missing → 422, unchanged', async (t) => {
  const { server, userId, browser } = await openAccount(t)
  await addPerson(server, 'mary')
  const cases: [Record<string, string>, RegExp][] = [
    [{ username: 'mary', password: goodPassword }, /This username is taken/],
    [{ username: 'a b', password: goodPassword }, /without spaces and @/],
    [{ username: 'a@b', password: goodPassword }, /without spaces and @/],
    [{ username: '', password: goodPassword }, /without spaces and @/],
    [{ username: 'admiral', password: 'wrong' }, /The password is wrong/],
    [{ username: 'admiral', password: '' }, /The password is wrong/],
  ]
  for (const [values, sentence] of cases) {
    const sent = await sendForm(browser, profile, values, username)
    t.is(sent.status, 422, JSON.stringify(values))
    t.regex(textOf(sent), sentence)
    t.notRegex(sent.html, new RegExp(`value="${goodPassword}"`))
  }
  t.is((await server.db('users').where({ id: userId }).first()).username, 'grace')
})

test('ASVS 6.3.1: passwords are guessed with a stolen session → 429, also for the right one', async (t) => {
  const { browser } = await openAccount(t)
  let status = 0
  for (let count = 0; count < 12 && status !== 429; count += 1) {
    const values = { username: `name${count}`, password: `guess ${count}` }
    status = (await sendForm(browser, profile, values, username)).status
  }
  t.is(status, 429)
  const right = { username: 'admiral', password: goodPassword }
  t.is((await sendForm(browser, profile, right, username)).status, 429)
})
