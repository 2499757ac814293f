import test from 'ava'
import type { NewSession } from '../../src/sessions/new-session.ts'
import { ada, app, orders } from '../../tools/fixtures.ts'
import { addWebApp, enterWebApp, signInBrowser } from '../support/clients/signed-in-apps.ts'
import { startServer, type TestServer } from '../support/server/start-server.ts'

async function request(server: TestServer): Promise<NewSession> {
  const user = await server.db('users').where({ username: ada.username }).first()
  return {
    user: { id: user.id, passwordChangedAt: user.password_changed_at },
    clientId: app.id,
    scope: ['read'],
    audience: [orders],
    authTime: server.clock.now(),
    amr: ['pwd'],
    idleSeconds: 3600,
    absoluteSeconds: 86_400,
    ip: '::1',
    userAgent: 'x'.repeat(400),
  }
}

/** A session and its event, without the values that differ each time. */
async function written({ db }: TestServer, sid: string) {
  const { seed_digest: _, ...session } = await db('refresh_families').where({ sid }).first()
  const { id: __, ...event } = await db('audit_events').where({ sid }).first()
  return { session: { ...session, sid: '' }, event: { ...event, sid: '' } }
}

test('a sign-in in one statement writes the same session and audit event as one in a transaction', async (t) => {
  const server = await startServer(t)
  const few = await startServer(t, { beside: server, environment: { SESSIONS_PER_USER: '20' } })
  const wish = await request(server)
  // The server does other things meanwhile, on other connections.
  const begun = new Set<string>()
  const ofSessions = new Set<string>()
  for (const { db } of [server, few])
    db.on('query', ({ sql, __knexUid: connection }) => {
      if (/^BEGIN/.test(sql)) begun.add(connection)
      else if (/^(COMMIT|ROLLBACK)/.test(sql)) begun.delete(connection)
      else if (begun.has(connection) && sql.includes('refresh_families')) ofSessions.add(connection)
    })
  const atOnce = await server.services.families.begin(wish)
  t.is(ofSessions.size, 0)
  const inTurn = await few.services.families.begin(wish)
  t.is(ofSessions.size, 1)
  const [one, other] = [
    await written(server, atOnce?.session.sid ?? ''),
    await written(server, inTurn?.session.sid ?? ''),
  ]
  const now = { auth_time: 0, idle_expires_at: 0, expires_at: 0 }
  t.deepEqual({ ...one.session, ...now }, { ...other.session, ...now })
  t.deepEqual({ ...one.event, at: 0 }, { ...other.event, at: 0 })
  t.like(one.session, { ip: '::1', generation: 0, user_agent: 'x'.repeat(300) })
  t.is(one.session.expires_at - one.event.at, 86_400_000)
  t.is(one.session.idle_expires_at - one.event.at, 3_600_000)
  t.deepEqual(one.session.auth_time, wish.authTime)
  t.deepEqual(other.session.auth_time, wish.authTime)
})

test('a person who was disabled or changed the password after its check gets no session', async (t) => {
  const server = await startServer(t)
  const { families } = server.services
  const wish = await request(server)
  const soon = new Date(wish.user.passwordChangedAt.getTime() + 1)
  t.is(
    await families.begin({ ...wish, user: { ...wish.user, passwordChangedAt: soon } }),
    undefined,
  )
  t.is(await families.begin({ ...wish, clientId: 'nobody' }), undefined)
  for (const table of ['users', 'clients']) {
    await server.db(table).update({ disabled_at: new Date() })
    t.is(await families.begin(wish), undefined, table)
    await server.db(table).update({ disabled_at: null })
  }
  t.deepEqual(await server.db('refresh_families'), [])
  t.deepEqual(await server.db('audit_events').whereNotNull('sid'), [])
  t.truthy(await families.begin(wish))
})

test('many concurrent sign-ins of one person leave no more sessions than the limit', async (t) => {
  const server = await startServer(t, { environment: { SESSIONS_PER_USER: '30' } })
  const wish = await request(server)
  await Promise.all(Array.from({ length: 60 }, () => server.services.families.begin(wish)))
  t.is((await server.db('refresh_families').whereNull('revoked_at')).length, 30)
  t.is((await server.db('audit_events').where({ event: 'user.signed_in' })).length, 60)
  t.is((await server.db('revocations').where({ kind: 'sid' })).length, 30)
})

test('more browsers sign in than a person may have → the oldest is signed out, with its apps', async (t) => {
  const server = await startServer(t)
  const web = await addWebApp(server, 'web')
  const { session, cookie } = await signInBrowser(server)
  const { sid } = await enterWebApp(server, web, { session, cookie, isNew: true })
  await server.db.raw(
    `INSERT INTO browser_sessions (id, user_id, created_at, auth_time, amr, acr, remembered,
                                   idle_expires_at, expires_at)
     SELECT gen_random_uuid(), user_id, created_at + number * interval '1 millisecond', auth_time, amr, acr,
            false, created_at, expires_at
       FROM browser_sessions, generate_series(1, 198) AS number`,
  )
  server.clock.advance({ seconds: 1 })
  const latest = await signInBrowser(server)
  t.truthy(await server.services.browsers.find(cookie), 'the limit itself is allowed')
  await signInBrowser(server)
  const ended = await server.db('browser_sessions').whereNotNull('revoked_at')
  t.deepEqual(
    ended.map((row) => [row.id, row.revoked_reason]),
    [[session.id, 'session_limit']],
  )
  t.like(await server.db('refresh_families').where({ sid }).first(), {
    revoked_reason: 'session_limit',
  })
  t.truthy(await server.services.browsers.find(latest.cookie))
})

test('RFC 6749 §4.1.3: more codes are redeemed than a person may have sessions → the oldest end', async (t) => {
  const server = await startServer(t, { environment: { SESSIONS_PER_USER: '22' } })
  const web = await addWebApp(server, 'web')
  const browser = await signInBrowser(server)
  const sids: string[] = []
  for (let code = 0; code < 25; code += 1) sids.push((await enterWebApp(server, web, browser)).sid)
  const live = await server
    .db('refresh_families')
    .whereNull('revoked_at')
    .orderBy('sid')
    .pluck('sid')
  t.deepEqual(live, sids.slice(3))
})
