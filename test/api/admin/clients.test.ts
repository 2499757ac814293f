import test from 'ava'
import { app, orders } from '../../../tools/fixtures.ts'
import type { Credentials } from '../../../tools/http-client.ts'
import { register } from '../../support/clients/clients.ts'
import { startConformingServer } from '../../support/http/conformance.ts'
import {
  accountApi,
  addPerson,
  enter,
  goodPassword,
  pointers,
} from '../../support/people/account-api.ts'
import { addAdmin } from '../../support/people/administrator.ts'

const shop = {
  client_id: 'shop',
  name: 'Shop',
  first_party: true,
  grant_types: ['password', 'refresh_token', 'client_credentials'],
  scopes: ['read', 'offline_access'],
  audiences: [orders],
}

test('a client is registered, its secret shown this once, and it gets tokens', async (t) => {
  const server = await startConformingServer(t)
  const admin = await addAdmin(server)
  const made = await admin.post('clients', shop)
  t.is(made.status, 201, made.text)
  t.like(made.body, { ...shop, token_endpoint_auth_method: 'client_secret_basic' })
  const { client_secret: secret, ...shown } = made.body
  const { body } = await admin.get('clients')
  t.deepEqual(
    body.clients.map(({ client_id }: { client_id: string }) => client_id),
    ['account', 'app', 'shop'],
  )
  t.deepEqual(body.clients[2], shown)
  t.is((await server.clientCredentials({}, { id: 'shop', secret })).status, 200)
  t.is((await admin.post('clients', shop)).status, 409, 'the id is taken')
  const own = { ...shop, client_id: 'spa', token_endpoint_auth_method: 'none' }
  const spa = await admin.post('clients', { ...own, grant_types: ['password'] })
  t.is(spa.body.client_secret, undefined)
  const trail = await server.db('audit_events').where({ event: 'client.created' })
  t.true(trail.filter(({ detail }) => detail.by === admin.id).length === 2, 'the trail says who')
})

test('RFC 9457: errors name the fields that were sent', async (t) => {
  const server = await startConformingServer(t)
  const admin = await addAdmin(server)
  const keys = { keys: [{ kty: 'oct', k: 'x' }] }
  const wrong: [object, string[]][] = [
    [{ client_id: 'a b' }, ['/client_id']],
    [{ client_id: '01990000-0000-7000-8000-000000000000' }, ['/client_id']],
    [{ name: ' ' }, ['/name']],
    [{ grant_types: [] }, ['/grant_types']],
    [{ grant_types: ['implicit'] }, ['/grant_types/0']],
    [{ scopes: ['read', 'a b'] }, ['/scopes/1']],
    [{ audiences: [] }, ['/audiences']],
    [{ default_scopes: ['write'] }, ['/default_scopes']],
    [{ first_party: false }, ['/grant_types']],
    [{ token_endpoint_auth_method: 'none' }, ['/grant_types']],
    [{ token_endpoint_auth_method: 'tls_client_auth' }, ['/token_endpoint_auth_method']],
    [{ jwks: keys, token_endpoint_auth_method: 'private_key_jwt' }, ['/jwks/keys/0/kty']],
    [{ token_endpoint_auth_method: 'private_key_jwt' }, ['/jwks']],
    [{ access_token_seconds: 0 }, ['/access_token_seconds']],
    [{ access_token_seconds: 3601 }, ['/access_token_seconds']],
    [{ session_idle_seconds: 1.5 }, ['/session_idle_seconds']],
    [{ refresh_tokens: 'sometimes' }, ['/refresh_tokens']],
    [{ client_secret: 'mine', disabled_at: null }, ['/client_secret', '/disabled_at']],
    [{ client_id: 'a b', name: ' ', scopes: [' '] }, ['/client_id', '/name', '/scopes/0']],
  ]
  for (const [different, named] of wrong) {
    const answer = await admin.post('clients', { ...shop, ...different })
    t.deepEqual([answer.status, pointers(answer)], [422, named], JSON.stringify(different))
  }
  t.is((await server.db('clients').where({ name: 'Shop' })).length, 0)
  await admin.post('clients', shop)
  for (const [changes, named] of [
    [{ name: 'x', client_id: 'x', created_at: 'x' }, ['/client_id', '/created_at']],
    [{ access_token_seconds: 3601 }, ['/access_token_seconds']],
    [{ scopes: ['write'] }, ['/default_scopes']],
    [{ first_party: false }, ['/grant_types']],
  ] as const) {
    const answer = await admin.patch('clients/shop', changes)
    t.deepEqual([answer.status, pointers(answer)], [422, [...named]], JSON.stringify(changes))
  }
  t.is((await admin.patch('clients/shop', {})).status, 422)
  t.is((await admin.patch('clients/nobody', { name: 'x' })).status, 404)
  t.is((await admin.delete('clients/nobody')).status, 404)
})

test('a change of a client is made whole or not at all', async (t) => {
  const server = await startConformingServer(t)
  const admin = await addAdmin(server)
  const spa = { ...shop, client_id: 'spa', token_endpoint_auth_method: 'none' }
  await admin.post('clients', { ...spa, grant_types: ['password', 'refresh_token'] })
  await addPerson(server, 'grace')
  const login = { username: 'grace', password: goodPassword, client_id: 'spa', scope: 'read' }
  const { body } = await accountApi(server).post('login', login)
  const before = await server.db('clients').where({ id: 'spa' })
  const events = (await server.db('audit_events')).length
  const wished = { name: 'Other', scopes: ['read'], default_scopes: ['read'], disabled: true }
  const refused = await admin.patch('clients/spa', { ...wished, rotate_secret: true })
  t.is(refused.status, 409, 'a public client has no secret')
  t.deepEqual(await server.db('clients').where({ id: 'spa' }), before)
  t.is((await server.db('audit_events')).length, events)
  const asks = await register(server, 'asks', { introspects: ['*'] })
  t.true((await server.introspect(body.access_token, asks)).body.active)
  const changed = await admin.patch('clients/spa', wished)
  t.like(changed.body, { name: 'Other', scopes: ['read'] })
  t.truthy(changed.body.disabled_at)
  t.false((await server.introspect(body.access_token, asks)).body.active)
})

test('a secret is rotated without an outage: the previous one stays valid for a day', async (t) => {
  const server = await startConformingServer(t)
  const admin = await addAdmin(server)
  const { client_secret: first } = (await admin.post('clients', shop)).body
  const { client_secret: second } = (await admin.patch('clients/shop', { rotate_secret: true }))
    .body
  t.not(first, second)
  const ask = (secret: string) => server.clientCredentials({}, { id: 'shop', secret })
  t.deepEqual([(await ask(first)).status, (await ask(second)).status], [200, 200])
  server.clock.advance({ days: 1, seconds: 1 })
  t.deepEqual([(await ask(first)).status, (await ask(second)).status], [401, 200])
})

test('a disabled or deleted client loses all its tokens, and none of them comes back with it', async (t) => {
  // Redis forgets by its own clock, which no test can advance.
  const server = await startConformingServer(t, { redis: false })
  const admin = await addAdmin(server)
  const asks = await register(server, 'asks', { introspects: ['*'] })
  for (const way of ['disable', 'delete']) {
    const client_id = `shop-${way}`
    const { client_secret: secret } = (await admin.post('clients', { ...shop, client_id })).body
    const own: Credentials = { id: client_id, secret }
    const person = await server.signIn({ scope: 'read offline_access' }, own)
    const itself = await server.clientCredentials({}, own)
    t.is(itself.status, 200)
    const answer =
      way === 'disable'
        ? await admin.patch(`clients/${client_id}`, { disabled: true })
        : await admin.delete(`clients/${client_id}`)
    t.true([200, 204].includes(answer.status))
    for (const { body } of [person, itself]) {
      t.false((await server.introspect(body.access_token, asks)).body.active)
    }
    t.is((await server.refresh(person.body.refresh_token, {}, own)).status, 401)
    const back = () =>
      way === 'disable'
        ? admin.patch(`clients/${client_id}`, { disabled: false })
        : admin.post('clients', { ...shop, client_id })
    t.is((await back()).status, 409, 'its new tokens would be taken for the revoked ones')
  }
  server.clock.advance({ hours: 2 })
  const login = { username: 'root', password: goodPassword, scope: 'admin' }
  const { access_token: token } = (await accountApi(server).post('login', login)).body
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
  const path = '/api/v1/clients/shop-disable'
  const body = '{"disabled":false,"rotate_secret":true}'
  const enabled = await server.request(path, { method: 'PATCH', headers, body })
  t.is(enabled.status, 200, enabled.text)
  const fresh: Credentials = { id: 'shop-disable', secret: enabled.body.client_secret }
  const again = await server.clientCredentials({}, fresh)
  t.true((await server.introspect(again.body.access_token, asks)).body.active)
})

test('the client of this API cannot be disabled or deleted', async (t) => {
  const server = await startConformingServer(t)
  const admin = await addAdmin(server)
  t.is((await admin.patch('clients/account', { disabled: true })).status, 409)
  t.is((await admin.delete('clients/account')).status, 409)
  for (const change of [
    { audiences: ['https://x.example'] },
    { scopes: ['read'], default_scopes: [] },
    { grant_types: ['refresh_token'] },
  ]) {
    t.is((await admin.patch('clients/account', change)).status, 409)
  }
  t.is((await admin.patch('clients/account', { access_token_seconds: 60 })).status, 200)
  const life = (await enter(server, 'root')).tokens.expires_in
  t.true(life <= 60 && life >= 54)
  t.is((await admin.delete(`clients/${app.id}`)).status, 204)
})
