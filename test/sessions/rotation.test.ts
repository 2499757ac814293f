import test from 'ava'
import type { Answer } from '../../tools/http-client.ts'
import { register } from '../support/clients/clients.ts'
import { startServer, type TestServer } from '../support/server/start-server.ts'

const refused = { status: 400, body: { error: 'invalid_grant' } }

const isActive = async (server: TestServer, token: string): Promise<boolean> =>
  (await server.introspect(token)).body.active

const tokenOf = (answer: Answer): string => answer.body.refresh_token

const family = (server: TestServer) => server.db('refresh_families').first()

test('a refresh gives a new refresh token and access token of the same session', async (t) => {
  const server = await startServer(t)
  const first = await server.signIn()
  const second = await server.refresh(tokenOf(first))
  t.is(second.status, 200, second.text)
  t.not(tokenOf(second), tokenOf(first))
  t.is(second.headers.get('cache-control'), 'no-store')
  const claims = await Promise.all(
    [first, second].map(async ({ body }) => (await server.introspect(body.access_token)).body),
  )
  t.is(claims[0].sid, claims[1].sid)
  t.is(claims[0].auth_time, claims[1].auth_time)
  t.not(claims[0].jti, claims[1].jti)
  t.true(claims[0].active && claims[1].active)
  t.is((await server.db('refresh_families')).length, 1)
})

test('REF-1: a client that lost the response gets the same successor again', async (t) => {
  const server = await startServer(t)
  const first = tokenOf(await server.signIn())
  const lost = await server.refresh(first)
  server.clock.advance({ seconds: 29 })
  const repeated = await server.refresh(first)
  t.is(tokenOf(repeated), tokenOf(lost))
  t.not(repeated.body.access_token, lost.body.access_token)
  t.true(await isActive(server, repeated.body.access_token))
  const next = await server.refresh(tokenOf(repeated))
  t.is(next.status, 200)
  t.like(await family(server), { generation: 2, revoked_at: null })
})

test('RFC 9700 §4.14.2: a spent token after the grace period ends the session at once', async (t) => {
  const server = await startServer(t)
  const stolen = await server.signIn()
  const other = await server.signIn()
  const heir = await server.refresh(tokenOf(stolen))
  server.clock.advance({ seconds: 31 })
  t.like(await server.refresh(tokenOf(stolen)), refused)
  t.like(await server.refresh(tokenOf(heir)), refused)
  t.false(await isActive(server, stolen.body.access_token))
  t.false(await isActive(server, heir.body.access_token))
  t.true(await isActive(server, other.body.access_token), 'another session lives on')
  t.is((await server.refresh(tokenOf(other))).status, 200)
  const events = await server.db('audit_events').where({ event: 'session.reused' })
  t.is(events.length, 1)
  t.like(events[0], { client_id: 'app', ip: '127.0.0.1', detail: { generation: 0, current: 1 } })
})

test('once the successor is used, any older generation is reuse', async (t) => {
  const server = await startServer(t)
  const first = tokenOf(await server.signIn())
  const second = tokenOf(await server.refresh(first))
  const third = tokenOf(await server.refresh(second))
  t.like(await server.refresh(first), refused)
  t.like(await server.refresh(third), refused)
  t.like(await family(server), { revoked_reason: 'reuse' })
})

test('the grace period counts from the rotation, not from its repetition', async (t) => {
  const server = await startServer(t)
  const first = tokenOf(await server.signIn())
  await server.refresh(first)
  server.clock.advance({ seconds: 20 })
  t.is((await server.refresh(first)).status, 200)
  server.clock.advance({ seconds: 11 })
  t.like(await server.refresh(first), refused)
})

test('without a grace period the second use is reuse', async (t) => {
  const server = await startServer(t, { environment: { REFRESH_GRACE_SECONDS: '0' } })
  const first = tokenOf(await server.signIn())
  const second = tokenOf(await server.refresh(first))
  server.clock.advance({ seconds: 1 })
  t.like(await server.refresh(first), refused)
  t.like(await server.refresh(second), refused)
})

test('RFC 6749 §10.4: a token that was edited anywhere is refused and changes nothing', async (t) => {
  const server = await startServer(t)
  const token = tokenOf(await server.signIn())
  await server.refresh(token)
  server.clock.advance({ seconds: 60 })
  const before = await family(server)
  const audited = await server.db('audit_events')
  const letters = [...token].map((letter, at) => {
    const other = letter === 'A' ? 'B' : 'A'
    return token.slice(0, at) + other + token.slice(at + 1)
  })
  const spellings = [
    `${token}=`,
    `${token}A`,
    token.slice(0, -1),
    'srt_',
    `srt_${token}`,
    ` ${token}`,
  ]
  for (const edited of [...letters, ...spellings]) {
    const answer = await server.refresh(edited)
    t.is(answer.status, 400, `${edited}: ${answer.text}`)
  }
  t.deepEqual(await family(server), before)
  t.deepEqual(await server.db('audit_events'), audited)
})

test('RFC 6749 §6: the token of another client is refused and stays valid', async (t) => {
  const server = await startServer(t)
  const other = await register(server, 'other')
  const spent = tokenOf(await server.signIn())
  const newest = tokenOf(await server.refresh(spent))
  const before = await family(server)
  server.clock.advance({ minutes: 1 })
  for (const form of [
    {},
    { scope: 'read' },
    { scope: 'write' },
    { resource: 'https://no.example' },
  ]) {
    t.like(await server.refresh(newest, form, other), refused)
    t.like(await server.refresh(spent, form, other), refused)
  }
  t.deepEqual(await family(server), before)
  t.is((await server.refresh(newest)).status, 200)
})

test('a token of this server with another seed than its session has → refused, and it ends nothing', async (t) => {
  const server = await startServer(t)
  const { body } = await server.signIn()
  const { codec } = server.services
  const content = codec.decode(body.refresh_token)
  if (!content) throw new Error('the token is one of this server')
  const seed = Buffer.alloc(content.seed.length, 1)
  const foreign = codec.encode({ ...content, seed })
  t.like(await server.refresh(foreign), { status: 400, body: { error: 'invalid_grant' } })
  t.is((await server.refresh(body.refresh_token)).status, 200)
})
