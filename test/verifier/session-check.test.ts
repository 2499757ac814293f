import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import test, { type ExecutionContext } from 'ava'
import express from 'express'
import fastify from 'fastify'
import Koa from 'koa'
import { liveSession as forExpress } from '../../src/verifier/express.ts'
import { liveSession as forFastify } from '../../src/verifier/fastify.ts'
import { liveSession as forKoa } from '../../src/verifier/koa.ts'
import type {
  RevocationOptions,
  SessionCheck,
  StoredSession,
  Verifier,
} from '../../src/verifier/verifier.ts'
import { eventually } from '../../tools/eventually.ts'
import {
  addWebApp,
  enterWebApp,
  signInBrowser,
  signOut,
} from '../support/clients/signed-in-apps.ts'
import { startServer } from '../support/server/start-server.ts'
import { verifierOf } from './evil-issuer.ts'

/** A person who is signed in to a web app that follows the list. */
async function scene(t: ExecutionContext<unknown>, revocations: RevocationOptions = {}) {
  const server = await startServer(t)
  const web = await addWebApp(server, 'web')
  const browser = await signInBrowser(server)
  const { sid } = await enterWebApp(server, web, browser)
  const { issuer } = server.app
  const open = () =>
    verifierOf(
      t,
      { issuer, now: server.clock.now },
      { audience: web.id, revocations, timeoutSeconds: 2 },
    )
  const verifier = open()
  await verifier.ready()
  const session: StoredSession = { sid, checkedAt: server.clock.now().getTime() }
  const stateOf = async (at = session) => (await verifier.checkSession(at)).state
  return { server, browser, web, session, verifier, stateOf, open }
}

test('signing out at the issuer → the session of the app ends within a moment, for later instances too', async (t) => {
  const { server, browser, web, session, stateOf, open } = await scene(t)
  const other = await enterWebApp(server, web, await signInBrowser(server))
  t.is(await stateOf(), 'live')
  await signOut(server, browser)
  await eventually(async () => (await stateOf()) === 'ended', 'it has ended')
  t.is(await stateOf({ ...session, sid: other.sid }), 'live', 'no other session ends')
  t.is((await open().checkSession(session)).state, 'ended')
})

test('a session that ended a day ago, whatever its tokens lived → never live again', async (t) => {
  const { server, browser, session, stateOf } = await scene(t)
  await server.db('refresh_families').update({
    idle_expires_at: new Date(server.clock.now().getTime() + 60_000),
    expires_at: new Date(server.clock.now().getTime() + 60_000),
  })
  await signOut(server, browser)
  await eventually(async () => (await stateOf()) === 'ended', 'it has ended')
  server.clock.advance({ hours: 23, minutes: 50 })
  await server.services.janitor.run()
  t.is(await stateOf(), 'ended', 'the app asks hours later')
  server.clock.advance({ hours: 2 })
  await server.services.janitor.run()
  t.is(await stateOf(), 'unknown', 'the entry is gone')
  t.is(await stateOf({ ...session, checkedAt: Number.NaN }), 'unknown')
})

test('a session that is checked again and again → live for weeks', async (t) => {
  // Its polls wait for half of this.
  const { server, session, verifier, stateOf } = await scene(t, { maxStaleSeconds: 2 })
  for (let days = 0; days < 3; days += 1) {
    server.clock.advance({ hours: 20 })
    let check: SessionCheck | undefined
    await eventually(async () => {
      check = await verifier.checkSession(session)
      return check.checkedAt > server.clock.now().getTime() - 60_000
    }, 'the list is fresh again')
    t.is(check?.state, 'live')
    session.checkedAt = check?.checkedAt ?? 0
  }
  t.is(await stateOf(), 'live')
})

test('the issuer is away → what is known still counts, and nothing counts as checked', async (t) => {
  const { server, browser, session, verifier, stateOf } = await scene(t)
  const before = (await verifier.checkSession(session)).checkedAt
  await server.stop()
  server.clock.advance({ hours: 2 })
  const later = await verifier.checkSession(session)
  t.is(later.state, 'live')
  t.true(later.checkedAt - before < 60_000, 'the time of the last list')
  server.clock.advance({ hours: 22 })
  t.is(await stateOf(), 'unknown')
  t.truthy(browser)
})

test("the issuer is away, onStale: 'reject' → unknown", async (t) => {
  const { server, stateOf } = await scene(t, { onStale: 'reject' })
  t.is(await stateOf(), 'live')
  await server.stop()
  server.clock.advance({ minutes: 5 })
  t.is(await stateOf(), 'unknown')
})

test('an issuer that was never reached → live as of the sign-in', async (t) => {
  const verifier = verifierOf(
    t,
    { issuer: 'http://127.0.0.1:1', now: () => new Date() },
    { timeoutSeconds: 1 },
  )
  const checkedAt = Date.now() - 1000
  t.deepEqual(await verifier.checkSession({ sid: 'one', checkedAt }), { state: 'live', checkedAt })
})

type Guarded = Pick<Verifier, 'checkSession'>

/** The same small web app in each framework; its session store is one object. */
const frameworks: Readonly<
  Record<string, (t: ExecutionContext<unknown>, verifier: Guarded, store: Store) => Promise<string>>
> = {
  async koa(t, verifier, store) {
    const app = new Koa()
    app.use(
      forKoa<Koa.Context>(verifier, {
        session: () => store.session,
        onEnded(state, ctx) {
          store.session = undefined
          ctx.redirect(`/sign-in?${state}`)
        },
      }),
    )
    app.use((ctx) => {
      ctx.body = 'page'
    })
    return listen(t, app.callback())
  },
  async express(t, verifier, store) {
    const app = express()
    app.use(
      forExpress<express.Request, express.Response>(verifier, {
        session: () => store.session,
        onEnded(state, _req, res) {
          store.session = undefined
          res.redirect(`/sign-in?${state}`)
        },
      }),
    )
    app.get('/', (_req, res) => void res.send('page'))
    return listen(t, app)
  },
  async fastify(t, verifier, store) {
    const app = fastify()
    app.addHook(
      'onRequest',
      forFastify<fastify.FastifyRequest, fastify.FastifyReply>(verifier, {
        session: () => store.session,
        onEnded(state, _request, reply) {
          store.session = undefined
          reply.redirect(`/sign-in?${state}`)
        },
      }),
    )
    app.get('/', async () => 'page')
    t.teardown(() => app.close())
    return app.listen({ host: '127.0.0.1', port: 0 })
  },
}

interface Store {
  session: StoredSession | undefined
}

async function listen(
  t: ExecutionContext<unknown>,
  handler: Parameters<typeof createServer>[1],
): Promise<string> {
  const http = createServer(handler as () => void).listen(0, '127.0.0.1')
  await once(http, 'listening')
  t.teardown(() => {
    http.closeAllConnections()
    http.close()
  })
  return `http://127.0.0.1:${(http.address() as AddressInfo).port}`
}

for (const [name, start] of Object.entries(frameworks)) {
  test(`${name}: the guard lets live sessions in, notes the check, and ends the others`, async (t) => {
    let check: SessionCheck = { state: 'live', checkedAt: 1000 }
    const verifier = { checkSession: async () => check }
    const store: Store = { session: undefined }
    const url = await start(t, verifier, store)
    const ask = async () => {
      const response = await fetch(url, { redirect: 'manual' })
      return `${response.status} ${response.headers.get('location') ?? (await response.text())}`
    }
    t.is(await ask(), '200 page', 'nobody is signed in')
    store.session = { sid: 'one', checkedAt: 0 }
    t.is(await ask(), '200 page')
    t.is(store.session.checkedAt, 0, 'not written at every request')
    check = { state: 'live', checkedAt: 61_000 }
    t.is(await ask(), '200 page')
    t.is(store.session.checkedAt, 61_000)
    check = { state: 'unknown', checkedAt: 0 }
    t.is(await ask(), '302 /sign-in?unknown')
    store.session = { sid: 'one', checkedAt: 0 }
    check = { state: 'ended', checkedAt: 0 }
    t.is(await ask(), '302 /sign-in?ended')
    t.deepEqual(Object.keys(store.session ?? {}), [])
  })
}
