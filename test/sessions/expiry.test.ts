import test from 'ava'
import type { Answer, Credentials } from '../../tools/http-client.ts'
import { register } from '../support/clients/clients.ts'
import { startServer, type TestServer } from '../support/server/start-server.ts'

const refused = { status: 400, body: { error: 'invalid_grant' } }
const tokenOf = (answer: Answer): string => answer.body.refresh_token
const week = 7

/** When a refresh token expires, in seconds from now. */
async function life(server: TestServer, token: string, as?: Credentials) {
  const { body } = await server.introspect(token, as)
  return body.exp - server.clock.now().getTime() / 1000
}

test('ASVS 7.3.1: a session that is not refreshed for 7 days ends', async (t) => {
  const server = await startServer(t)
  const idle = tokenOf(await server.signIn())
  const used = tokenOf(await server.signIn())
  server.clock.advance({ days: week, seconds: -5 })
  const next = await server.refresh(used)
  t.is(next.status, 200)
  server.clock.advance({ seconds: 10 })
  t.like(await server.refresh(idle), refused)
  t.deepEqual((await server.introspect(idle)).body, { active: false })
  t.is((await server.refresh(tokenOf(next))).status, 200)
})

test('ASVS 7.3.2: the limit of a session is shortened in SQL → it is over, and its token inactive', async (t) => {
  const server = await startServer(t)
  const token = tokenOf(await server.signIn())
  t.true((await server.introspect(token)).body.active)
  await server.db('refresh_families').update({ expires_at: server.clock.now() })
  t.deepEqual((await server.introspect(token)).body, { active: false })
  t.like(await server.refresh(token), refused)
})

test('ASVS 10.4.8: no refresh extends a session beyond 30 days', async (t) => {
  const server = await startServer(t)
  let token = tokenOf(await server.signIn())
  const end = server.clock.now().getTime() / 1000 + 30 * 86_400
  for (let day = 5; day < 30; day += 5) {
    server.clock.advance({ days: 5 })
    token = tokenOf(await server.refresh(token))
    const { body } = await server.introspect(token)
    t.true(body.exp <= end + 1, `on day ${day}`)
  }
  t.true((await life(server, token)) <= 5 * 86_400)
  server.clock.advance({ days: 5, seconds: -5 })
  token = tokenOf(await server.refresh(token))
  t.truthy(token)
  server.clock.advance({ seconds: 10 })
  t.like(await server.refresh(token), refused)
  t.deepEqual((await server.introspect(token)).body, { active: false })
})

test('a client may have its own lifetimes', async (t) => {
  const server = await startServer(t)
  const other = await register(server, 'other', {
    sessionIdleSeconds: 600,
    sessionAbsoluteSeconds: 900,
  })
  const first = tokenOf(await server.signIn({}, other))
  t.true(Math.abs((await life(server, first, other)) - 600) < 5)
  server.clock.advance({ seconds: 590 })
  const second = tokenOf(await server.refresh(first, {}, other))
  t.true(Math.abs((await life(server, second, other)) - 310) < 5)
  server.clock.advance({ seconds: 320 })
  t.like(await server.refresh(second, {}, other), refused)
})

test('an idle lifetime longer than the absolute one is cut to it', async (t) => {
  const server = await startServer(t)
  const other = await register(server, 'other', {
    sessionIdleSeconds: 900,
    sessionAbsoluteSeconds: 300,
  })
  const token = tokenOf(await server.signIn({}, other))
  t.true((await life(server, token, other)) <= 300)
})

test('ASVS 7.1.2: one session too many ends the oldest', async (t) => {
  const server = await startServer(t, { environment: { SESSIONS_PER_USER: '3' } })
  const answers: Answer[] = []
  for (let device = 0; device < 4; device += 1) answers.push(await server.signIn())
  const [oldest, ...others] = answers
  t.deepEqual((await server.introspect(oldest?.body.access_token)).body, { active: false })
  t.like(await server.refresh(oldest?.body.refresh_token), refused)
  for (const { body } of others) {
    t.true((await server.introspect(body.access_token)).body.active)
    t.is((await server.refresh(body.refresh_token)).status, 200)
  }
  const events = await server.db('audit_events').where({ event: 'session.limit_reached' })
  t.is(events.length, 1)
})

test('expired sessions do not count towards the limit', async (t) => {
  const server = await startServer(t, { environment: { SESSIONS_PER_USER: '2' } })
  const kept = tokenOf(await server.signIn())
  await server.signIn()
  server.clock.advance({ days: week, seconds: -60 })
  const newest = tokenOf(await server.refresh(kept))
  server.clock.advance({ minutes: 2 })
  await server.signIn()
  t.is((await server.refresh(newest)).status, 200, 'only the idle one is gone')
})

test('concurrent sign-ins never exceed the limit', async (t) => {
  const server = await startServer(t, { environment: { SESSIONS_PER_USER: '3' } })
  await Promise.all(Array.from({ length: 12 }, () => server.signIn()))
  const live = await server.db('refresh_families').whereNull('revoked_at')
  t.is(live.length, 3)
})
