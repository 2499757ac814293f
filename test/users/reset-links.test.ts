import test from 'ava'
import { eventually } from '../../tools/eventually.ts'
import { ada } from '../../tools/fixtures.ts'
import { startServer, type TestServer } from '../support/server/start-server.ts'

const ip = '203.0.113.7'
const newPassword = 'seven lamps over the harbour'

/** Ada with the verified address ada@old.example, and ways to issue and use links. */
async function prepare(server: TestServer) {
  const { db, services } = server
  const [row] = await db('users')
    .where({ username: ada.username })
    .update({ email: 'ada@old.example', email_verified_at: server.clock.now() })
    .returning('*')
  const holder = { userId: row.id as string, email: 'ada@old.example' }
  const issue = () =>
    services.oneTimeTokens.issue(db, { ...holder, purpose: 'password_reset', seconds: 3600 })
  const move = async () => {
    const moved = { ...holder, email: 'ada@new.example', purpose: 'email_verification' } as const
    const token = await services.oneTimeTokens.issue(db, { ...moved, seconds: 3600 })
    return services.emailAddresses.confirm(token, ip)
  }
  return { issue, move, user: async () => services.users.find(holder.userId) }
}

test('ASVS 6.4.3: the password is changed by other means → a reset link becomes invalid', async (t) => {
  const server = await startServer(t)
  const { issue, user } = await prepare(server)
  const token = await issue()
  const person = await user()
  if (!person) throw new Error('ada is gone')
  await server.services.credentials.set(person, newPassword)
  t.is(await server.services.credentials.reset(token, 'another lamp on the quay', ip), undefined)
  t.truthy(await server.services.credentials.reset(await issue(), 'another lamp on the quay', ip))
})

test('the address changes → a reset link to the old one becomes invalid', async (t) => {
  const server = await startServer(t)
  const { issue, move } = await prepare(server)
  const token = await issue()
  t.is((await move())?.email, 'ada@new.example')
  t.is(await server.services.credentials.reset(token, newPassword, ip), undefined)
  t.is((await server.db('one_time_tokens')).length, 0)
  const inFlight = await issue()
  t.is(await server.services.credentials.reset(inFlight, newPassword, ip), undefined)
  t.is((await server.signIn()).status, 200, 'the password is what it was')
})

test('the address changes → the old address gets a mail that names the new one', async (t) => {
  const server = await startServer(t)
  const { move, user } = await prepare(server)
  const person = await user()
  if (!person) throw new Error('ada is gone')
  await server.services.emailAddresses.requestChange(person, 'ada@new.example', ada.password, ip)
  // The link of that mail replaces every earlier one.
  const unsent = () => server.db('outgoing_mail').whereNull('sent_at')
  await eventually(async () => (await unsent()).length === 0, 'the mails are sent')
  t.truthy(await move())
  const request = { username: ada.username, email: 'eve@people.example', password: newPassword, ip }
  await server.services.registration.register(request)
  const mails = await server.db('outgoing_mail').orderBy('created_at').orderBy('id')
  const told = mails.map(({ template, recipient, data }) => [template, recipient, data])
  t.deepEqual(told, [
    ['verify_email', 'ada@new.example', { ip }],
    ['email_change_requested', 'ada@old.example', { ip, newEmail: 'ada@new.example' }],
    ['email_changed', 'ada@old.example', { ip, newEmail: 'ada@new.example' }],
    ['username_taken', 'eve@people.example', { ip, username: ada.username }],
  ])
})
