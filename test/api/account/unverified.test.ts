import test from 'ava'
import type { Answer } from '../../../tools/http-client.ts'
import { registerPublic } from '../../support/clients/clients.ts'
import { fromElsewhere, startMailedServer } from '../../support/mail/mailed-server.ts'
import {
  accountApi,
  addPerson,
  enter,
  goodPassword,
  otherPassword,
  pointers,
  problemType,
} from '../../support/people/account-api.ts'
import { startServer, type TestServer } from '../../support/server/start-server.ts'

const email = 'grace@people.example'
const daySeconds = 86_400

const register = (server: TestServer, more: object = {}) =>
  accountApi(server).post('register', { email, password: goodPassword, ...more }, fromElsewhere())

const confirm = (server: TestServer, body: object, accessToken?: string) =>
  accountApi(server, accessToken).post('email/verification/confirm', body, fromElsewhere())

/** Signs in at the JSON API and at the token endpoint. @returns the status and type of each answer */
async function signIns(server: TestServer, name: object, times: number): Promise<unknown[]> {
  const seen: unknown[] = []
  for (let turn = 0; turn < times; turn += 1) {
    const login = { ...name, password: goodPassword }
    const answer = await accountApi(server).post('login', login, fromElsewhere())
    seen.push([answer.status, problemType(answer)])
  }
  const [username] = Object.values(name)
  const { status, body } = await server.signIn({ username, password: goodPassword })
  return [...seen, [status, body.error, body.error_description]]
}

/** Registers with an app that accepts unverified people. @returns the API as that person */
async function registerWithEasyApp(server: TestServer) {
  const scopes = ['account', 'offline_access']
  const app = { scopes, defaultScopes: scopes, audiences: [server.app.issuer] }
  await registerPublic(server, 'easy', { ...app, letsUnverifiedIn: true })
  const { tokens } = (await register(server, { client_id: 'easy' })).body
  return accountApi(server, tokens.access_token)
}

test('ASVS 6.3.8: registering and signing in → does not reveal whether the address or name was free', async (t) => {
  const server = await startServer(t, { environment: { TRUSTED_PROXIES: 'loopback' } })
  await addPerson(server, 'ada.king', { password: otherPassword })
  await register(server, { username: 'ada.king', email: 'one@people.example' })
  await register(server, { username: 'free', email: 'two@people.example' })
  await register(server, { email: 'ada.king@people.example' })
  await register(server, { email: 'three@people.example' })
  for (const [taken, free] of [
    [{ username: 'ada.king' }, { username: 'free' }],
    [{ email: 'ada.king@people.example' }, { email: 'three@people.example' }],
  ] as const) {
    const answers = await signIns(server, free, 3)
    t.deepEqual(answers, await signIns(server, taken, 3))
    t.deepEqual(answers[0], [401, 'wrong-credentials'])
  }
})

test('ASVS 6.3.8: the right password of an unverified account → counted as a wrong one', async (t) => {
  const server = await startServer(t, { environment: { TRUSTED_PROXIES: 'loopback' } })
  await register(server)
  const login = () =>
    accountApi(server).post('login', { email, password: goodPassword }, fromElsewhere())
  const answers = await Promise.all(Array.from({ length: 16 }, login))
  t.true(answers.some(({ status }) => status === 429))
  t.true(answers.every(({ status }) => status !== 200 && status !== 403))
})

test('the right password of an unverified account → the link is sent again, once an hour', async (t) => {
  const { server, to, link, quiet } = await startMailedServer(t)
  await register(server)
  await link(email)
  const login = async (password = goodPassword) => {
    await accountApi(server).post('login', { email, password }, fromElsewhere())
    await quiet()
    return to(email).length
  }
  t.is(await login(), 1, 'the first one has only just gone out')
  server.clock.advance({ minutes: 61 })
  t.is(await login(otherPassword), 1)
  t.is(await login(), 2)
  t.is(await login(), 2)
  const verified = { token: await link(email, 2), password: goodPassword }
  t.is((await confirm(server, verified)).status, 200)
  const entered = await accountApi(server).post('login', { email, password: goodPassword })
  t.is(entered.status, 200)
})

test('ASVS 6.3.7: a link alone → verifies nothing; a wrong password → does not spend it', async (t) => {
  const { server, link } = await startMailedServer(t)
  await register(server)
  await addPerson(server, 'joan')
  const joan = (await enter(server, 'joan')).tokens.access_token
  const token = await link(email)
  const needsPassword = (answer: Answer) => {
    t.deepEqual([answer.status, pointers(answer)], [422, ['/password']])
  }
  needsPassword(await confirm(server, { token }))
  needsPassword(await confirm(server, { token, password: otherPassword }))
  needsPassword(await confirm(server, { token }, joan))
  const both = { token, password: goodPassword, new_password: otherPassword }
  t.is((await confirm(server, both)).status, 422)
  const weak = await confirm(server, { token, new_password: 'password' })
  t.deepEqual([weak.status, pointers(weak)], [422, ['/new_password']])
  t.is((await confirm(server, { token, password: goodPassword })).body.email_verified, true)
})

test('ASVS 6.3.7: the owner takes over an address that a stranger registered → the stranger keeps nothing', async (t) => {
  const { server, link } = await startMailedServer(t)
  const stranger = await registerWithEasyApp(server)
  const { id: userId } = (await stranger.get('me')).body
  const key = { userId, name: 'left behind', scope: ['account'], audience: [server.app.issuer] }
  const made = await server.services.apiKeys.create({ ...key, expiresAt: null })
  const token = await link(email)
  const owned = await confirm(server, { token, new_password: otherPassword })
  t.like(owned, { status: 200, body: { id: userId, email_verified: true } })
  t.is((await stranger.get('me')).status, 401)
  t.is(await server.services.apiKeys.verify(made?.secret ?? ''), undefined)
  const login = (password: string) =>
    accountApi(server).post('login', { email, password, client_id: 'easy' }, fromElsewhere())
  t.deepEqual([(await login(goodPassword)).status, (await login(otherPassword)).status], [401, 200])
  t.is(problemType(await confirm(server, { token, password: otherPassword })), 'unusable-token')
  const events = await server.db('audit_events').where({ user_id: userId }).pluck('event')
  t.true(events.includes('user.email_verified') && events.includes('user.password_set'))
})

test('a person with a session before verification → verifies with it, and it continues', async (t) => {
  const { server, link } = await startMailedServer(t)
  const grace = await registerWithEasyApp(server)
  const asked = await grace.post('email/verification/request')
  t.is(asked.status, 202, asked.text)
  const token = await link(email, 2)
  t.is((await grace.post('email/verification/confirm', { token })).status, 200)
  t.is((await grace.get('me')).body.email_verified, true)
  const nobody = await accountApi(server).post('email/verification/request')
  t.deepEqual([nobody.status, problemType(nobody)], [401, 'unauthenticated'])
  const broken = await accountApi(server, 'x').post('email/verification/request', { email })
  t.is(broken.status, 401)
})

test('ASVS 6.3.7: the reader of a mistyped new address → gets no account with its link', async (t) => {
  const { server, link } = await startMailedServer(t)
  await addPerson(server, 'grace')
  const grace = await enter(server, 'grace')
  const mistyped = 'grace@poeple.example'
  await grace.post('email/change', { email: mistyped, password: goodPassword })
  const token = await link(mistyped)
  t.deepEqual(pointers(await confirm(server, { token })), ['/password'])
  const taking = await confirm(server, { token, new_password: otherPassword })
  t.deepEqual([taking.status, pointers(taking)], [422, ['/new_password']])
  const reset = { token, new_password: otherPassword }
  t.is((await accountApi(server).post('password/reset/confirm', reset)).status, 400)
  t.is((await grace.get('me')).body.email, email)
  t.is((await grace.post('email/verification/confirm', { token })).body.email, mistyped)
})

test('ASVS 6.3.8: an export → does not reveal whether an address belongs to somebody else', async (t) => {
  const { server, quiet } = await startMailedServer(t)
  await addPerson(server, 'joan')
  const seen: unknown[] = []
  for (const [name, address] of [
    ['grace', 'joan@people.example'],
    ['mary', 'free@people.example'],
  ] as const) {
    await addPerson(server, name)
    const api = await enter(server, name)
    await api.post('email/change', { email: address, password: goodPassword })
    await quiet()
    const { mails, links, audit_events: events } = (await api.get('me/export')).body
    seen.push({
      // Both are written at the same time, so that their order means nothing.
      mails: mails
        .map((mail: Record<string, unknown>) => [
          ...[mail.template, mail.attempts, mail.sent_at === null, mail.given_up_at],
        ])
        .sort(),
      links: links.map(({ purpose }: { purpose: string }) => purpose),
      events: events.map(({ event }: { event: string }) => event),
    })
  }
  t.deepEqual(seen[0], seen[1])
  t.is((seen[0] as { links: unknown[] }).links.length, 1)
})

test('an unverified registration → deleted after UNVERIFIED_DAYS, and no other person', async (t) => {
  const server = await startServer(t, { environment: { UNVERIFIED_DAYS: '3' } })
  const stranger = await registerWithEasyApp(server)
  await register(server, { email: 'verified@people.example', username: 'verified' })
  await server
    .db('users')
    .where({ username: 'verified' })
    .update({ email_verified_at: server.clock.now() })
  await addPerson(server, 'added', { emailVerified: false })
  const names = async () => (await server.db('users').pluck('email')) as string[]
  server.clock.advance({ seconds: 3 * daySeconds - 60 })
  await server.services.janitor.run()
  t.true((await names()).includes(email))
  const at = stranger.get('me')
  t.is((await at).status, 401, 'an access token is long over')
  server.clock.advance({ minutes: 2 })
  await server.services.janitor.run()
  const left = await names()
  t.false(left.includes(email))
  t.true(left.includes('verified@people.example') && left.includes('added@people.example'))
  const again = await register(server, { email })
  t.is(again.status, 201)
  t.true((await names()).includes(email), 'the address is free again')
})
