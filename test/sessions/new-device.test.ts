import test, { type ExecutionContext } from 'ava'
import type { NewSession } from '../../src/sessions/new-session.ts'
import { app, orders } from '../../tools/fixtures.ts'
import { FlowBrowser } from '../support/http/flow-browser.ts'
import { fromElsewhere, startMailedServer } from '../support/mail/mailed-server.ts'
import { accountApi, addPerson, goodPassword } from '../support/people/account-api.ts'
import { startServer, type TestServer } from '../support/server/start-server.ts'

const warnings = ({ db }: TestServer) =>
  db('outgoing_mail').where({ template: 'new_sign_in' }).orderBy('created_at')

const count = async (server: TestServer) => (await warnings(server)).length

/** Signs in at the JSON API, from an address, and perhaps with a device token. */
async function login(
  server: TestServer,
  from: Record<string, string>,
  { username = 'grace', token }: { username?: string; token?: string } = {},
) {
  const body = { username, password: goodPassword, device_token: token }
  const { status, text, body: tokens } = await accountApi(server).post('login', body, from)
  if (status !== 200) throw new Error(text)
  return tokens as { device_token: string; refresh_token: string }
}

async function withGrace(t: ExecutionContext<unknown>) {
  const mailed = await startMailedServer(t)
  const { id } = await addPerson(mailed.server, 'grace')
  return { ...mailed, id }
}

test('ASVS 6.3.5: a sign-in on a new device → a mail; the first sign-in of a person → none', async (t) => {
  const { server, mailbox, to } = await withGrace(t)
  await login(server, fromElsewhere())
  t.is(await count(server), 0)
  const from = fromElsewhere()
  await login(server, {
    ...from,
    'user-agent': 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0',
  })
  await mailbox.wait(1)
  const [mail] = to('grace@people.example')
  t.is(mail?.subject, `New sign-in to your account at ${new URL(server.url).host}`)
  t.true(mail?.text?.includes(`from the network address ${from['x-forwarded-for']}`))
  t.regex(mail?.text ?? '', /\n\nDevice: Firefox on Linux\n\n/)
  t.regex(mail?.text ?? '', /\n\nApp: \w/)
  t.regex(mail?.link ?? '', /\/secure-account\?token=sot_/)
})

test('a known device → no mail and no write, from any address', async (t) => {
  const { server, id } = await withGrace(t)
  const { device_token: token } = await login(server, fromElsewhere())
  server.clock.advance({ days: 2 })
  const before = await server.db('users').where({ id }).first()
  const again = await login(server, fromElsewhere(), { token })
  t.is(await count(server), 0)
  t.deepEqual(await server.db('users').where({ id }).first(), before)
  server.clock.advance({ days: 89 })
  await login(server, fromElsewhere(), { token: again.device_token })
  t.is(await count(server), 0)
})

test('a device token of somebody else, a changed one, and an old one → a mail', async (t) => {
  const { server } = await withGrace(t)
  await addPerson(server, 'mallory')
  const own = await login(server, fromElsewhere())
  const { device_token: other } = await login(server, fromElsewhere(), { username: 'mallory' })
  const changed = own.device_token.replace(/.$/, (last) => (last === 'A' ? 'B' : 'A'))
  let expected = 0
  for (const token of [other, changed, 'sdt_', own.device_token]) {
    server.clock.advance(token === own.device_token ? { days: 90 } : { hours: 2 })
    await login(server, fromElsewhere(), { token })
    expected += 1
    t.is(await count(server), expected, token)
  }
})

test('an app that sends no device token → one mail an hour; other addresses → three in a row', async (t) => {
  const { server } = await withGrace(t)
  const from = fromElsewhere()
  await login(server, fromElsewhere())
  for (let repeat = 0; repeat < 5; repeat += 1) await login(server, from)
  t.is(await count(server), 1)
  server.clock.advance({ minutes: 61 })
  await login(server, from)
  t.is(await count(server), 2)
  // A stranger elsewhere cannot hide behind the mail about the person's own sign-in.
  for (let repeat = 0; repeat < 5; repeat += 1) await login(server, fromElsewhere())
  t.is(await count(server), 4)
  server.clock.advance({ minutes: 61 })
  await login(server, fromElsewhere())
  t.is(await count(server), 5)
})

test('an address that is not verified, and none → no mail', async (t) => {
  const { server, id } = await withGrace(t)
  await server.db('clients').update({ lets_unverified_in: true })
  await login(server, fromElsewhere())
  for (const columns of [{ email_verified_at: null }, { email: null, email_key: null }]) {
    await server.db('users').where({ id }).update(columns)
    server.clock.advance({ hours: 2 })
    await login(server, fromElsewhere())
  }
  t.is(await count(server), 0)
})

test('a person who signed in before this was counted → a mail', async (t) => {
  const { server, id } = await withGrace(t)
  await server.services.audit.record({ event: 'user.signed_in', userId: id })
  await login(server, fromElsewhere())
  t.is(await count(server), 1)
})

test('a browser → a mail for another one, none for the same, and one for a form that is sent twice', async (t) => {
  const { server } = await withGrace(t)
  const enter = async (browser: FlowBrowser, headers: Record<string, string>, times = 1) => {
    const page = await browser.open('/sign-in?another=1')
    const [form] = page.forms.filter(({ method }) => method === 'post')
    const values = { ...form?.fields, username: 'grace', password: goodPassword }
    const sent = Array.from({ length: times }, () =>
      browser.visit('/sign-in', { form: values, headers }),
    )
    for (const { status } of await Promise.all(sent)) t.is(status, 303)
  }
  const first = new FlowBrowser(server.url)
  await enter(first, fromElsewhere())
  t.is(await count(server), 0)
  await enter(new FlowBrowser(server.url), fromElsewhere(), 3)
  t.is(await count(server), 1)
  await first.submit(await first.open('/sign-out'))
  server.clock.advance({ hours: 2 })
  await enter(first, fromElsewhere())
  t.is(await count(server), 1)
})

const sessionOf = (
  server: TestServer,
  user: NewSession['user'],
  ip: string,
): ReturnType<TestServer['services']['families']['begin']> =>
  server.services.families.begin({
    user,
    clientId: app.id,
    scope: ['read'],
    audience: [orders],
    authTime: server.clock.now(),
    amr: ['pwd'],
    idleSeconds: 3600,
    absoluteSeconds: 86_400,
    ip,
  })

for (const limit of ['100', '20']) {
  test(`concurrent sign-ins on two instances → as many mails as in turn (limit ${limit})`, async (t) => {
    const environment = { SESSIONS_PER_USER: limit }
    const server = await startServer(t, { environment })
    const servers = [server, await startServer(t, { beside: server, environment })]
    const user = await addPerson(server, 'grace')
    await sessionOf(server, user, '192.0.2.1')
    let expected = 0
    for (let round = 1; round <= 4; round += 1) {
      for (const one of servers) one.clock.advance({ hours: 2 })
      const isOne = round % 2 === 1
      const begun = await Promise.all(
        Array.from({ length: 16 }, (_, at) => {
          const one = servers[at % 2] as TestServer
          return sessionOf(one, user, isOne ? '198.51.100.1' : `203.0.113.${at}`)
        }),
      )
      t.true(begun.every(Boolean))
      expected += isOne ? 1 : 3
      t.is(await count(server), expected, `round ${round}`)
    }
  })
}
