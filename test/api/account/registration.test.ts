import test from 'ava'
import type { Answer } from '../../../tools/http-client.ts'
import { registerPublic } from '../../support/clients/clients.ts'
import {
  accountApi,
  addPerson,
  enter,
  goodPassword,
  pointers,
  problemType,
} from '../../support/people/account-api.ts'
import { startServer } from '../../support/server/start-server.ts'

const grace = { username: 'grace', email: 'grace@people.example', password: goodPassword }

const kept = ({ status, headers, body }: Answer) => {
  const { id, created_at, ...person } = body.person
  const names = [...headers.keys()].filter((name) => name !== 'x-request-id')
  return { status, names, person, more: Object.keys(body), id: id.length, at: created_at.length }
}

test('ASVS 15.3.3: a registration with unknown fields → refused, naming each of them', async (t) => {
  const server = await startServer(t)
  const api = accountApi(server)
  const id = '01990000-0000-7000-8000-000000000000'
  const wishes = {
    ...{ roles: ['admin'], is_admin: true, id, email_verified: true, password_hash: '!' },
    ...{ must_change_password: false, created_at: '2020-01-01T00:00:00Z', disabled_at: null },
  }
  const refused = await api.post('register', { ...grace, ...wishes })
  t.deepEqual([refused.status, problemType(refused)], [422, 'invalid-fields'])
  t.regex(refused.headers.get('content-type') ?? '', /^application\/problem\+json/)
  const named = Object.keys(wishes).map((name) => `/${name}`)
  t.deepEqual(pointers(refused), named.sort())

  for (const text of ['"__proto__": {"roles": ["admin"]}', '"constructor": 1', '"a/b~c": 1']) {
    const body = JSON.stringify(grace).replace('{', `{${text},`)
    const answer = await api.post('register', body)
    t.is(answer.status, 422, text)
    const [name = ''] = /(?<=").*?(?=")/.exec(text) ?? []
    t.deepEqual(pointers(answer), [`/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`])
  }
  t.is((await server.db('users').where({ username: 'grace' })).length, 0)
  const registered = await api.post('register', grace)
  t.deepEqual(registered.body.person.roles, [])
  t.deepEqual((await server.db('users').where({ username: 'grace' }))[0].roles, [])
})

test('RFC 9457: several wrong fields → one answer names all, the password with its reason', async (t) => {
  const api = accountApi(await startServer(t))
  const wrong = { username: 'a b', email: 'nobody', password: 'short', full_name: 'a\nb', more: 1 }
  const answer = await api.post('register', wrong)
  t.is(answer.status, 422)
  t.deepEqual(pointers(answer), ['/email', '/full_name', '/more', '/password', '/username'])
  const sentence = ({ body }: Answer, pointer: string) =>
    body.errors.find((error: { pointer: string }) => error.pointer === pointer)?.detail
  t.is(sentence(answer, '/password'), 'The password must be at least 8 characters long.')
  t.is(sentence(answer, '/email'), 'must be an email address')
  t.deepEqual(pointers(await api.post('register', {})), ['/email', '/password'])

  const both = await api.post('register', { email: 'nobody', password: 'password1' })
  t.deepEqual(pointers(both), ['/email', '/password'], 'what can be guessed is named beside it')
  const guessable = await api.post('register', { ...grace, password: 'Grace@People.example' })
  t.deepEqual([guessable.status, pointers(guessable)], [422, ['/password']])
  t.regex(sentence(guessable, '/password'), /^[A-Z].*[.!]$/)
})

test('a name that gets an @ or a space by NFKC → refused', async (t) => {
  const server = await startServer(t)
  const api = accountApi(server)
  const names = ['ada＠signet.example', 'a\u00a0b', 'a\u3000b', 'ﷺ'.repeat(190), '\u200b']
  for (const username of names) {
    const answer = await api.post('register', { ...grace, username })
    t.deepEqual([answer.status, pointers(answer)], [422, ['/username']], username)
  }
  const wide = await api.post('register', { ...grace, username: 'ｇｒａｃｅ' })
  t.is(wide.body.person.username, 'grace')
})

test('ASVS 6.3.8: a taken address or name → the same answer, no new person, and a mail to the owner', async (t) => {
  const server = await startServer(t)
  const api = accountApi(server)
  await addPerson(server, 'ada.king')
  const before = (await server.db('users')).length
  const full_name = 'Grace Hopper'
  const bySpelling = { ...grace, username: 'new', email: 'Ada.King@PEOPLE.example', full_name }
  const byName = { ...grace, username: 'ADA.KING', full_name }
  const takenAddress = await api.post('register', bySpelling)
  const takenName = await api.post('register', byName)
  t.is((await server.db('users')).length, before)
  const fresh = await api.post('register', { ...grace, full_name })
  t.is((await server.db('users')).length, before + 1)

  const like = (username: string, email: string) => {
    const expected = kept(fresh)
    return { ...expected, person: { ...expected.person, username, email } }
  }
  t.deepEqual(kept(takenAddress), like('new', bySpelling.email))
  t.deepEqual(kept(takenName), like('ADA.KING', grace.email))
  const ids = [takenAddress, takenName, fresh].map(({ body }) => body.person.id)
  t.is(new Set(ids).size, 3)
  t.is((await server.db('users').whereIn('id', ids)).length, 1)
  const mails = await server.db('outgoing_mail').orderBy('id')
  t.deepEqual(
    mails.map(({ template, recipient }) => [template, recipient]),
    [
      ['registration_attempt', 'ada.king@people.example'],
      ['username_taken', grace.email],
      ['verify_email', grace.email],
    ],
  )
  t.is((await api.post('login', { username: 'ada.king', password: goodPassword })).status, 200)
})

test('registration is closed → no person is created and no mail is sent', async (t) => {
  const server = await startServer(t, { environment: { REGISTRATION: 'closed' } })
  const answer = await accountApi(server).post('register', grace)
  t.deepEqual([answer.status, problemType(answer)], [403, 'forbidden'])
  t.is((await server.db('users').where({ username: 'grace' })).length, 0)
  t.is((await server.db('outgoing_mail')).length, 0)
})

test('an app that accepts unverified people → tokens at once, for that app only', async (t) => {
  const server = await startServer(t)
  const scopes = { scopes: ['account', 'offline_access'], audiences: [server.app.issuer] }
  const lets = { ...scopes, defaultScopes: scopes.scopes, letsUnverifiedIn: true }
  const { client_id } = await registerPublic(server, 'easy', lets)
  await registerPublic(server, 'strict', scopes)
  const registered = await accountApi(server).post('register', { ...grace, client_id })
  t.is(registered.status, 201, registered.text)
  t.is(registered.body.person.email_verified, false)
  const { access_token, refresh_token } = registered.body.tokens
  const me = await accountApi(server, access_token).get('me')
  t.like(me.body, { id: registered.body.person.id, email_verified: false })
  t.is((await accountApi(server).post('refresh', { refresh_token })).status, 200)

  const login = (more: object) =>
    accountApi(server).post('login', { username: 'grace', password: goodPassword, ...more })
  t.is((await login({ client_id })).status, 200)
  for (const more of [{}, { client_id: 'strict' }]) {
    t.is(problemType(await login(more)), 'wrong-credentials')
  }
  for (const other of ['app', 'nobody']) {
    const answer = await accountApi(server).post('register', { ...grace, client_id: other })
    t.is(answer.status, 403, 'no client that may not sign people in here')
  }
})

test('20 concurrent registrations of one address → one person, and one answer for all', async (t) => {
  const environment = { PASSWORD_QUEUE_SECONDS: '60' }
  const server = await startServer(t, { environment, unthrottled: true })
  const api = accountApi(server)
  const racers = Array.from({ length: 20 }, (_, i) =>
    api.post('register', { ...grace, username: i % 2 ? 'grace' : `grace${i}` }),
  )
  const answers = await Promise.all(racers)
  t.deepEqual(new Set(answers.map(({ status }) => status)), new Set([201]))
  t.is(new Set(answers.map(({ body }) => body.person.id)).size, 20)
  const people = await server.db('users').where({ email: grace.email })
  t.is(people.length, 1)
  const mails = await server.db('outgoing_mail').where({ template: 'verify_email' })
  t.deepEqual(
    mails.map(({ user_id }) => user_id),
    [people[0].id],
  )
  const events = await server.db('audit_events').pluck('event')
  t.is(events.filter((event) => event === 'user.registered').length, 1)
  t.is(events.filter((event) => event === 'user.registration_repeated').length, 19)
})

test('ASVS 2.4.1: registrations → 20 in ten minutes from one address, 5 of one email address', async (t) => {
  const server = await startServer(t, { environment: { TRUSTED_PROXIES: 'loopback' } })
  const api = accountApi(server)
  const attempt = (email: string, host: string) =>
    api.post('register', { ...grace, email }, { 'x-forwarded-for': host })
  for (let i = 0; i < 5; i += 1) {
    t.is((await attempt(grace.email, `198.51.${i}.7`)).status, 201)
  }
  const flooded = await attempt(grace.email, '198.51.99.7')
  t.is(flooded.status, 429)
  t.regex(flooded.headers.get('ratelimit-policy') ?? '', /^"registration-email";q=5;w=3600$/)
  t.is((await attempt('other@people.example', '198.51.99.7')).status, 201)

  for (let i = 0; i < 20; i += 1) {
    t.not((await attempt(`p${i}@people.example`, '203.0.113.9')).status, 429)
  }
  const late = await attempt('late@people.example', '203.0.113.9')
  t.is(late.status, 429, 'twenty in ten minutes from one place')
  t.regex(late.headers.get('retry-after') ?? '', /^\d+$/)
  t.regex(late.headers.get('ratelimit-policy') ?? '', /^"registration";q=20;w=600$/)
  t.regex(late.headers.get('ratelimit') ?? '', /^"registration";r=0;t=\d+$/)
})

test('a registration of a taken address → its password signs nobody in', async (t) => {
  const server = await startServer(t)
  await addPerson(server, 'ada.king')
  const taken = { email: 'ada.king@people.example', password: 'an intruder of the night' }
  t.is((await accountApi(server).post('register', taken)).status, 201)
  await t.throwsAsync(enter(server, 'ada.king', taken.password), { message: /wrong-credentials/ })
})
