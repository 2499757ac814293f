import test from 'ava'
import {
  addWebApp,
  enterWebApp,
  signInBrowser,
  startLogoutEndpoint,
  writeCode,
} from '../support/clients/signed-in-apps.ts'
import { addPerson } from '../support/people/account-api.ts'
import { startServer, type TestServer } from '../support/server/start-server.ts'

const sweep = ({ services }: TestServer) => services.janitor.run()

test('a browser session that expires → its sessions end with it, except those that outlive it', async (t) => {
  const server = await startServer(t)
  const web = await addWebApp(server, 'web')
  const browser = await signInBrowser(server)
  const { sid } = await enterWebApp(server, web, browser)
  const offline = await enterWebApp(server, web, browser, { outlivesBrowser: true })
  server.clock.advance({ days: 5 })
  t.like(await sweep(server), { expired_browser_sessions: 0 })
  server.clock.advance({ days: 25, minutes: 1 })
  t.like(await sweep(server), { expired_browser_sessions: 1, browser_sessions: 0 })
  t.like(await server.db('browser_sessions').first(), { revoked_reason: 'expired' })
  const revoked = await server.db('revocations').where({ kind: 'sid' }).pluck('value')
  t.true(revoked.includes(sid))
  t.false(revoked.includes(offline.sid))
  server.clock.advance({ days: 1, minutes: 1 })
  t.like(await sweep(server), { expired_browser_sessions: 0, browser_sessions: 1 })
  t.deepEqual(await server.db('browser_sessions'), [])
})

test('a browser session that is merely idle → the sessions that began from it go on', async (t) => {
  const server = await startServer(t)
  const web = await addWebApp(server, 'web')
  const browser = await signInBrowser(server)
  let { refreshToken } = await enterWebApp(server, web, browser)
  for (let weeks = 0; weeks < 3; weeks += 1) {
    server.clock.advance({ days: 6 })
    await sweep(server)
    const { status, body, text } = await server.refresh(refreshToken, {}, web)
    t.is(status, 200, text)
    refreshToken = body.refresh_token
  }
  t.is(await server.services.browsers.find(browser.cookie), undefined)
})

test('many expired browsers → all end, in transactions of a hundred', async (t) => {
  const server = await startServer(t)
  const endpoint = await startLogoutEndpoint(t)
  await addWebApp(server, 'web', { backchannelLogoutUri: endpoint.uri })
  const { session } = await signInBrowser(server)
  await server.db.raw(
    `WITH browser AS (
       INSERT INTO browser_sessions (id, user_id, created_at, auth_time, amr, acr, remembered,
                                     idle_expires_at, expires_at)
       SELECT gen_random_uuid(), ?, now(), now(), '{}', '', false, now(), now() - interval '1 second'
         FROM generate_series(1, 120)
       RETURNING *
     )
     INSERT INTO refresh_families (sid, user_id, client_id, scope, audience, seed_digest, auth_time, amr,
                                   browser_session_id, idle_expires_at, expires_at)
     SELECT gen_random_uuid(), user_id, 'web', '{}', '{}', sha256('x'), now(), '{}', id, now(), expires_at
       FROM browser`,
    [session.userId],
  )
  t.like(await sweep(server), { expired_browser_sessions: 120 })
  t.is((await server.db('logout_deliveries')).length, 120)
  await server.services.logoutSender.run()
  t.is(endpoint.tokens.length, 120)
  server.clock.advance({ days: 29 })
  t.like(await sweep(server), { logout_deliveries: 0 })
  server.clock.advance({ days: 2 })
  t.like(await sweep(server), { logout_deliveries: 120 })
})

test('RFC 6749 §4.1.2: a code that was not redeemed within a minute → deleted', async (t) => {
  const server = await startServer(t)
  await addWebApp(server, 'web')
  await writeCode(server, 'web', await signInBrowser(server))
  server.clock.advance({ seconds: 10 })
  t.like(await sweep(server), { authorization_codes: 0 })
  server.clock.advance({ minutes: 1 })
  t.like(await sweep(server), { authorization_codes: 1 })
})

test('a deleted person → nothing of their browsers is left', async (t) => {
  const server = await startServer(t)
  const { id } = await addPerson(server, 'grace')
  const web = await addWebApp(server, 'web')
  await enterWebApp(server, web, await signInBrowser(server, 'grace'))
  await server.services.administration.delete(id)
  server.clock.advance({ minutes: 2 })
  await sweep(server)
  t.deepEqual(await server.db('browser_sessions'), [])
  t.deepEqual(await server.db('refresh_families'), [])
})
