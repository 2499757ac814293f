import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import test, { type ExecutionContext } from 'ava'
import { createLocalJWKSet, decodeJwt, jwtVerify } from 'jose'
import { eventually } from '../../tools/eventually.ts'
import {
  addWebApp,
  enterWebApp,
  type LogoutEndpoint,
  signInBrowser,
  signOut,
  startLogoutEndpoint,
} from '../support/clients/signed-in-apps.ts'
import { startServer, type TestServer } from '../support/server/start-server.ts'

type Reply = LogoutEndpoint['reply']

/** A web app whose session has just ended: its notification is under way. */
async function notified(t: ExecutionContext<unknown>, reply?: Reply) {
  const logged: string[] = []
  const server = await startServer(t, { logTo: (line) => logged.push(line) })
  const endpoint = await startLogoutEndpoint(t, reply)
  const app = await addWebApp(server, 'web', { backchannelLogoutUri: endpoint.uri })
  const browser = await signInBrowser(server)
  const session = await enterWebApp(server, app, browser)
  await signOut(server, browser)
  await server.services.logoutSender.run()
  return { server, endpoint, session, logged }
}

const delivery = ({ db }: TestServer) => db('logout_deliveries').first()

/** Lets time pass, and sends whatever is due then. */
async function later({ clock, services }: TestServer, time: Parameters<typeof clock.advance>[0]) {
  clock.advance(time)
  await services.logoutSender.run()
}

test('BCL 1.0 §2.4, §2.5: sign-out → the client gets a signed logout token in a form', async (t) => {
  const { server, endpoint, session } = await notified(t)
  const [token = ''] = endpoint.tokens
  const [request] = endpoint.requests
  t.is(request?.method, 'POST')
  t.is(request?.headers['content-type'], 'application/x-www-form-urlencoded')
  const { body: jwks } = await server.get('/.well-known/jwks.json')
  const { payload, protectedHeader } = await jwtVerify(token, createLocalJWKSet(jwks), {
    issuer: server.app.issuer,
    audience: 'web',
    typ: 'logout+jwt',
    algorithms: ['RS256'],
  })
  const row = await delivery(server)
  t.is(protectedHeader.typ, 'logout+jwt')
  t.deepEqual(Object.keys(payload).sort(), 'aud events exp iat iss jti sid sub'.split(' '))
  t.deepEqual(payload.events, { 'http://schemas.openid.net/event/backchannel-logout': {} })
  t.is(payload.sid, session.sid)
  t.is(payload.sub, decodeJwt(session.idToken).sub)
  t.is(payload.jti, row.id)
  t.is((payload.exp ?? 0) - (payload.iat ?? 0), 120)
  t.truthy(row.delivered_at)
  t.is(endpoint.tokens.length, 1)
})

test('a client that answers 204 → delivered once', async (t) => {
  const { server, endpoint } = await notified(t, (_, response) => response.writeHead(204).end())
  await later(server, { hours: 12 })
  t.is(endpoint.tokens.length, 1)
  t.truthy((await delivery(server)).delivered_at)
})

test('a client that is away for an hour → it gets the notification when it is back', async (t) => {
  const server = await startServer(t)
  const endpoint = await startLogoutEndpoint(t)
  const app = await addWebApp(server, 'web', { backchannelLogoutUri: endpoint.uri })
  const browser = await signInBrowser(server)
  await enterWebApp(server, app, browser)
  await endpoint.close()
  await signOut(server, browser)
  for (let minutes = 0; minutes < 60; minutes += 5) await later(server, { minutes: 5 })
  const waiting = await delivery(server)
  t.like(waiting, { delivered_at: null, given_up_at: null })
  t.regex(waiting.last_error, /ECONNREFUSED/)
  t.true(waiting.attempts > 3 && waiting.attempts < 10, `${waiting.attempts} attempts`)
  await endpoint.open()
  await later(server, { minutes: 60 })
  t.is(endpoint.tokens.length, 1)
  t.is(decodeJwt(endpoint.tokens[0] ?? '').jti, waiting.id)
})

test('a client that is away for three days → given up, and logged', async (t) => {
  const { server, endpoint, logged } = await notified(t, (_, response) =>
    response.writeHead(503).end(),
  )
  for (let hours = 0; hours < 66; hours += 6) await later(server, { hours: 6 })
  t.is((await delivery(server)).given_up_at, null)
  await later(server, { hours: 12 })
  t.truthy((await delivery(server)).given_up_at)
  t.regex(logged.join(''), /logout notification given up/)
  const attempts = endpoint.tokens.length
  await later(server, { days: 1 })
  t.is(endpoint.tokens.length, attempts)
})

test('a client that answers 400 → asked three times, then given up', async (t) => {
  const { server, endpoint } = await notified(t, (_, response) => response.writeHead(400).end())
  for (let tries = 0; tries < 5; tries += 1) await later(server, { hours: 1 })
  t.is(endpoint.tokens.length, 3)
  const row = await delivery(server)
  t.truthy(row.given_up_at)
  t.like(row, { last_error: 'status 400', delivered_at: null })
  t.is(new Set(endpoint.tokens.map((token) => decodeJwt(token).jti)).size, 1)
})

test('failures before a refusal → the refusal is still repeated twice', async (t) => {
  const { server, endpoint } = await notified(t, (_, response) => response.writeHead(500).end())
  for (let tries = 0; tries < 4; tries += 1) await later(server, { hours: 1 })
  endpoint.reply = (_, response) => response.writeHead(400).end()
  await later(server, { hours: 2 })
  t.is((await delivery(server)).given_up_at, null)
  await later(server, { hours: 4 })
  await later(server, { hours: 6 })
  t.truthy((await delivery(server)).given_up_at)
})

test('a client that redirects → the redirect is not followed', async (t) => {
  const elsewhere = await startLogoutEndpoint(t)
  const { server } = await notified(t, (_, response) =>
    response.writeHead(307, { location: elsewhere.uri }).end(),
  )
  t.is(elsewhere.tokens.length, 0)
  t.like(await delivery(server), { last_error: 'status 307', delivered_at: null })
})

test('an endless answer → cut off after a few KB, and its status counts', async (t) => {
  let sent = 0
  const { server } = await notified(t, (_, response) => {
    const write = () => {
      while (!response.destroyed) {
        sent += 1024
        if (!response.write(Buffer.alloc(1024))) return response.once('drain', write)
      }
      return response
    }
    write()
  })
  t.truthy((await delivery(server)).delivered_at)
  t.true(sent < 20e6, `${sent} bytes`)
})

test('endless headers → refused, and tried again', async (t) => {
  const { server } = await notified(t, (_, response) =>
    response.writeHead(200, { 'x-long': 'x'.repeat(8000) }).end(),
  )
  const row = await delivery(server)
  t.like(row, { delivered_at: null, given_up_at: null })
  t.truthy(row.last_error)
})

test('a client that never answers → no answer after five seconds, and the next attempt follows', async (t) => {
  const { server, endpoint } = await notified(t, () => undefined)
  t.like(await delivery(server), { last_error: 'no answer within 5 seconds', attempts: 1 })
  endpoint.reply = (_, response) => response.end()
  await later(server, { seconds: 5 })
  t.is(endpoint.tokens.length, 2)
  t.truthy((await delivery(server)).delivered_at)
})

test('a client that answers slowly → called twice at once at most, and the others are not held up', async (t) => {
  const server = await startServer(t)
  const slow = await startLogoutEndpoint(t, () => undefined)
  const quick = await startLogoutEndpoint(t)
  const apps = [
    await addWebApp(server, 'a-slow', { backchannelLogoutUri: slow.uri }),
    await addWebApp(server, 'b-quick', { backchannelLogoutUri: quick.uri }),
  ]
  const browser = await signInBrowser(server)
  for (let sessions = 0; sessions < 20; sessions += 1) {
    for (const app of apps) await enterWebApp(server, app, browser)
  }
  await signOut(server, browser)
  await eventually(() => quick.tokens.length === 20, 'the quick client got all of them')
  t.true(slow.tokens.length < 10, 'without waiting for the slow one')
  t.is(slow.mostOpen, 2)
  t.true(quick.mostOpen <= 2)
})

test('1,000 sessions of three clients → each is notified, a few at a time', async (t) => {
  const server = await startServer(t)
  const endpoints = await Promise.all([1, 2, 3].map(() => startLogoutEndpoint(t)))
  const browser = await signInBrowser(server)
  for (const [at, { uri }] of endpoints.entries()) {
    await addWebApp(server, `web-${at}`, { backchannelLogoutUri: uri })
    await server.db.raw(
      `INSERT INTO refresh_families (sid, user_id, client_id, scope, audience, seed_digest, auth_time, amr,
                                     browser_session_id, idle_expires_at, expires_at)
       SELECT gen_random_uuid(), ?, ?, '{}', '{}', sha256('x'), now(), '{}', ?,
              now() + interval '7 days', now() + interval '30 days'
         FROM generate_series(1, ?)`,
      [browser.session.userId, `web-${at}`, browser.session.id, at === 0 ? 334 : 333],
    )
  }
  await signOut(server, browser)
  await server.services.logoutSender.run()
  t.deepEqual(
    endpoints.map(({ tokens }) => tokens.length),
    [334, 333, 333],
  )
  t.true(endpoints.every(({ mostOpen }) => mostOpen <= 2))
  t.is((await server.services.logoutDeliveries.backlog()).waiting, 0)
})

test('two instances → each notification is sent once', async (t) => {
  const server = await startServer(t)
  const other = await startServer(t, { beside: server })
  const endpoint = await startLogoutEndpoint(t)
  const app = await addWebApp(server, 'web', { backchannelLogoutUri: endpoint.uri })
  const browser = await signInBrowser(server)
  for (let sessions = 0; sessions < 30; sessions += 1) await enterWebApp(server, app, browser)
  await signOut(server, browser)
  await Promise.all([server.services.logoutSender.run(), other.services.logoutSender.run()])
  await eventually(() => endpoint.tokens.length >= 30, 'all were sent')
  await sleep(200)
  t.is(new Set(endpoint.tokens.map((token) => decodeJwt(token).jti)).size, 30)
  t.is(endpoint.tokens.length, 30)
})

test('an address that is neither https nor on loopback → never called', async (t) => {
  const { server, endpoint } = await notified(t, (_, response) => response.writeHead(500).end())
  await server
    .db('clients')
    .where({ id: 'web' })
    .update({
      backchannel_logout_uri: endpoint.uri.replace('127.0.0.1', '127.0.0.2'),
    })
  await later(server, { hours: 1 })
  t.is(endpoint.tokens.length, 1)
  t.regex((await delivery(server)).last_error, /neither https nor on loopback/)
})

test('a client that was disabled meanwhile → not called again', async (t) => {
  const { server, endpoint } = await notified(t, (_, response) => response.writeHead(500).end())
  await server.services.clients.disable('web')
  await later(server, { hours: 1 })
  t.is(endpoint.tokens.length, 1)
  t.truthy((await delivery(server)).given_up_at)
})

test('the server stops → a notification under way is aborted, and sent by the next one', async (t) => {
  const server = await startServer(t)
  const endpoint = await startLogoutEndpoint(t, () => undefined)
  const app = await addWebApp(server, 'web', { backchannelLogoutUri: endpoint.uri })
  const browser = await signInBrowser(server)
  await enterWebApp(server, app, browser)
  await signOut(server, browser)
  await eventually(() => endpoint.requests.length === 1, 'it is under way')
  const aborted = endpoint.requests[0] && once(endpoint.requests[0].socket, 'close')
  await server.services.logoutSender.stop(0)
  await aborted
  t.like(await delivery(server), { delivered_at: null, given_up_at: null })
  endpoint.reply = (_, response) => response.end()
  const next = await startServer(t, { beside: server })
  await later(next, { minutes: 1 })
  t.is(endpoint.tokens.length, 2)
})
