import test from 'ava'
import { createRemoteJWKSet, jwtVerify } from 'jose'
import { ada, invoices, orders } from '../../tools/fixtures.ts'
import { readToken, register } from '../support/clients/clients.ts'
import { isOAuthError } from '../support/http/oauth-error.ts'
import { startServer } from '../support/server/start-server.ts'

/** Lifetimes are spread: up to a tenth shorter, at most a minute. */
const isLifeOf = (seconds: number, life: number): boolean =>
  Number.isInteger(life) && life <= seconds && life >= seconds - Math.min(seconds / 10, 60)

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

test('RFC 9068 §2.2: the token of a person has exactly the claims of the profile', async (t) => {
  const server = await startServer(t)
  const before = Math.floor(server.clock.now().getTime() / 1000)
  const { body } = await server.signIn()
  const { header, claims } = readToken(body.access_token)
  const user = await server.db('users').where({ username: ada.username }).first()
  const session = await server.db('refresh_families').first()
  const keys = await server.get('/.well-known/jwks.json')

  const { kid, ...rest } = header
  t.deepEqual(rest, { alg: 'RS256', typ: 'at+jwt' })
  t.true(keys.body.keys.some((key: { kid: string }) => key.kid === kid))
  const { iat, jti, ...named } = claims
  t.true(isLifeOf(900, body.expires_in))
  t.true(Number.isInteger(iat) && iat >= before && iat <= before + 60)
  t.regex(jti, uuid)
  t.deepEqual(named, {
    iss: server.app.issuer,
    sub: user.id,
    aud: orders,
    exp: iat + body.expires_in,
    client_id: 'app',
    scope: 'read write offline_access',
    sid: session.sid,
    auth_time: claims.auth_time,
    amr: ['pwd'],
    roles: ['admin'],
  })
  t.true(claims.auth_time >= before && claims.auth_time <= iat)
})

test('RFC 9068 §2.2: the token of a client names no person and no session', async (t) => {
  const server = await startServer(t)
  const { body } = await server.clientCredentials({ resource: [orders, invoices] })
  const { header, claims } = readToken(body.access_token)
  t.deepEqual(Object.keys(header).sort(), ['alg', 'kid', 'typ'])
  const { iat, jti, ...named } = claims
  t.regex(jti, uuid)
  t.deepEqual(named, {
    iss: server.app.issuer,
    sub: 'app',
    aud: [orders, invoices],
    exp: iat + body.expires_in,
    client_id: 'app',
    scope: 'read write',
  })
})

test('RFC 9700 §4.15: a client cannot have the id of a person, so its token never passes for that of a person', async (t) => {
  const server = await startServer(t)
  const { id } = await server.db('users').first('id')
  for (const name of [id, id.toUpperCase(), '018f2b1c-0000-7000-8000-000000000000']) {
    const error = await t.throwsAsync(register(server, name))
    t.regex(error?.message ?? '', /looks like the id of a person/)
  }
  t.is((await server.clientCredentials()).status, 200)
})

test('RFC 9068 §2.2.1: a refresh keeps the person, the time and the method of the sign-in', async (t) => {
  const server = await startServer(t)
  const first = await server.signIn()
  const original = readToken(first.body.access_token).claims
  let token = first.body.refresh_token
  for (let turn = 0; turn < 3; turn += 1) {
    server.clock.advance({ hours: 5 })
    const { body } = await server.refresh(token)
    token = body.refresh_token
    const { claims } = readToken(body.access_token)
    for (const name of ['iss', 'sub', 'aud', 'client_id', 'scope', 'sid', 'auth_time', 'amr']) {
      t.deepEqual(claims[name], original[name], name)
    }
    t.not(claims.jti, original.jti)
    t.is(claims.iat - original.iat > 5 * 3600 * (turn + 1) - 60, true)
    t.is(claims.exp - claims.iat, body.expires_in)
    t.true(isLifeOf(900, body.expires_in))
  }
})

test('RFC 7519 §4.1.7: each of many concurrent tokens has its own id', async (t) => {
  const server = await startServer(t)
  const answers = await Promise.all(Array.from({ length: 40 }, () => server.clientCredentials()))
  const ids = answers.map(({ body }) => readToken(body.access_token).claims.jti)
  t.is(new Set(ids).size, 40)
})

test('RFC 6749 §5.1: a token expires when it says, and within the lifetime of its client', async (t) => {
  const server = await startServer(t)
  const quick = await register(server, 'quick', { accessTokenSeconds: 60 })
  const slow = await register(server, 'slow', { accessTokenSeconds: 3600 })
  for (const [as, seconds] of [
    [undefined, 900],
    [quick, 60],
    [slow, 3600],
  ] as const) {
    for (const answer of [await server.clientCredentials({}, as), await server.signIn({}, as)]) {
      t.true(isLifeOf(seconds, answer.body.expires_in))
      const { iat, exp } = readToken(answer.body.access_token).claims
      t.is(exp - iat, answer.body.expires_in)
    }
  }
  const { body } = await server.clientCredentials({}, quick)
  server.clock.advance({ seconds: body.expires_in - 20 })
  t.true((await server.introspect(body.access_token, quick)).body.active)
  server.clock.advance({ seconds: 20 })
  t.deepEqual((await server.introspect(body.access_token, quick)).body, { active: false })
})

test('a client cannot have tokens that outlive the memory of revocations', async (t) => {
  const server = await startServer(t)
  const error = await t.throwsAsync(register(server, 'eternal', { accessTokenSeconds: 3601 }))
  t.regex(error?.message ?? '', /ACCESS_TOKEN_MAX_SECONDS/)
})

test('a token that would be too long for this server to read is not issued', async (t) => {
  const server = await startServer(t)
  const audiences = Array.from({ length: 50 }, (_, n) => `https://${n}.example/`.padEnd(200, 'x'))
  const app = await register(server, 'many-resources', { audiences })
  const ask = (resource: string[]) => server.clientCredentials({ scope: 'read', resource }, app)
  const refused = await ask(audiences)
  isOAuthError(t, refused, 'too long', { status: 400, error: 'invalid_scope' })
  t.regex(refused.text, /ask for fewer scopes or resources/)
  const few = await ask(audiences.slice(0, 5))
  t.is((await server.revoke(few.body.access_token, app)).status, 200)
  t.deepEqual((await server.introspect(few.body.access_token, app)).body, { active: false })
})

test('any JWT library verifies a token from the published keys alone', async (t) => {
  const server = await startServer(t)
  const { body } = await server.signIn()
  const keys = createRemoteJWKSet(new URL('/.well-known/jwks.json', server.url))
  const options = { issuer: server.app.issuer, audience: orders, typ: 'at+jwt' }
  const { payload } = await jwtVerify(body.access_token, keys, options)
  t.is(payload.client_id, 'app')
  await t.throwsAsync(jwtVerify(body.access_token, keys, { ...options, audience: invoices }))
})
