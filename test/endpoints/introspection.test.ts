import test from 'ava'
import { invoices, orders } from '../../tools/fixtures.ts'
import { register, registerPublic } from '../support/clients/clients.ts'
import { startServer } from '../support/server/start-server.ts'

const inactive = { active: false }

test('RFC 7662 §2.2: a client introspects its own access token → all claims', async (t) => {
  const server = await startServer(t)
  const { access_token } = (await server.signIn({ resource: orders })).body
  const answer = await server.introspect(access_token)
  t.is(answer.status, 200)
  t.is(answer.headers.get('cache-control'), 'no-store')
  t.regex(answer.headers.get('content-type') ?? '', /^application\/json/)
  const { id: sub } = await server.db('users').first()
  t.like(answer.body, {
    active: true,
    token_type: 'Bearer',
    iss: server.url,
    aud: orders,
    client_id: 'app',
    sub,
    scope: 'read write offline_access',
    roles: ['admin'],
    amr: ['pwd'],
  })
  const life = answer.body.exp - answer.body.iat
  t.true(life <= 900 && life >= 840)
})

test('RFC 7662 §2.2: a client introspects its own refresh token → active if it is the newest', async (t) => {
  const server = await startServer(t)
  const spent = (await server.signIn()).body.refresh_token
  const newest = (await server.refresh(spent)).body.refresh_token
  const { body } = await server.introspect(newest)
  t.like(body, { active: true, token_type: 'refresh_token', client_id: 'app', iss: server.url })
  t.is(body.scope, 'read write offline_access')
  t.false('jti' in body || 'generation' in body || 'seed' in body)
  t.deepEqual((await server.introspect(spent)).body, inactive)
})

test('RFC 7662 §4: tokens of another client are active only for the audiences that a client may introspect', async (t) => {
  const server = await startServer(t)
  const stranger = await register(server, 'stranger')
  const ordersApi = await register(server, 'orders', { introspects: [orders] })
  const gateway = await register(server, 'gateway', { introspects: ['*'] })
  const forOrders = (await server.signIn({ resource: orders })).body
  const forInvoices = (await server.signIn({ resource: invoices })).body
  const forBoth = (await server.signIn({ resource: [invoices, orders] })).body
  const sees = async (token: string, as: { id: string; secret: string }) => {
    const { status, body } = await server.introspect(token, as)
    t.is(status, 200)
    if (!body.active) t.deepEqual(body, inactive, 'and nothing else')
    return body.active
  }
  const tokens = [forOrders, forInvoices, forBoth].map(({ access_token }) => access_token)
  const view = async (as: { id: string; secret: string }) =>
    Promise.all(tokens.map((token) => sees(token, as)))
  t.deepEqual(await view(stranger), [false, false, false])
  t.deepEqual(await view(ordersApi), [true, false, true])
  t.deepEqual(await view(gateway), [true, true, true])
  for (const as of [stranger, ordersApi, gateway]) {
    t.false(await sees(forOrders.refresh_token, as), 'a refresh token is for its client alone')
  }
})

test('RFC 7662 §2.2: anything but an active token is 200 with active: false alone', async (t) => {
  const server = await startServer(t)
  const { access_token, refresh_token } = (await server.signIn()).body
  const gone = (await server.clientCredentials()).body.access_token
  await server.revoke(gone)
  const [header, claims, signature] = access_token.split('.')
  const none = Buffer.from('{"alg":"none","typ":"at+jwt"}').toString('base64url')
  const wrong = [
    gone,
    'x',
    'a.b.c',
    'srt_x',
    ` ${access_token}`,
    `${access_token}=`,
    `${refresh_token}x`,
    `${none}.${claims}.`,
    `${header}.${claims}.${signature.slice(0, -4)}AAAA`,
    `${header}.e30.`,
    `${access_token}.${signature}`,
    '.'.repeat(5000),
    '\u0000',
    '{"active":true}',
  ]
  for (const token of wrong) {
    const answer = await server.introspect(token)
    t.is(answer.status, token === '\u0000' ? 400 : 200, `${token}: ${answer.text}`)
    if (answer.status === 200) t.deepEqual(answer.body, inactive, token)
  }
  server.clock.advance({ seconds: 901 })
  t.deepEqual((await server.introspect(access_token)).body, inactive, 'RFC 7662 §4: expired')
})

test('RFC 7662 §2.1: a caller without valid client credentials is refused', async (t) => {
  const server = await startServer(t)
  const spa = await registerPublic(server, 'spa')
  const { access_token: token } = (await server.signIn(spa, null)).body
  const introspect = (form: object) => server.post('/oauth/introspect', { token, ...form }, null)
  const bearer = { authorization: `Bearer ${token}` }
  const body = new URLSearchParams({ token })
  const answers = [
    await introspect({}),
    await introspect(spa),
    await introspect({ client_id: 'app' }),
    await introspect({ client_id: 'app', client_secret: 'wrong' }),
    await server.request('/oauth/introspect', { method: 'POST', headers: bearer, body }),
  ]
  for (const answer of answers) {
    t.like(answer, { status: 401, body: { error: 'invalid_client' } })
    t.regex(answer.headers.get('www-authenticate') ?? '', /^Basic /)
    t.false('active' in answer.body)
  }
})

test('RFC 7662 §2.1: a wrong hint does not hide a token', async (t) => {
  const server = await startServer(t)
  const { access_token, refresh_token } = (await server.signIn()).body
  for (const hint of ['access_token', 'refresh_token', 'bogus']) {
    for (const token of [access_token, refresh_token]) {
      const answer = await server.post('/oauth/introspect', { token, token_type_hint: hint })
      t.true(answer.body.active, hint)
    }
  }
})

test('RFC 7662 §4: GET is refused, so that no token gets into a log', async (t) => {
  const server = await startServer(t)
  const answer = await server.get('/oauth/introspect?token=x')
  t.is(answer.status, 405)
  t.is(answer.headers.get('allow'), 'POST')
})

test('ASVS 8.3.2: a role is removed → it is missing after the next refresh', async (t) => {
  const server = await startServer(t)
  const { refresh_token } = (await server.signIn()).body
  await server.db('users').update({ roles: [] })
  const { access_token } = (await server.refresh(refresh_token)).body
  t.deepEqual((await server.introspect(access_token)).body.roles, [])
})
