import test, { type ExecutionContext } from 'ava'
import { eventually } from '../../../tools/eventually.ts'
import { type Mailbox, startMailbox } from '../../support/mail/mailbox.ts'
import { accountApi, enter, problemType } from '../../support/people/account-api.ts'
import { startServer, type TestServer } from '../../support/server/start-server.ts'
import { dump, tracesOf } from '../../support/stores/dump.ts'

const first = 'seven lamps over the harbour'
const second = 'nine owls under the viaduct'
const third = 'eleven kites beyond the orchard'
const username = 'byron'
const oldEmail = 'a.byron@piccadilly.example'
const newEmail = 'countess@ockham.example'
const fullName = 'Augusta Ada Byron'

interface Life {
  readonly t: ExecutionContext<unknown>
  readonly server: TestServer
  readonly mailbox: Mailbox
  readonly secrets: string[]
}

test('a whole account: register, verify, sign in, reset, change the address, export, delete', async (t) => {
  const mailbox = await startMailbox(t)
  const logged: string[] = []
  const environment = {
    ...{ SMTP_URL: mailbox.url, MAIL_FROM: 'Signet <signet@mail.example>' },
    ...{ APP_URL: 'https://app.example', LOG_LEVEL: 'info' },
  }
  const server = await startServer(t, { environment, logTo: (line) => logged.push(line) })
  const life: Life = { t, server, mailbox, secrets: [first, second, third] }
  const id = await begins(life)
  await changesPassword(life, id)
  await recovers(life)
  await moves(life)
  await takesAllAndLeaves(life, id)
  const log = logged.join('')
  t.regex(log, /"message":"request"|"msg":"request"/)
  const links = mailbox.mails.flatMap(({ token }) => (token === undefined ? [] : tracesOf(token)))
  t.true(links.length >= 9)
  for (const secret of [...life.secrets, ...links, oldEmail, newEmail, fullName]) {
    t.false(log.includes(secret), `the log holds ${secret}`)
  }
})

/** From the registration to the first sign-in, by username and by address. */
async function begins({ t, server, mailbox, secrets }: Life): Promise<string> {
  const api = accountApi(server)
  const registration = { username, email: oldEmail, password: first, full_name: fullName }
  const registered = await api.post('register', registration)
  t.is(registered.status, 201, registered.text)
  t.deepEqual(Object.keys(registered.body), ['person'], 'no tokens before the address is proven')
  t.like(registered.body.person, { username, email: oldEmail, email_verified: false, roles: [] })
  const [mail] = await mailbox.wait(1)
  t.deepEqual(mail?.envelope, { from: 'signet@mail.example', to: [oldEmail] })
  t.regex(mail?.link ?? '', /^https:\/\/app\.example\/verify-email#token=/)
  t.false(registered.text.includes(mail?.token ?? ''), 'the token is in the mail only')

  const early = await api.post('login', { username, password: first })
  t.deepEqual([early.status, problemType(early)], [401, 'wrong-credentials'])
  const proven = await api.post('email/verification/confirm', {
    token: mail?.token,
    password: first,
  })
  t.is(proven.status, 200)
  t.like(proven.body, { id: registered.body.person.id, email_verified: true })

  for (const name of [{ username }, { email: oldEmail }, { email: oldEmail.toUpperCase() }]) {
    const { status, body, headers } = await api.post('login', { ...name, password: first })
    t.is(status, 200)
    t.is(headers.get('cache-control'), 'no-store')
    const names = ['access_token', 'device_token', 'expires_in', 'refresh_token', 'scope']
    t.deepEqual(Object.keys(body).sort(), [...names, 'token_type'])
    secrets.push(body.access_token, body.refresh_token)
  }
  return registered.body.person.id
}

/** ASVS 7.4.3: this session continues, the others end, and a mail is sent. */
async function changesPassword({ t, server, mailbox }: Life, id: string): Promise<void> {
  const here = await enter(server, username, first)
  const there = await enter(server, username, first)
  t.like((await here.get('me')).body, { id, username, full_name: fullName, email_verified: true })
  const renamed = await here.patch('me', { full_name: 'Ada King' })
  t.is(renamed.body.full_name, 'Ada King')
  t.is((await here.get('me')).body.full_name, 'Ada King')
  await here.patch('me', { full_name: fullName })

  const wanted = { current_password: first, new_password: second }
  const changed = await here.post('password/change', wanted)
  t.deepEqual([changed.status, changed.body], [200, { ended_sessions: 4, ended_api_keys: 0 }])
  t.is((await here.get('me')).status, 200)
  t.is((await there.get('me')).status, 401, 'the access tokens of the others are dead at once')
  const refresh = (token: string) =>
    accountApi(server)
      .post('refresh', { refresh_token: token })
      .then(({ status }) => status)
  t.is(await refresh(there.tokens.refresh_token), 401)
  t.is(await refresh(here.tokens.refresh_token), 200)
  const told = (await mailbox.wait(2))[1]
  t.regex(told?.subject ?? '', /password .* was changed/)
  t.is(told?.token, undefined)
}

/** ASVS 6.4.3: the link works once, for an hour, and ends every session. */
async function recovers({ t, server, mailbox }: Life): Promise<void> {
  const api = accountApi(server)
  const before = await enter(server, username, second)
  t.is((await api.post('password/reset/request', { email: oldEmail })).status, 202)
  const late = (await mailbox.wait(3))[2]?.token
  server.clock.advance({ minutes: 61 })
  const tooLate = await api.post('password/reset/confirm', { token: late, new_password: third })
  t.deepEqual([tooLate.status, problemType(tooLate)], [400, 'unusable-token'])

  t.is((await api.post('password/reset/request', { email: oldEmail })).status, 202)
  const mail = (await mailbox.wait(4))[3]
  t.regex(mail?.link ?? '', /^https:\/\/app\.example\/reset-password#token=/)
  server.clock.advance({ minutes: 59 })
  const wanted = { token: mail?.token, new_password: third }
  t.is((await api.post('password/reset/confirm', wanted)).status, 200)
  const again = await api.post('password/reset/confirm', wanted)
  t.deepEqual([again.status, problemType(again)], [400, 'unusable-token'])
  const { refresh_token } = before.tokens
  t.is((await api.post('refresh', { refresh_token })).status, 401)
  t.is((await api.post('login', { username, password: second })).status, 401)
  t.regex((await mailbox.wait(5))[4]?.subject ?? '', /password .* was changed/)
}

/** ASVS 7.5.1: needs the password; the new address is used once it is verified, the old one gets a notice. */
async function moves({ t, server, mailbox }: Life): Promise<void> {
  const api = await enter(server, username, third)
  t.regex((await mailbox.wait(6))[5]?.subject ?? '', /New sign-in/)
  const change = { email: newEmail, password: third }
  t.is((await api.post('email/change', change)).status, 202)
  const both = (await mailbox.wait(8)).slice(6)
  const link = both.find(({ envelope }) => envelope.to[0] === newEmail)
  const notice = both.find(({ envelope }) => envelope.to[0] === oldEmail)
  t.regex(link?.link ?? '', /verify-email#token=/)
  t.regex(notice?.text ?? '', /requested/)
  t.is(notice?.token, undefined)
  t.is((await api.get('me')).body.email, oldEmail)
  const proven = await api.post('email/verification/confirm', {
    token: link?.token,
    password: third,
  })
  t.like(proven.body, { email: newEmail, email_verified: true })
  const last = (await mailbox.wait(9))[8]
  t.deepEqual(last?.envelope.to, [oldEmail])
  const login = (email: string) => accountApi(server).post('login', { email, password: third })
  t.is((await login(oldEmail)).status, 401)
  t.is((await login(newEmail)).status, 200)
}

async function takesAllAndLeaves({ t, server, mailbox, secrets }: Life, id: string) {
  const api = await enter(server, username, third)
  const { sessions } = (await api.get('sessions')).body
  t.deepEqual(
    sessions.map(({ current }: { current: boolean }) => current),
    [true, false, false],
  )
  const key = await api.post('api-keys', { name: 'my backup', scope: 'account', password: third })
  t.is(key.status, 201)
  await eventually(async () => !(await server.db('outgoing_mail').whereNull('sent_at').first()), '')
  const exported = await api.get('me/export')
  t.is(exported.status, 200)
  t.regex(exported.headers.get('content-disposition') ?? '', /^attachment/)
  t.like(exported.body.person, { id, username, email: newEmail, full_name: fullName })
  t.is(exported.body.api_keys[0].name, 'my backup')
  const rows = async (table: string) => (await server.db(table).where({ user_id: id })).length
  t.is(exported.body.sessions.length, await rows('refresh_families'))
  t.is(exported.body.mails.length, await rows('outgoing_mail'))
  t.is(exported.body.audit_events.length, await rows('audit_events'))
  secrets.push(key.body.key, api.tokens.access_token, api.tokens.refresh_token)
  t.notRegex(exported.text, /argon2|password_hash|digest|seed|sak_|srt_|sot_|\\\\x/)

  t.is((await api.delete('me', { password: third })).status, 204)
  t.is((await api.get('me')).status, 401, 'the access token is dead at once')
  t.is((await api.post('refresh', { refresh_token: api.tokens.refresh_token })).status, 401)
  t.is((await api.post('login', { username, password: third })).status, 401)
  t.false((await server.introspect(key.body.key)).body.active)
  t.regex((await mailbox.wait(11))[10]?.subject ?? '', /was deleted/)
  await leavesNoTrace(t, server, id)
}

async function leavesNoTrace(t: ExecutionContext<unknown>, server: TestServer, id: string) {
  const { db } = server
  server.clock.advance({ minutes: 2 })
  await server.services.janitor.run()
  const trail = await db('audit_events').where({ user_id: id }).orderBy('id')
  const events = trail.map(({ event }) => event)
  t.is(events[0], 'user.registered')
  t.is(events.at(-1), 'user.deleted')
  for (const { ip, detail } of trail) t.deepEqual([ip, detail], [null, {}])
  // The last mail is the only trace of the person, until it is sent.
  await eventually(async () => !(await db('outgoing_mail').first()), 'the farewell is gone')
  const everything = await dump(db)
  t.regex(everything, /audit_events\n/)
  for (const trace of [username, oldEmail, newEmail, fullName, 'my backup']) {
    t.false(everything.toLowerCase().includes(trace.toLowerCase()), trace)
  }
}
