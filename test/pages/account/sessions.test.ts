import { randomUUID } from 'node:crypto'
import test from 'ava'
import { renderPages } from '../../../src/app/preview/render-pages.ts'
import { builtInTheme } from '../../../src/pages/theme/theme.ts'
import { addPerson, enter } from '../../support/people/account-api.ts'
import {
  eventsOf,
  leadsTo,
  openAccount,
  sendForm,
  signedInBrowser,
  textOf,
} from '../../support/people/account-browser.ts'

const path = '/account/sessions'

test('two browsers and an app → all of them with their device, this browser first', async (t) => {
  const { server, browser } = await openAccount(t)
  await signedInBrowser(server, 'grace')
  await enter(server, 'grace')
  const page = await browser.visit(path)
  const text = textOf(page)
  t.regex(
    text,
    /Browsers Firefox on Linux This browser 127\.0\.0\.1 .*Firefox on Linux 127\.0\.0\.1/,
  )
  t.is(text.match(/This browser/g)?.length, 1)
  t.regex(text, /Apps .*Account API/)
  t.false(page.html.includes(`value="${browser.cookies.get('__Host-signet_session')}"`))
})

test('a person signs another browser out → it is signed out, this one goes on', async (t) => {
  const { server, userId, browser } = await openAccount(t)
  const other = await signedInBrowser(server, 'grace')
  const page = await browser.visit(path)
  const form = page.forms.find(({ fields }) => 'browser' in fields)
  for (const _ of [1, 2]) {
    const sent = await browser.visit(path, { form: { ...form?.fields } })
    t.is(leadsTo(sent), '/account/sessions?done=ended')
  }
  t.is(leadsTo(await other.visit('/account')), '/sign-in?return=overview')
  t.is((await browser.visit('/account')).status, 200)
  const events = await eventsOf(server, userId)
  t.is(events.filter((event) => event === 'session.revoked').length, 1)
})

test('a person signs an app out, twice → its token ends at once, one event', async (t) => {
  const { server, userId, browser } = await openAccount(t)
  const app = await enter(server, 'grace')
  const page = await browser.visit(path)
  const form = page.forms.find(({ fields }) => 'session' in fields)
  for (const _ of [1, 2]) {
    const sent = await browser.visit(path, { form: { ...form?.fields } })
    t.is(leadsTo(sent), '/account/sessions?done=ended')
  }
  t.is((await app.get('me')).status, 401)
  const events = await eventsOf(server, userId)
  t.is(events.filter((event) => event === 'session.revoked').length, 1)
})

test('ASVS 7.4.3: a person signs out everywhere else → only this browser goes on', async (t) => {
  const { server, userId, browser } = await openAccount(t)
  const other = await signedInBrowser(server, 'grace')
  const app = await enter(server, 'grace')
  const sent = await sendForm(browser, path, {}, `${path}/others`)
  t.is(leadsTo(sent), '/account/sessions?done=ended')
  t.is(leadsTo(await other.visit('/account')), '/sign-in?return=overview')
  t.is((await app.get('me')).status, 401)
  t.is((await browser.visit('/account')).status, 200)
  t.true((await eventsOf(server, userId)).includes('user.sessions_ended'))
})

test('a session of another person, or none → 404, and nothing ends', async (t) => {
  const { server, browser } = await openAccount(t)
  const mary = await addPerson(server, 'mary')
  const marys = await signedInBrowser(server, 'mary')
  const marysApp = await enter(server, 'mary')
  const [{ id }] = await server.db('browser_sessions').where({ user_id: mary.id })
  const [{ sid }] = await server.db('refresh_families').where({ user_id: mary.id })
  const own = await server.db('browser_sessions').whereNot({ user_id: mary.id }).first('id')
  const cases: Record<string, string>[] = [
    { browser: id },
    { session: sid },
    { session: id },
    { browser: sid },
    { browser: randomUUID() },
    { session: randomUUID() },
    { session: "' OR true" },
    { browser: own.id },
    {},
  ]
  for (const form of cases) {
    t.is((await browser.visit(path, { form })).status, 404, JSON.stringify(form))
  }
  t.is((await marys.visit('/account')).status, 200)
  t.is((await marysApp.get('me')).status, 200)
  t.is((await browser.visit('/account')).status, 200)
})

test('the list of sessions in Arabic → device names read from the right, addresses are isolated', async (t) => {
  const { pages } = await renderPages(builtInTheme, 'ar')
  const { html = '' } = pages.find(({ route }) => route === '/account/sessions') ?? {}
  t.regex(html, /<bdi><span dir="rtl">Safari على iOS<\/span><\/bdi>/)
  t.regex(html, /<p><bdi>2001:db8::5<\/bdi><\/p>/)
})
