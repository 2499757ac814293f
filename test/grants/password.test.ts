import test from 'ava'
import { ada } from '../../tools/fixtures.ts'
import { readToken, register, registerPublic } from '../support/clients/clients.ts'
import { isOAuthError } from '../support/http/oauth-error.ts'
import { startServer } from '../support/server/start-server.ts'

test('RFC 9700 §2.4, ASVS 10.4.4: a client without the grant or of a third party → no password grant', async (t) => {
  const server = await startServer(t, { unthrottled: true })
  const stranger = await register(server, 'stranger', {
    firstParty: false,
    grantTypes: ['client_credentials', 'refresh_token'],
  })
  const house = await register(server, 'house', { grantTypes: ['client_credentials'] })
  for (const as of [stranger, house]) {
    for (const form of [{}, { password: 'wrong' }, { username: 'nobody' }]) {
      const answer = await server.signIn(form, as)
      isOAuthError(t, answer, as.id, { error: 'unauthorized_client' })
    }
    t.is((await server.clientCredentials({}, as)).status, 200)
  }
  t.is(await server.db('refresh_families').first(), undefined)
})

test('a third-party client → cannot be registered or changed for the password grant', async (t) => {
  const server = await startServer(t, { unthrottled: true })
  const attempt = register(server, 'stranger', { firstParty: false, grantTypes: ['password'] })
  const error = await t.throwsAsync(attempt)
  t.regex(error?.message ?? '', /only a first-party client/)
  await t.throwsAsync(server.db('clients').where({ id: 'app' }).update({ first_party: false }))
})

test('RFC 6749 §5.1: the answer → a bearer token, its lifetime and its scope', async (t) => {
  const server = await startServer(t, { unthrottled: true })
  const { status, body } = await server.signIn()
  t.is(status, 200)
  t.deepEqual(Object.keys(body).sort(), [
    ...['access_token', 'device_token', 'expires_in', 'refresh_token', 'scope', 'token_type'],
  ])
  t.like(body, { token_type: 'Bearer', scope: 'read write offline_access' })
  t.true(body.expires_in <= 900 && body.expires_in >= 840)
})

test('RFC 9700 §4.14.2: a refresh token → on request, always, or never, as the client is set', async (t) => {
  const server = await startServer(t, { unthrottled: true })
  const always = await register(server, 'always', { refreshTokens: 'always' })
  const never = await register(server, 'never', { refreshTokens: 'never' })
  const without = await register(server, 'without', {
    grantTypes: ['password'],
    refreshTokens: 'always',
  })
  const expected = [
    { as: undefined, asked: true, plain: false },
    { as: always, asked: true, plain: true },
    { as: never, asked: false, plain: false },
    { as: without, asked: false, plain: false },
  ]
  for (const { as, asked, plain } of expected) {
    const offline = await server.signIn({ scope: 'read offline_access' }, as)
    t.is(typeof offline.body.refresh_token === 'string', asked, `${as?.id} asked`)
    const online = await server.signIn({ scope: 'read' }, as)
    t.is(typeof online.body.refresh_token === 'string', plain, `${as?.id} not asked`)
    const silent = await server.signIn({ scope: '' }, as)
    t.is(typeof silent.body.refresh_token === 'string', plain, `${as?.id} no scope`)
    t.is(silent.body.scope, 'read write', 'staying signed in is never in the default')
  }
})

test('a sign-in without a refresh token → a session as long as its access token', async (t) => {
  const server = await startServer(t, { unthrottled: true })
  const { body } = await server.signIn({ scope: 'read' })
  const { sid, iat } = readToken(body.access_token).claims
  const session = await server.db('refresh_families').where({ sid }).first()
  t.is(Math.round((session.expires_at.getTime() - iat * 1000) / 1000 / 60), 15)
})

test('a public first-party client → signs people in and refreshes with its id alone', async (t) => {
  const server = await startServer(t, { unthrottled: true })
  const mobile = await registerPublic(server, 'mobile')
  const signedIn = await server.signIn(mobile, null)
  t.is(signedIn.status, 200, signedIn.text)
  t.is(readToken(signedIn.body.access_token).claims.client_id, 'mobile')
  const refreshed = await server.refresh(signedIn.body.refresh_token, mobile, null)
  t.is(refreshed.status, 200, refreshed.text)
})

test('every spelling of a name → signs in; another spelling of the password → does not', async (t) => {
  const server = await startServer(t, { unthrottled: true })
  await server.services.users.create({ username: 'Ünal', password: 'pässword-Ω', roles: [] })
  for (const username of ['Ünal', 'ünal', 'ÜNAL', 'U\u0308nal']) {
    const answer = await server.signIn({ username, password: 'pässword-Ω' })
    t.is(answer.status, 200, username)
  }
  t.is((await server.signIn({ username: 'ünal', password: 'pa\u0308ssword-Ω' })).status, 200)
  for (const password of ['PÄSSWORD-Ω', 'pässword-Ω ', ' pässword-Ω', 'pässword-', 'password-Ω']) {
    const answer = await server.signIn({ username: 'Ünal', password })
    isOAuthError(t, answer, password, { error: 'invalid_grant' })
  }
})

test('ASVS 6.2.8: a part of the password → refused', async (t) => {
  const server = await startServer(t, { unthrottled: true })
  const password = 'seven blue kites over the harbour wall, '.repeat(4).slice(0, 128)
  await server.services.users.create({ username: 'long', password, roles: [] })
  t.is((await server.signIn({ username: 'long', password })).status, 200)
  for (const wrong of [
    password.slice(1),
    `${password}x`,
    password.slice(0, 72),
    password.repeat(100),
  ]) {
    const answer = await server.signIn({ username: 'long', password: wrong })
    isOAuthError(t, answer, `${wrong.length} characters`, { error: 'invalid_grant' })
  }
})

test('ASVS 1.2.4: names and passwords that look like code → refused as wrong', async (t) => {
  const server = await startServer(t, { unthrottled: true })
  const odd = [
    ...["' OR '1'='1", "ada'--", '"; DROP TABLE users; --', "'; SELECT pg_sleep(30) --", '\\', '%'],
    ...['ada%', '_da', '*', '{{7*7}}', '#{7*7}', '<script>', '$argon2id$v=19$', '../../etc/passwd'],
    ...[
      'ada\n',
      ' ada',
      'ad\u0430',
      '\u202eada',
      '[object Object]',
      'null',
      '1e999',
      '😀'.repeat(400),
    ],
  ]
  for (const text of odd) {
    const forms = [{ username: text }, { password: text }, { username: text, password: text }]
    for (const form of forms) {
      const answer = await server.signIn(form)
      isOAuthError(t, answer, JSON.stringify(form).slice(0, 80), { error: 'invalid_grant' })
    }
  }
  t.is((await server.signIn()).status, 200, 'ada is still there')
})

test('RFC 6749 §4.3.2: a missing name or password → invalid_request', async (t) => {
  const server = await startServer(t, { unthrottled: true })
  for (const [name, form] of Object.entries({
    username: { password: ada.password },
    password: { username: ada.username },
  })) {
    const answer = await server.token({ grant_type: 'password', ...form })
    isOAuthError(t, answer, name)
    t.is(answer.body.error_description, `the parameter ${name} is missing`)
  }
})
