import test from 'ava'
import type { RecordedEvent } from '../../src/audit/audit-log.ts'
import { ada, app } from '../../tools/fixtures.ts'
import type { Answer } from '../../tools/http-client.ts'
import { register } from '../support/clients/clients.ts'
import { disable, setPassword } from '../support/people/administer-people.ts'
import { startServer, type TestServer } from '../support/server/start-server.ts'

const events = (server: TestServer): Promise<RecordedEvent[]> =>
  server.db('audit_events').orderBy('id')

/** The events since the last call. */
async function since(server: TestServer, work: () => Promise<unknown>): Promise<RecordedEvent[]> {
  const before = (await events(server)).length
  await work()
  return (await events(server)).slice(before)
}

test('ASVS 16.3.1: each use case records its event', async (t) => {
  const server = await startServer(t)
  const { users, clients } = server.services
  const ip = '127.0.0.1'
  const { id: user_id } = await server.db('users').first()
  let session: Answer['body'] = {}
  const expect = async (
    event: string,
    work: () => Promise<unknown>,
    like: Partial<RecordedEvent>,
  ) => {
    const found = (await since(server, work)).filter((row) => row.event === event)
    t.is(found.length, 1, event)
    t.like(found[0], like, event)
  }
  const signIn = async () => {
    session = (await server.signIn()).body
  }
  await expect('user.signed_in', signIn, { user_id, client_id: 'app', ip })
  const { sid } = (await server.introspect(session.access_token)).body
  t.is((await events(server)).at(-1)?.sid, sid)
  const wrong = { password: 'wrong password' }
  await expect('user.sign_in_failed', () => server.signIn(wrong), { client_id: 'app', ip })
  await expect(
    'client.authentication_failed',
    () => server.clientCredentials({}, { id: 'app', secret: 'wrong' }),
    { client_id: 'app', ip, detail: { reason: 'wrong secret' } },
  )
  const other = await register(server, 'other')
  t.like((await events(server)).at(-1), { event: 'client.created', client_id: 'other', ip: null })
  await expect('token.revocation_refused', () => server.revoke(session.access_token, other), {
    ...{ client_id: 'other', ip },
  })
  await expect('token.revoked', () => server.revoke(session.access_token), {
    ...{ client_id: 'app', sid, ip },
  })
  await expect('session.revoked', () => server.revoke(session.refresh_token), {
    ...{ user_id, client_id: 'app', sid, ip },
  })
  await signIn()
  const reuse = async () => {
    await server.refresh(session.refresh_token)
    server.clock.advance({ minutes: 1 })
    await server.refresh(session.refresh_token)
  }
  await expect('session.reused', reuse, { user_id, client_id: 'app', ip })
  await expect('client.secret_rotated', () => clients.rotateSecret('other', 60), {
    ...{ client_id: 'other', detail: { overlapSeconds: 60 } },
  })
  await expect('client.disabled', () => clients.disable('other'), { client_id: 'other' })
  const grace = { username: 'grace', password: 'another long password', roles: [] }
  await expect('user.created', () => users.create(grace), { ip: null })
  await expect('user.password_set', () => setPassword(server, 'grace', ada.password), {
    ip: null,
  })
  await expect('user.disabled', () => disable(server, 'grace'), { detail: { sessions: 0 } })
})

test('a rolled-back change leaves no event, and a committed one always has its event', async (t) => {
  const server = await startServer(t)
  await server.db('audit_events').delete()
  await server.db.raw('ALTER TABLE audit_events RENAME TO away')
  t.is((await server.signIn()).status, 500)
  t.deepEqual(await server.db('refresh_families'), [])
  await t.throwsAsync(disable(server, 'ada'))
  await server.db.raw('ALTER TABLE away RENAME TO audit_events')
  t.is((await server.signIn()).status, 200, 'the person was not disabled')
  t.deepEqual(
    (await events(server)).map(({ event }) => event),
    ['user.signed_in'],
  )
})

test('ASVS 16.2.5: no secret appears in the audit trail or the log', async (t) => {
  const lines: string[] = []
  const server = await startServer(t, { logTo: (line) => lines.push(line) })
  const { users, clients } = server.services
  const secrets = new Set([ada.password, app.secret])
  const used = <T extends string>(secret: T): T => {
    secrets.add(secret)
    return secret
  }
  const keep = ({ body }: Answer): Answer['body'] => {
    for (const name of ['access_token', 'refresh_token']) {
      if (body?.[name]) used(body[name])
    }
    return body
  }
  const other = await register(server, 'other')
  used(other.secret)
  for (let round = 0; round < 3; round += 1) {
    const first = keep(await server.signIn())
    const second = keep(await server.refresh(first.refresh_token))
    keep(await server.refresh(first.refresh_token))
    await server.introspect(second.access_token)
    await server.revoke(second.access_token, other)
    await server.revoke(second.access_token)
    server.clock.advance({ minutes: 1 })
    await server.refresh(first.refresh_token)
    await server.refresh(second.refresh_token)
    const third = keep(await server.signIn())
    await server.revoke(third.refresh_token)
    keep(await server.clientCredentials({}, other))
    await server.signIn({ password: used('the wrong password') })
    await server.signIn({ username: used('typed password as name') })
    await server.clientCredentials({}, { id: 'app', secret: used('the wrong secret') })
    await server.clientCredentials({}, { id: 'other', secret: used(`${other.secret}x`) })
    await server.token({ grant_type: 'password', client_assertion: used('a.b.c') })
    await server.refresh(used(`${second.refresh_token}x`))
    await server.get(`/oauth/token?access_token=${used('token-in-a-query')}`)
  }
  const password = used('another long password')
  await users.create({ username: 'grace', password, roles: [] })
  await setPassword(server, 'grace', used('and a third long one'))
  used((await clients.rotateSecret('other', 60)) ?? '')
  for (const { password_hash } of await server.db('users')) used(password_hash)
  const trail = JSON.stringify(await events(server))
  const log = lines.join('\n')
  t.true(trail.length > 2000 && lines.length > 40, 'there is something to look at')
  for (const secret of secrets) {
    t.false(trail.includes(secret), `the audit trail holds ${secret}`)
    t.false(log.includes(secret), `the log holds ${secret}`)
  }
})

test('ASVS 16.4.1: a caller cannot forge an event by what it sends', async (t) => {
  const server = await startServer(t, { environment: { TRUSTED_PROXIES: 'loopback' } })
  const from = async (forwarded: string) => {
    const [row] = await since(server, () =>
      server.request('/oauth/token', {
        method: 'POST',
        headers: { 'x-forwarded-for': forwarded },
        body: new URLSearchParams({ grant_type: 'password', client_id: 'app' }),
      }),
    )
    return row
  }
  for (const [forwarded, ip] of [
    ['203.0.113.7', '203.0.113.7'],
    ['2001:db8::7', '2001:db8::7'],
    ['fe80::1%eth0', 'fe80::1'],
    ['unknown', null],
    ["'; DROP TABLE audit_events; --", null],
  ] as const) {
    const row = await from(forwarded)
    t.like(row, { event: 'client.authentication_failed', client_id: 'app' }, forwarded)
    if (ip !== null) t.is(row?.ip, ip)
    else t.true(row?.ip === null || /^127\.|^::1/.test(row?.ip ?? ''), forwarded)
  }
})

test('the trail of one person is found by their id', async (t) => {
  const server = await startServer(t)
  await server.signIn()
  await disable(server, 'ada')
  const { id } = await server.db('users').first()
  const names = await server.db('audit_events').where({ user_id: id }).orderBy('id').pluck('event')
  t.deepEqual(names, ['user.signed_in', 'user.disabled'])
})
