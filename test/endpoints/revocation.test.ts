import test from 'ava'
import { register, registerPublic } from '../support/clients/clients.ts'
import { startServer, type TestServer } from '../support/server/start-server.ts'

const inactive = { active: false }

const introspected = async (server: TestServer, token: string) =>
  (await server.introspect(token)).body

const audited = (server: TestServer, event: string) => server.db('audit_events').where({ event })

test('RFC 7009 §2: revoking an access token ends that token alone', async (t) => {
  const server = await startServer(t)
  const beside = await startServer(t, { beside: server })
  const first = await server.signIn()
  const second = await server.refresh(first.body.refresh_token)
  const answer = await server.revoke(first.body.access_token)
  t.is(answer.status, 200)
  t.is(answer.text, '')
  t.deepEqual(await introspected(server, first.body.access_token), inactive)
  t.deepEqual(await introspected(beside, first.body.access_token), inactive, 'at once, everywhere')
  t.true((await introspected(server, second.body.access_token)).active)
  t.is((await server.refresh(second.body.refresh_token)).status, 200)
  t.like(await audited(server, 'token.revoked').first(), { client_id: 'app', ip: '127.0.0.1' })
})

test('RFC 7009 §2.1: revoking a refresh token ends its session and all access tokens of it', async (t) => {
  const server = await startServer(t)
  const beside = await startServer(t, { beside: server })
  const first = await server.signIn()
  const other = await server.signIn()
  const second = await server.refresh(first.body.refresh_token)
  t.is((await server.revoke(second.body.refresh_token)).status, 200)
  for (const instance of [server, beside]) {
    t.deepEqual(await introspected(instance, first.body.access_token), inactive)
    t.deepEqual(await introspected(instance, second.body.access_token), inactive)
    t.deepEqual(await introspected(instance, second.body.refresh_token), inactive)
    t.true((await introspected(instance, other.body.access_token)).active)
  }
  t.is((await server.refresh(second.body.refresh_token)).status, 400)
  t.is((await server.refresh(other.body.refresh_token)).status, 200)
  t.is((await audited(server, 'session.revoked')).length, 1)
})

test('revoking a spent refresh token ends its session', async (t) => {
  const server = await startServer(t)
  const spent = (await server.signIn()).body.refresh_token
  let newest = spent
  for (let turn = 0; turn < 3; turn += 1) newest = (await server.refresh(newest)).body.refresh_token
  t.is((await server.revoke(spent)).status, 200)
  t.is((await server.refresh(newest)).status, 400)
  t.like(await server.db('refresh_families').first(), { revoked_reason: 'token_revoked' })
})

test('RFC 7009 §2.1: a client revokes the token of another → it stays active, and the attempt is audited', async (t) => {
  const server = await startServer(t)
  const other = await register(server, 'other')
  const { access_token, refresh_token } = (await server.signIn()).body
  for (const token of [access_token, refresh_token]) {
    const answer = await server.revoke(token, other)
    t.is(answer.status, 200)
    t.is(answer.text, '')
  }
  t.true((await introspected(server, access_token)).active)
  t.is((await server.refresh(refresh_token)).status, 200)
  const refusals = await audited(server, 'token.revocation_refused')
  t.deepEqual(
    refusals.map(({ client_id, ip }) => [client_id, ip]),
    Array(2).fill(['other', '127.0.0.1']),
  )
})

test('RFC 7009 §2.2: an invalid token → 200, and nothing changes', async (t) => {
  const server = await startServer(t)
  const { access_token, refresh_token } = (await server.signIn()).body
  const before = await server.db('audit_events')
  const [header, claims] = access_token.split('.')
  const garbage = ['x', 'srt_', 'a.b.c', '🦊', `${header}.${claims}.`, 'x'.repeat(10_000)]
  const edited = [`${access_token}A`, `${refresh_token}A`, refresh_token.replace('srt_', 'srt-')]
  // RFC 7009 §5: a forged token with the jti of a victim does not revoke it.
  const forged = `${header}.${claims}.${Buffer.alloc(256, 7).toString('base64url')}`
  for (const token of [...garbage, ...edited, forged]) {
    const answer = await server.revoke(token)
    t.is(answer.status, 200, token)
    t.is(answer.text, '', token)
  }
  t.true((await introspected(server, access_token)).active)
  t.deepEqual(await server.db('audit_events'), before)
  t.deepEqual(await server.db('revocations'), [])
})

test('RFC 7009 §2.1 and §2.2.1: any token_type_hint, or none, gives the same result', async (t) => {
  const server = await startServer(t)
  for (const hint of ['access_token', 'refresh_token', 'id_token', '__proto__', '']) {
    const { access_token, refresh_token } = (await server.signIn()).body
    for (const token of [access_token, refresh_token]) {
      const answer = await server.post('/oauth/revoke', { token, token_type_hint: hint })
      t.is(answer.status, 200, hint)
      t.deepEqual(await introspected(server, token), inactive, hint)
    }
  }
})

test('a public client revokes its own tokens with its client_id alone, and no tokens of others', async (t) => {
  const server = await startServer(t)
  const spa = await registerPublic(server, 'spa')
  const rival = await registerPublic(server, 'rival')
  const { access_token, refresh_token } = (await server.signIn(spa, null)).body
  const watcher = await register(server, 'watcher', { introspects: ['*'] })
  const isActive = async () => (await server.introspect(access_token, watcher)).body.active
  const revoke = (form: { client_id: string }, token: string) =>
    server.post('/oauth/revoke', { token, ...form }, null)
  t.is((await revoke(rival, refresh_token)).status, 200)
  t.true(await isActive())
  t.is((await revoke(spa, refresh_token)).status, 200)
  t.false(await isActive())
  t.is((await server.refresh(refresh_token, spa, null)).status, 400)
})

test('RFC 7009 §2.1: client authentication fails → nothing is revoked', async (t) => {
  const server = await startServer(t)
  const { refresh_token, access_token } = (await server.signIn()).body
  const nobody = await server.post('/oauth/revoke', { token: refresh_token }, null)
  const named = await server.post('/oauth/revoke', { token: refresh_token, client_id: 'app' }, null)
  const wrong = await server.revoke(refresh_token, { id: 'app', secret: 'wrong' })
  for (const answer of [nobody, named, wrong]) {
    t.like(answer, { status: 401, body: { error: 'invalid_client' } })
  }
  t.true((await introspected(server, access_token)).active)
})

test('no token parameter → 400 that names it', async (t) => {
  const server = await startServer(t)
  const answer = await server.post('/oauth/revoke', {})
  t.like(answer, { status: 400, body: { error: 'invalid_request' } })
})

test('revoking an inactive token writes nothing', async (t) => {
  const server = await startServer(t)
  const { access_token, refresh_token } = (await server.signIn()).body
  for (const token of [access_token, refresh_token]) {
    await server.revoke(token)
    const counts = await Promise.all([server.db('revocations'), server.db('audit_events')])
    t.is((await server.revoke(token)).status, 200)
    t.deepEqual(await Promise.all([server.db('revocations'), server.db('audit_events')]), counts)
  }
})

test('an access token is revoked a second before it expires → its entry is deleted after it', async (t) => {
  const server = await startServer(t)
  const { access_token, expires_in } = (await server.clientCredentials()).body
  server.clock.advance({ seconds: expires_in - 2 })
  await server.revoke(access_token)
  t.deepEqual(await introspected(server, access_token), inactive)
  server.clock.advance({ minutes: 5 })
  t.deepEqual(await introspected(server, access_token), inactive)
  await server.services.janitor.run()
  t.deepEqual(await server.db('revocations'), [])
})

test('RFC 7009 §2.1: a token of another client revoked 15 times → 200 each, 10 audit events', async (t) => {
  const server = await startServer(t)
  const other = await register(server, 'other')
  const { access_token, refresh_token } = (await server.signIn()).body
  for (let index = 0; index < 15; index += 1) {
    const answer = await server.revoke(index % 2 ? access_token : refresh_token, other)
    t.deepEqual([answer.status, answer.text], [200, ''])
  }
  t.is((await audited(server, 'token.revocation_refused')).length, 10)
  t.true((await introspected(server, access_token)).active)
})
