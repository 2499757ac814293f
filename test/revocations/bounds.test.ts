import test from 'ava'
import { startServer } from '../support/server/start-server.ts'

const isActive = async (server: Awaited<ReturnType<typeof startServer>>, token: string) =>
  (await server.introspect(token)).body.active

test('ACCESS_TOKEN_MAX_SECONDS is lowered → a revoked token stays revoked for the lifetime it was issued with', async (t) => {
  const long = { ACCESS_TOKEN_SECONDS: '600', ACCESS_TOKEN_MAX_SECONDS: '600' }
  const short = { ACCESS_TOKEN_SECONDS: '30', ACCESS_TOKEN_MAX_SECONDS: '30' }
  const before = await startServer(t, { environment: long })
  const session = (await before.signIn()).body
  await before.app.stop()
  const after = await startServer(t, { beside: before, environment: short })
  t.is((await after.revoke(session.refresh_token)).status, 200)
  t.false(await isActive(after, session.access_token))
  for (const seconds of [100, 200, 200]) {
    before.clock.advance({ seconds })
    t.false(await isActive(after, session.access_token))
  }
  const [entry] = await after.db('revocations')
  t.true(entry.expires_at - entry.revoked_at >= 600_000)
})

test('the longer lifetime is forgotten once its last token has expired', async (t) => {
  const long = { ACCESS_TOKEN_SECONDS: '600', ACCESS_TOKEN_MAX_SECONDS: '600' }
  const short = { ACCESS_TOKEN_SECONDS: '30', ACCESS_TOKEN_MAX_SECONDS: '30' }
  const before = await startServer(t, { environment: long })
  await before.app.stop()
  const after = await startServer(t, { beside: before, environment: short })
  before.clock.advance({ minutes: 15 })
  await after.services.tokenLives.note()
  const session = (await after.signIn()).body
  await after.revoke(session.refresh_token)
  const [entry] = await after.db('revocations')
  t.true(entry.expires_at - entry.revoked_at < 120_000)
})

test('access tokens of a session are revoked one by one → the eleventh ends the session', async (t) => {
  const server = await startServer(t, { unthrottled: true })
  let { access_token, refresh_token } = (await server.signIn()).body
  for (let n = 1; n <= 11; n += 1) {
    t.is((await server.revoke(access_token)).status, 200)
    t.false(await isActive(server, access_token))
    if (n > 10) break
    const refreshed = await server.refresh(refresh_token)
    t.is(refreshed.status, 200, `${n}: ${refreshed.text}`)
    ;({ access_token, refresh_token } = refreshed.body)
  }
  t.is((await server.refresh(refresh_token)).status, 400)
  const kinds: string[] = await server.db('revocations').orderBy('seq').pluck('kind')
  t.deepEqual(kinds, [...Array(10).fill('jti'), 'sid'])
})

test('RFC 7009 §2.2.1: a client with 1,000 single revocations gets 503 with Retry-After', async (t) => {
  const server = await startServer(t, { unthrottled: true })
  const { access_token } = (await server.clientCredentials()).body
  await server.db.raw(
    `INSERT INTO revocations (kind, value, revoked_at, expires_at, belongs_to)
     SELECT 'jti', 'many ' || n, now(), ?::timestamptz, 'app' FROM generate_series(1, 1000) AS n`,
    [new Date(server.clock.now().getTime() + 600_000)],
  )
  const refused = await server.revoke(access_token)
  t.is(refused.status, 503, refused.text)
  t.is(refused.headers.get('retry-after'), '60')
  t.true(await isActive(server, access_token))
  server.clock.advance({ minutes: 11 })
  const another = (await server.clientCredentials()).body.access_token
  t.is((await server.revoke(another)).status, 200)
  t.false(await isActive(server, another))
})
