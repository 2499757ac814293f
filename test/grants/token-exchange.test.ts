import test, { type ExecutionContext } from 'ava'
import { app, invoices, orders } from '../../tools/fixtures.ts'
import type { Form } from '../../tools/http-client.ts'
import { readToken, register, registerPublic } from '../support/clients/clients.ts'
import { exchange } from '../support/clients/key-exchange.ts'
import { startConformingServer } from '../support/http/conformance.ts'
import { accountApi, addPerson, goodPassword } from '../support/people/account-api.ts'

/** Grace has given a service a key for two audiences and two scopes. */
async function prepare(t: ExecutionContext<unknown>, more: object = {}) {
  const server = await startConformingServer(t)
  const person = await addPerson(server, 'grace', { roles: ['editor'] })
  const audiences = [server.app.issuer, orders, invoices]
  await registerPublic(server, 'mobile', { scopes: ['account', 'read', 'write'], audiences })
  const login = { username: 'grace', password: goodPassword, client_id: 'mobile' }
  const { body } = await accountApi(server).post('login', { ...login, scope: 'account' })
  const grace = accountApi(server, body.access_token)
  const wished = {
    name: 'ci',
    password: goodPassword,
    scope: 'read write',
    audience: [orders, invoices],
    ...more,
  }
  const { body: key } = await grace.post('api-keys', wished)
  const service = await register(server, 'service', { ...exchange.client(server), audiences })
  const ask = (form: Form = {}, as = service) => exchange.of(server, key.key, as, form)
  return { server, person, grace, key, service, ask }
}

test('RFC 8693 §2.2: an API key → a short access token of its person, and no refresh token', async (t) => {
  const { server, person, key, ask } = await prepare(t)
  const { status, headers, body } = await ask()
  t.is(status, 200)
  t.is(headers.get('cache-control'), 'no-store')
  t.is(body.issued_token_type, exchange.accessTokenType)
  t.is(body.token_type, 'Bearer')
  t.is(body.refresh_token, undefined)
  const { claims } = readToken(body.access_token)
  t.like(claims, { sub: person.id, sid: key.id, client_id: 'service', amr: ['api_key'] })
  t.like(claims, { scope: 'read write', roles: ['editor'], aud: [orders, invoices] })
  t.is(body.expires_in, claims.exp - claims.iat)
  await server.services.administration.change(person.id, { roles: ['reader'] })
  t.deepEqual(readToken((await ask()).body.access_token).claims.roles, ['reader'])
})

test('RFC 8693 §2.1: scope and audience of an exchange → never wider than those of the key', async (t) => {
  const { ask } = await prepare(t)
  const { body } = await ask({ scope: 'read', audience: orders })
  t.is(body.scope, 'read')
  t.is(readToken(body.access_token).claims.aud, orders)
  t.is(readToken((await ask({ resource: invoices })).body.access_token).claims.aud, invoices)
  for (const scope of ['account', 'read account', 'offline_access']) {
    t.is((await ask({ scope })).body.error, 'invalid_scope', scope)
  }
  for (const audience of ['https://else.example', [orders, 'https://else.example']]) {
    t.is((await ask({ audience })).body.error, 'invalid_target')
  }
})

test('RFC 8693 §2.1: other token types and delegation → refused', async (t) => {
  const { server, service, ask } = await prepare(t)
  const own = await server.signIn()
  const type = 'urn:ietf:params:oauth:token-type:'
  const wrong: Form[] = [
    { subject_token_type: `${type}access_token`, subject_token: own.body.access_token },
    { subject_token_type: `${type}jwt` },
    { subject_token_type: '' },
    { subject_token: '' },
    { actor_token: own.body.access_token, actor_token_type: `${type}access_token` },
    { requested_token_type: `${type}refresh_token` },
  ]
  for (const form of wrong) {
    const { status, body } = await ask(form)
    t.deepEqual([status, body.error], [400, 'invalid_request'], JSON.stringify(form))
  }
  for (const token of [
    'sak_x',
    own.body.refresh_token,
    own.body.access_token,
    `sak_${'x'.repeat(5000)}`,
  ]) {
    const { status, body } = await exchange.of(server, token, service)
    t.deepEqual([status, body.error], [400, 'invalid_grant'])
  }
  const right = { requested_token_type: exchange.accessTokenType }
  t.is((await ask(right)).status, 200)
})

test('RFC 8693 §2.1: a public client or one without the grant → no exchange', async (t) => {
  const { server, key, ask } = await prepare(t)
  t.is((await ask({}, app)).body.error, 'unauthorized_client')
  const wrong = await ask({}, { id: 'service', secret: 'scs_wrong' })
  t.deepEqual([wrong.status, wrong.body.error], [401, 'invalid_client'])
  const mobile = await exchange.of(server, key.key, null, { client_id: 'mobile' })
  t.is(mobile.body.error, 'unauthorized_client')
  const { grantTypes = [] } = exchange.client(server)
  await t.throwsAsync(() => registerPublic(server, 'public', { grantTypes }))
})

test('a key that expires soon → its access token expires with it', async (t) => {
  const { server, ask } = await prepare(t, { expires_in_days: 1 })
  const { expires_in: full } = (await ask()).body
  t.true(full > 60)
  server.clock.advance({ days: 1, seconds: -30 })
  const last = await ask()
  t.is(last.status, 200)
  t.true(last.body.expires_in <= 30)
  server.clock.advance({ seconds: 31 })
  t.is((await ask()).body.error, 'invalid_grant')
})

test('a key is revoked during its exchange → no token stays valid', async (t) => {
  const { server, grace, service } = await prepare(t)
  for (let round = 0; round < 10; round += 1) {
    const { body } = await grace.post('api-keys', {
      name: 'ci',
      scope: 'read',
      password: goodPassword,
    })
    const [revoked, ...answers] = await Promise.all([
      grace.delete(`api-keys/${body.id}`),
      ...Array.from({ length: 5 }, () => exchange.of(server, body.key, service)),
    ])
    t.is(revoked?.status, 204)
    for (const { status, body: tokens } of answers) {
      if (status !== 200) t.is(tokens.error, 'invalid_grant')
      else t.false((await server.introspect(tokens.access_token, service)).body.active)
    }
  }
})

test('RFC 8693 §2.2.1: an audience that the service itself does not have → refused', async (t) => {
  const { server, key } = await prepare(t)
  const few = { ...exchange.client(server), audiences: [orders, 'https://own.example'] }
  const service = await register(server, 'narrow', few)
  const whole = await exchange.of(server, key.key, service)
  t.is(readToken(whole.body.access_token).claims.aud, orders)
  const wished = await exchange.of(server, key.key, service, { audience: invoices })
  t.is(wished.body.error, 'invalid_target')
  const none = await register(server, 'none', {
    ...{ ...exchange.client(server), audiences: ['https://own.example'] },
  })
  t.is((await exchange.of(server, key.key, none)).body.error, 'invalid_target')
})
