import test from 'ava'
import { digestSecret } from '../../src/oauth/opaque-token.ts'
import { app } from '../../tools/fixtures.ts'
import { basic } from '../../tools/http-client.ts'
import { register, registerPublic } from '../support/clients/clients.ts'
import { isOAuthError } from '../support/http/oauth-error.ts'
import { rawRequest, sendRaw } from '../support/http/raw-http.ts'
import { startServer, type TestServer } from '../support/server/start-server.ts'

const refused = { status: 401, error: 'invalid_client' }
const endpoints = ['/oauth/token', '/oauth/revoke', '/oauth/introspect']
const form = { grant_type: 'client_credentials', token: 'x' }

/** Posts with exactly this Authorization header. */
function withHeader(server: TestServer, authorization: string, path = '/oauth/token') {
  const body = new URLSearchParams(form)
  return server.request(path, { method: 'POST', headers: { authorization }, body })
}

test('RFC 6749 §2.3.1: every endpoint accepts a secret in the header or in the body', async (t) => {
  const server = await startServer(t)
  const poster = await register(server, 'poster', { authenticationMethod: 'client_secret_post' })
  for (const path of endpoints) {
    for (const as of [app, poster]) {
      t.is((await server.post(path, form, as)).status, 200, `${as.id} in the header of ${path}`)
      const body = { ...form, client_id: as.id, client_secret: as.secret }
      t.is((await server.post(path, body, null)).status, 200, `${as.id} in the body of ${path}`)
      t.is((await server.post(path, { ...form, client_id: as.id }, as)).status, 200)
    }
  }
})

test('RFC 6749 §2.3.1: both halves of Basic are form-encoded, whatever characters the secret has', async (t) => {
  const server = await startServer(t)
  const secrets = ['a&b=c', 'a+b', '100%', 'a:b::', 'grüße', ' spaced out ', '%2B', '+%20+', '日本']
  for (const secret of secrets) {
    await server.db('client_secrets').update({ digest: digestSecret(secret) })
    t.is((await server.clientCredentials({}, { id: app.id, secret })).status, 200, secret)
    const body = { client_id: app.id, client_secret: secret }
    t.is((await server.clientCredentials(body, null)).status, 200, secret)
    const every = [...Buffer.from(secret)]
      .map((n) => `%${n.toString(16).padStart(2, '0')}`)
      .join('')
    const spelled = Buffer.from(`%61pp:${every}`).toString('base64')
    t.is((await withHeader(server, `Basic ${spelled}`)).status, 200, `${secret}, all escaped`)
  }
})

test('RFC 9110 §11.1: the name of the scheme is case-insensitive', async (t) => {
  const server = await startServer(t)
  const [, credentials] = basic(app).split(' ')
  for (const scheme of ['basic', 'BASIC', 'bAsIc', 'Basic  ']) {
    t.is((await withHeader(server, `${scheme} ${credentials}`)).status, 200, scheme)
  }
})

test('RFC 6749 §5.2: malformed credentials are refused with a challenge', async (t) => {
  const server = await startServer(t)
  const encode = (text: string | Buffer) => `Basic ${Buffer.from(text).toString('base64')}`
  const broken = [
    ...['Basic', 'Basic !!!', 'Basic YXBw', `Bearer ${app.secret}`, 'Digest username="app"', 'x'],
    ...[`${basic(app)}, ${basic(app)}`, `${basic(app)} x`, `Basic=${basic(app).slice(6)}`],
    ...[encode('app'), encode(':'), encode(`:${app.secret}`), encode('app:'), encode('app:%zz')],
    ...[encode('app:%00'), encode(`app\0:${app.secret}`), encode(`app :${app.secret}`)],
    ...[
      encode(Buffer.from([0x61, 0x70, 0x70, 0x3a, 0xff, 0xfe])),
      encode('%ff:x'),
      encode('app:%'),
    ],
    ...[encode(`APP:${encodeURIComponent(app.secret)}`), encode("app'--:x"), encode('__proto__:x')],
    encode(`${'a'.repeat(5000)}:x`),
  ]
  for (const header of broken) {
    for (const path of endpoints) {
      isOAuthError(t, await withHeader(server, header, path), `${path} ${header}`, refused)
    }
  }
  const { headers } = await withHeader(server, 'Basic YXBw')
  t.is(headers.get('www-authenticate'), 'Basic realm="signet", charset="UTF-8"')
})

test('RFC 6749 §2.2, ASVS 10.4.10: a client_id alone does not authenticate a confidential client', async (t) => {
  const server = await startServer(t)
  const { body } = await server.signIn()
  const grants = [
    { grant_type: 'client_credentials' },
    { grant_type: 'password', username: 'ada', password: 'correct horse battery staple' },
    { grant_type: 'refresh_token', refresh_token: body.refresh_token },
  ]
  const name = { client_id: app.id, client_secret: '' }
  for (const grant of grants) {
    isOAuthError(t, await server.token({ ...grant, ...name }, null), grant.grant_type, refused)
    isOAuthError(t, await server.token(grant, null), 'no name at all', refused)
  }
  const token = body.refresh_token
  isOAuthError(t, await server.post('/oauth/revoke', { token, ...name }, null), 'revoke', refused)
  isOAuthError(t, await server.post('/oauth/introspect', { token, ...name }, null), 'ask', refused)
  t.is((await server.refresh(token)).status, 200)
})

test('RFC 6749 §2.3: a public client that sends credentials is refused', async (t) => {
  const server = await startServer(t)
  const mobile = await registerPublic(server, 'mobile')
  const leftover = { client_id: 'mobile', slot: 1, digest: digestSecret('x') }
  await server.db('client_secrets').insert({ ...leftover, created_at: new Date() })
  t.is((await server.signIn(mobile, null)).status, 200)
  for (const secret of ['x', app.secret, '0'.repeat(64)]) {
    isOAuthError(t, await server.signIn({}, { id: 'mobile', secret }), secret, refused)
    const body = { ...mobile, client_secret: secret }
    isOAuthError(t, await server.signIn(body, null), secret, refused)
  }
  isOAuthError(t, await server.signIn({}, { id: 'mobile', secret: '' }), 'empty', refused)
  const asked = await server.post('/oauth/introspect', { token: 'x', ...mobile }, null)
  isOAuthError(t, asked, 'RFC 7662 §2.1: nor may it introspect', refused)
})

test('RFC 6749 §2.3: a client that authenticates in two ways at once is refused', async (t) => {
  const server = await startServer(t)
  const assertion = { client_assertion: 'x.y.z', client_assertion_type: 'urn:x' }
  const secret = { client_secret: app.secret }
  for (const path of endpoints) {
    for (const more of [secret, assertion, { ...secret, ...assertion }]) {
      isOAuthError(t, await server.post(path, { ...form, ...more }), `${path}, with a header`)
    }
    const body = { ...form, client_id: app.id, ...secret, ...assertion }
    isOAuthError(t, await server.post(path, body, null), `${path}, in the body`)
    const type = { 'content-type': 'application/x-www-form-urlencoded' }
    const two = { authorization: basic(app), Authorization: basic(app) }
    const raw = rawRequest('POST', path, { ...type, ...two }, String(new URLSearchParams(form)))
    const answer = await sendRaw(server.url, raw)
    t.is(answer.status, 400, 'two headers')
    t.is(JSON.parse(answer.body).error, 'invalid_request')
  }
  const proof = { client_id: app.id, client_secret: app.secret }
  const body = new URLSearchParams({ ...form, ...proof })
  const headers = { authorization: '' }
  const empty = await server.request('/oauth/token', { method: 'POST', headers, body })
  t.is(empty.status, 200, 'an empty header is none')
})

test('ASVS 2.2.3: a client_id in the body that differs from the credentials is refused', async (t) => {
  const server = await startServer(t)
  const other = await register(server, 'other')
  for (const id of ['other', 'nobody', 'APP', 'app ']) {
    isOAuthError(t, await server.clientCredentials({ client_id: id }), id)
  }
  const mixed = { client_id: 'other', client_secret: app.secret }
  isOAuthError(t, await server.clientCredentials(mixed, null), 'secret of another', refused)
  t.is((await server.clientCredentials({ client_id: 'other' }, other)).status, 200)
})

test('ASVS 7.4.2: a disabled client is refused at once, like an unknown one', async (t) => {
  const server = await startServer(t)
  await registerPublic(server, 'mobile')
  const { body } = await server.signIn({ client_id: 'mobile' }, null)
  await server.services.clients.disable('app')
  await server.services.clients.disable('mobile')
  for (const path of endpoints) isOAuthError(t, await server.post(path, form), path, refused)
  const refreshed = await server.refresh(body.refresh_token, { client_id: 'mobile' }, null)
  isOAuthError(t, refreshed, 'public', refused)
})

test('305 wrong secrets from one address → the right secret and a public client are still accepted', async (t) => {
  const server = await startServer(t)
  await registerPublic(server, 'phone')
  const { body } = await server.signIn({ client_id: 'phone', scope: 'offline_access' }, null)
  const statuses: number[] = []
  for (let index = 0; index < 305; index += 1) {
    const as = { id: index < 40 ? app.id : `made-up-${index}`, secret: 'scs_wrong' }
    statuses.push((await server.clientCredentials({}, as)).status)
  }
  t.is(statuses.filter((status) => status === 401).length, 295)
  t.is(statuses.filter((status) => status === 429).length, 10, 'ten of the 40 of one client')
  for (let index = 0; index < 10; index += 1) {
    await server.clientCredentials({}, { id: `more-${index}`, secret: 'scs_wrong' })
  }
  const late = await server.clientCredentials({}, { id: 'late', secret: 'scs_wrong' })
  t.is(late.headers.get('ratelimit-policy'), '"client-authentication-address";q=300;w=900')

  t.is((await server.clientCredentials()).status, 200)
  t.is((await server.refresh(body.refresh_token, { client_id: 'phone' }, null)).status, 200)
  const failures = server.db('audit_events').where({ event: 'client.authentication_failed' })
  t.is((await failures).length, 300, 'what is refused by a limit leaves no row')
})
