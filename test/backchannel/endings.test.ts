import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import { decodeJwt } from 'jose'
import { app } from '../../tools/fixtures.ts'
import {
  addWebApp,
  enterWebApp,
  signInBrowser,
  signOut,
  startLogoutEndpoint,
  writeCode,
} from '../support/clients/signed-in-apps.ts'
import { addPerson, enter, goodPassword, otherPassword } from '../support/people/account-api.ts'
import { addAdmin } from '../support/people/administrator.ts'
import { Clock, startServer, type TestServer } from '../support/server/start-server.ts'

/** Grace is signed in to a web app that wants to be notified. */
async function scene(t: ExecutionContext<unknown>) {
  const server = await startServer(t, { unthrottled: true })
  const endpoint = await startLogoutEndpoint(t)
  const web = await addWebApp(server, 'web', { backchannelLogoutUri: endpoint.uri })
  const { id } = await addPerson(server, 'grace')
  const browser = await signInBrowser(server, 'grace')
  const session = await enterWebApp(server, web, browser)
  /** The sessions that the app was notified of. */
  const notified = async () => {
    await server.services.logoutSender.run()
    return endpoint.tokens.map((token) => decodeJwt(token).sid as string).sort()
  }
  return { server, endpoint, web, id, browser, session, notified }
}

type Scene = Awaited<ReturnType<typeof scene>>

const endings: Readonly<Record<string, (scene: Scene) => Promise<unknown>>> = {
  'signing out on the page': ({ server, browser }) => signOut(server, browser),
  'RP-Initiated Logout 1.0 §2: signing out at the app': ({ server, session }) =>
    server.request(`/oauth/sign-out?id_token_hint=${session.idToken}`),
  'signing out everywhere': async ({ server }) => {
    await (await enter(server, 'grace')).post('logout/all')
  },
  'a new password': async ({ server }) => {
    const grace = await enter(server, 'grace')
    await grace.post('password/change', {
      current_password: goodPassword,
      new_password: otherPassword,
    })
  },
  'an administrator who disables the person': async ({ server, id }) => {
    await (await addAdmin(server)).patch(`users/${id}`, { disabled: true })
  },
  'an administrator who ends the sessions': async ({ server, id }) => {
    await (await addAdmin(server)).patch(`users/${id}`, { end_sessions: true })
  },
  'deleting the account': async ({ server, id }) => {
    await (await addAdmin(server)).delete(`users/${id}`)
  },
  'withdrawing the consent': ({ server, id }) =>
    server.services.consents.withdraw(id, 'web', '192.0.2.1'),
  'RFC 7009: revoking the refresh token': ({ server, web, session }) =>
    server.revoke(session.refreshToken, web),
  'RFC 9700 §4.14.2: a refresh token used twice': async ({ server, web, session }) => {
    await server.refresh(session.refreshToken, {}, web)
    server.clock.advance({ minutes: 10 })
    await server.refresh(session.refreshToken, {}, web)
  },
  'the idle limit of the session': async ({ server }) => {
    server.clock.advance({ days: 8 })
    await server.services.janitor.run()
    await server.services.janitor.run()
  },
  'the expiry of the browser session': async ({ server }) => {
    server.clock.advance({ days: 31 })
    await server.services.janitor.run()
  },
}

for (const [ending, end] of Object.entries(endings)) {
  test(`${ending} → the app is notified of the session, once`, async (t) => {
    const here = await scene(t)
    await end(here)
    t.deepEqual(await here.notified(), [here.session.sid])
    const { server, session, web } = here
    t.is((await server.refresh(session.refreshToken, {}, web)).status, 400)
  })
}

test('RFC 6749 §4.1.2: a code presented again → the app is notified of the session that it began', async (t) => {
  const { server, web, browser, notified, session } = await scene(t)
  const { form } = await writeCode(server, web.id, browser)
  const { body } = await server.token(form, web)
  await server.token(form, web)
  t.deepEqual(await notified(), [decodeJwt(body.id_token).sid as string])
  t.is((await server.refresh(session.refreshToken, {}, web)).status, 200)
})

test('the absolute limit of a session, while its browser is signed in → the app is notified, once', async (t) => {
  const { server, browser, endpoint, session, web } = await scene(t)
  const settings = { backchannelLogoutUri: endpoint.uri, sessionAbsoluteSeconds: 3600 }
  const short = await addWebApp(server, 'short', settings)
  const { sid } = await enterWebApp(server, short, browser)
  server.clock.advance({ days: 1 })
  await server.services.janitor.run()
  await server.services.janitor.run()
  await server.services.logoutSender.run()
  t.deepEqual(
    endpoint.tokens.map((token) => decodeJwt(token).sid),
    [sid],
  )
  t.truthy(await server.services.browsers.find(browser.cookie))
  t.is((await server.refresh(session.refreshToken, {}, web)).status, 200)
})

test('a session that was ended → no second notification when its row is deleted', async (t) => {
  const { server, browser, session, notified } = await scene(t)
  await signOut(server, browser)
  t.deepEqual(await notified(), [session.sid])
  server.clock.advance({ days: 31 })
  await server.services.janitor.run()
  t.deepEqual(await notified(), [session.sid])
})

test('signing out with two apps → each is notified of its own session, others of none', async (t) => {
  const { server, web, browser, session, notified } = await scene(t)
  const other = await startLogoutEndpoint(t)
  const second = await addWebApp(server, 'second', { backchannelLogoutUri: other.uri })
  const silent = await addWebApp(server, 'silent')
  const { sid } = await enterWebApp(server, second, browser)
  const quiet = await enterWebApp(server, silent, browser)
  const elsewhere = await enterWebApp(server, web, await signInBrowser(server))
  await signOut(server, browser)
  t.deepEqual(await notified(), [session.sid])
  t.deepEqual(
    other.tokens.map((token) => decodeJwt(token).sid),
    [sid],
  )
  t.is((await server.refresh(quiet.refreshToken, {}, silent)).status, 400)
  t.is((await server.refresh(elsewhere.refreshToken, {}, web)).status, 200)
})

test('BCL 1.0 §2.7: a session that outlives the browser → goes on after signing out, and is not notified', async (t) => {
  const { server, web, browser, session, notified } = await scene(t)
  const offline = await enterWebApp(server, web, browser, { outlivesBrowser: true })
  await signOut(server, browser)
  t.deepEqual(await notified(), [session.sid])
  const { status, body } = await server.refresh(offline.refreshToken, {}, web)
  t.is(status, 200)
  await server.services.userSessions.endAll(browser.session.userId, '192.0.2.1')
  t.deepEqual(await notified(), [session.sid, offline.sid].sort())
  t.is((await server.refresh(body.refresh_token, {}, web)).status, 400)
})

test('a session without a browser → its end notifies no client', async (t) => {
  const server = await startServer(t)
  const endpoint = await startLogoutEndpoint(t)
  await server.db('clients').where({ id: app.id }).update({ backchannel_logout_uri: endpoint.uri })
  const { body } = await server.signIn()
  await server.revoke(body.refresh_token)
  t.is((await server.refresh(body.refresh_token)).status, 400)
  t.deepEqual(await server.db('logout_deliveries'), [])
})

test('a session without a browser that reaches its idle or absolute limit → notifies no client', async (t) => {
  const server = await startServer(t)
  const endpoint = await startLogoutEndpoint(t)
  await server.db('clients').where({ id: app.id }).update({ backchannel_logout_uri: endpoint.uri })
  await server.signIn()
  server.clock.advance({ days: 29 })
  const { body } = await server.signIn()
  await server
    .db('refresh_families')
    .where({ sid: decodeJwt(body.access_token).sid })
    .update({
      expires_at: server.clock.now(),
    })
  server.clock.advance({ days: 1 })
  t.like(await server.services.janitor.run(), { sessions: 1, idle_sessions: 1 })
  t.deepEqual(await server.db('logout_deliveries'), [])
})

test('a client that is disabled → its sessions end, and it is not called', async (t) => {
  const { server, web, browser, session, notified } = await scene(t)
  await server.services.clients.disable(web.id)
  await signOut(server, browser)
  t.deepEqual(await notified(), [])
  t.is((await server.refresh(session.refreshToken, {}, web)).status, 401)
})

/** Sends what is due, in a process of its own. */
function startSender(t: ExecutionContext<unknown>, server: TestServer) {
  const program = fileURLToPath(
    new URL('../support/clients/logout-sender-process.js', import.meta.url),
  )
  const child = spawn(process.execPath, [program, server.databaseUrl], {
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  t.teardown(() => child.kill('SIGKILL'))
  return { child, exit: once(child, 'exit') }
}

test('a process killed after the client answered → the client gets the same jti again', async (t) => {
  // The clock stands still: a busy machine may need longer than the lease.
  const server = await startServer(t, { clock: new Clock(new Date()) })
  const endpoint = await startLogoutEndpoint(t, () => undefined)
  const web = await addWebApp(server, 'web', { backchannelLogoutUri: endpoint.uri })
  const browser = await signInBrowser(server)
  const { sid } = await enterWebApp(server, web, browser)
  // This instance sends nothing: the other one does, and dies.
  await server.services.logoutSender.stop(0)
  await signOut(server, browser)
  const { child, exit } = startSender(t, server)
  endpoint.reply = (_, response) => {
    // It stands still, so that it can't write that the answer came.
    child.kill('SIGSTOP')
    response.end(() => child.kill('SIGKILL'))
  }
  await exit
  t.is(endpoint.tokens.length, 1)
  t.like(await server.db('logout_deliveries').first(), { delivered_at: null, attempts: 1 })
  endpoint.reply = (_, response) => response.end()
  const next = await startServer(t, { beside: server })
  await next.services.logoutSender.run()
  t.is(endpoint.tokens.length, 1, 'the lease of the dead process is respected')
  server.clock.advance({ minutes: 10 })
  await next.services.logoutSender.run()
  const [first, second] = endpoint.tokens.map((token) => decodeJwt(token))
  t.is(endpoint.tokens.length, 2)
  t.is(first?.jti, second?.jti)
  t.is(second?.sid, sid)
})
