import { randomUUID } from 'node:crypto'
import test from 'ava'
import type { FlowBrowser } from '../../support/http/flow-browser.ts'
import { addPerson } from '../../support/people/account-api.ts'
import {
  eventsOf,
  leadsTo,
  openAccount,
  sendForm,
  signedInBrowser,
  textOf,
} from '../../support/people/account-browser.ts'

const list = '/account/api-keys'
const create = '/account/api-keys/new'
const values = { name: 'Backup script', 'scope:account': 'on', days: '30' }

const secretOf = (html: string): string => /sak_[\w-]+/.exec(html)?.[0] ?? ''

/** The fields of the form as it is shown. */
async function newForm(browser: FlowBrowser): Promise<Record<string, string>> {
  const page = await browser.visit(create)
  return { ...page.forms.find(({ action }) => action === create)?.fields }
}

test('a person creates a key → it is shown this once, and works', async (t) => {
  const { server, userId, browser } = await openAccount(t)
  const created = await sendForm(browser, create, values)
  t.is(created.status, 200)
  t.is(created.headers.get('cache-control'), 'no-store')
  const secret = secretOf(created.html)
  t.like(await server.services.apiKeys.verify(secret), {
    userId,
    name: 'Backup script',
    scope: ['account'],
    audience: [server.app.issuer],
    clientId: 'account',
  })
  const page = await browser.visit(list)
  t.regex(textOf(page), /Backup script It can: See your account Created: .*Valid until: /)
  t.false(page.html.includes(secret))
  t.true((await eventsOf(server, userId)).includes('api_key.created'))
  t.is((await server.db('outgoing_mail').where({ template: 'api_key_created' })).length, 1)
})

test('the form is sent twice, at once or one after the other → one key, shown by both', async (t) => {
  const { server, userId, browser } = await openAccount(t)
  const form: Record<string, string> = { ...(await newForm(browser)), ...values }
  const send = () => browser.visit(create, { form })
  const answers = [...(await Promise.all([send(), send(), send()])), await send()]
  const secrets = new Set(answers.map(({ html }) => secretOf(html)))
  t.is(secrets.size, 1)
  t.false(secrets.has(''))
  t.is((await server.db('api_keys').where({ user_id: userId })).length, 1)
  const events = await eventsOf(server, userId)
  t.is(events.filter((event) => event === 'api_key.created').length, 1)
})

test('a form is sent again after its key was revoked → the key does not come back', async (t) => {
  const { server, browser } = await openAccount(t)
  const form: Record<string, string> = { ...(await newForm(browser)), ...values }
  const secret = secretOf((await browser.visit(create, { form })).html)
  await sendForm(browser, list)
  const again = await browser.visit(create, { form })
  t.is(again.status, 422)
  t.regex(textOf(again), /created from this page before, and revoked/)
  t.is(await server.services.apiKeys.verify(secret), undefined)
})

test('a form is forged, of another person, or empty → no key with its values', async (t) => {
  const { server, browser } = await openAccount(t)
  const form: Record<string, string> = { ...(await newForm(browser)), ...values }
  const { chosen = '' } = form
  const flipped = chosen.slice(0, -1)
  for (const wrong of [`${flipped}x`, '', 'x'.repeat(3000), 'a.b.c.d.e']) {
    const sent = await browser.visit(create, { form: { ...form, chosen: wrong } })
    t.is(sent.status, 422)
    t.regex(textOf(sent), /open for too long/)
    t.regex(sent.html, /value="Backup script"/, 'the fields keep their values')
  }
  t.is((await server.db('api_keys')).length, 0)
})

test('a name, a scope or a lifetime that is missing or not offered → refused or the usual', async (t) => {
  const { server, browser } = await openAccount(t)
  const { 'scope:account': _, ...form } = { ...(await newForm(browser)), ...values }
  const cases: [Record<string, string>, RegExp][] = [
    [{ ...form, 'scope:account': 'on', name: ' ' }, /1 to 100 characters/],
    [{ ...form, 'scope:account': 'on', name: 'x'.repeat(101) }, /1 to 100 characters/],
    [form, /Choose at least one/],
    [{ ...form, 'scope:admin': 'on' }, /Choose at least one/],
    [{ ...form, 'scope:offline_access': 'on' }, /Choose at least one/],
  ]
  for (const [wrong, sentence] of cases) {
    const sent = await browser.visit(create, { form: wrong })
    t.is(sent.status, 422)
    t.regex(textOf(sent), sentence)
  }
  t.is((await server.db('api_keys')).length, 0)
  const days = { ...form, 'scope:account': 'on', days: '99999' }
  t.is((await browser.visit(create, { form: days })).status, 200)
  const [key] = await server.db('api_keys')
  const length = (key.expires_at.getTime() - key.created_at.getTime()) / 86_400_000
  t.is(Math.round(length), 90)
})

test('the limit of keys is reached → 422 with what to do', async (t) => {
  const { browser } = await openAccount(t, {}, { environment: { API_KEYS_PER_USER: '1' } })
  t.is((await sendForm(browser, create, values)).status, 200)
  const refused = await sendForm(browser, create, values)
  t.is(refused.status, 422)
  t.regex(textOf(refused), /reached the limit of API keys/)
})

test('a person revokes a key, twice → it ends at once, one event', async (t) => {
  const { server, userId, browser } = await openAccount(t)
  const secret = secretOf((await sendForm(browser, create, values)).html)
  const page = await browser.visit(list)
  const form = page.forms.find(({ fields }) => 'key' in fields)
  for (const _ of [1, 2]) {
    const sent = await browser.visit(list, { form: { ...form?.fields } })
    t.is(leadsTo(sent), '/account/api-keys?done=revoked')
  }
  t.is(await server.services.apiKeys.verify(secret), undefined)
  const events = await eventsOf(server, userId)
  t.is(events.filter((event) => event === 'api_key.revoked').length, 1)
})

test('a key of another person, or none → 404, and it stays', async (t) => {
  const { server, browser } = await openAccount(t)
  await addPerson(server, 'mary')
  const marys = await signedInBrowser(server, 'mary')
  const secret = secretOf((await sendForm(marys, create, values)).html)
  const [{ id }] = await server.db('api_keys')
  for (const key of [id, randomUUID(), 'nothing', '']) {
    t.is((await browser.visit(list, { form: { key } })).status, 404)
  }
  t.truthy(await server.services.apiKeys.verify(secret))
})
