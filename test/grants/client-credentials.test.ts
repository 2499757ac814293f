import test from 'ava'
import { readToken, register, registerPublic } from '../support/clients/clients.ts'
import { isOAuthError } from '../support/http/oauth-error.ts'
import { startServer } from '../support/server/start-server.ts'

test('RFC 6749 §4.4.3: a client that acts for itself → never gets a refresh token', async (t) => {
  const server = await startServer(t)
  const always = await register(server, 'always', { refreshTokens: 'always' })
  for (const as of [undefined, always]) {
    const { status, body } = await server.clientCredentials({}, as)
    t.is(status, 200)
    t.deepEqual(Object.keys(body).sort(), ['access_token', 'expires_in', 'scope', 'token_type'])
    t.is(body.scope, 'read write')
    const asked = await server.clientCredentials({ scope: 'read offline_access' }, as)
    isOAuthError(t, asked, 'offline_access', { error: 'invalid_scope' })
  }
  t.is(await server.db('refresh_families').first(), undefined)
})

test('RFC 6749 §4.4: a public client → cannot act for itself', async (t) => {
  const server = await startServer(t)
  const mobile = await registerPublic(server, 'mobile')
  const answer = await server.clientCredentials(mobile, null)
  isOAuthError(t, answer, 'mobile', { error: 'unauthorized_client' })
  const grantTypes = ['client_credentials' as const]
  const error = await t.throwsAsync(registerPublic(server, 'other', { grantTypes }))
  t.regex(error?.message ?? '', /public client cannot have client_credentials/)
  const forced = server.db('clients').where({ id: 'mobile' })
  await t.throwsAsync(forced.update({ grant_types: grantTypes }), undefined, 'nor by hand')
})

test('ASVS 10.4.4: a client without the grant → unauthorized_client', async (t) => {
  const server = await startServer(t)
  const login = await register(server, 'login', { grantTypes: ['password'] })
  const answer = await server.clientCredentials({}, login)
  isOAuthError(t, answer, 'login', { error: 'unauthorized_client' })
  isOAuthError(t, await server.refresh('srt_x', {}, login), 'login', {
    error: 'unauthorized_client',
  })
})

test('a client that acts for itself → works without any person', async (t) => {
  const server = await startServer(t)
  await server.db('users').delete()
  const { body } = await server.clientCredentials({ username: 'ada', password: 'x', sub: 'ada' })
  const { claims } = readToken(body.access_token)
  t.is(claims.sub, 'app')
  t.false('sid' in claims || 'roles' in claims || 'auth_time' in claims)
})
