import { randomBytes } from 'node:crypto'
import test from 'ava'
import { digestSecret } from '../../src/oauth/opaque-token.ts'
import { BrowserSessionCodec } from '../../src/sessions/browser-session.ts'
import { ada, app, orders } from '../../tools/fixtures.ts'
import { startServer } from '../support/server/start-server.ts'
import { areExplained, explainerOf } from './explainer.ts'

const random = (prefix: string) => prefix + randomBytes(32).toString('base64url')

test('an API key that is refused → the condition that does not hold', async (t) => {
  const server = await startServer(t)
  const explain = explainerOf(server)
  const { users, apiKeys } = server.services
  const person = await users.findAny(ada.username)
  if (!person) throw new Error('ada is missing')
  const expiresAt = new Date(server.clock.now().getTime() + 3_600_000)
  const created = await apiKeys.create({
    userId: person.id,
    name: 'nightly',
    clientId: 'app',
    scope: ['read'],
    audience: [orders],
    expiresAt,
    ip: '192.0.2.1',
  })
  if (!created) throw new Error('the key was not created')
  const { secret, key } = created
  await areExplained(t, explain, [
    ['a good one', secret, undefined, /expires .*, in 59 min/],
    ['cut', secret.slice(0, -3), 'form', /44 characters instead of 47/],
    ['unknown', random('sak_'), 'key', /revoked, expired, or/],
    ['for another service', secret, 'audience', /not for "x"/, { audience: 'x' }],
    ['for more than it has', secret, 'scope', /lacks "write"/, { scope: ['write'] }],
    ['its id', key.id, undefined, /created/],
  ])
  await server.db('clients').where({ id: 'app' }).update({ disabled_at: server.clock.now() })
  await areExplained(t, explain, [['of a disabled client', secret, 'client', /app was disabled/]])
  await server.db('users').where({ id: person.id }).update({ disabled_at: server.clock.now() })
  await areExplained(t, explain, [['of a disabled person', secret, 'person', /was disabled/]])
  await server.db('users').where({ id: person.id }).update({ disabled_at: null })
  await server.db('clients').where({ id: 'app' }).update({ disabled_at: null })
  server.clock.advance({ hours: 2 })
  await areExplained(t, explain, [['after its time', secret, 'time', /expired .*, \d+ min ago/]])
  await apiKeys.revoke(person.id, key.id, '192.0.2.1')
  await areExplained(t, explain, [
    ['revoked, by its id', key.id, 'key', /audit event \d+ api_key\.revoked .* from 192\.0\.2\.1/],
  ])
})

test('a client secret → its client, and whether a newer one replaced it', async (t) => {
  const server = await startServer(t)
  const explain = explainerOf(server)
  const { clients } = server.services
  await areExplained(t, explain, [
    ['a good one', app.secret, undefined, /does not expire/, { clientId: 'app' }],
    ['of another client', app.secret, 'owner', /of app, not of "web"/, { clientId: 'web' }],
    ['unknown', random('scs_'), 'secret', /no client has it/],
  ])
  await clients.rotateSecret('app', 60)
  await areExplained(t, explain, [['in its overlap', app.secret, undefined, /replaced by a newer/]])
  server.clock.advance({ minutes: 5 })
  await areExplained(t, explain, [
    ['after its overlap', app.secret, 'time', /expired .*\d min ago/],
  ])
  const secret = await clients.rotateSecret('app', 60)
  await clients.disable('app')
  await areExplained(t, explain, [
    ['of a disabled client', secret, 'client', /\(audit event \d+ client\.disabled/],
  ])
})

test('the token of a link in a mail → its purpose and its time; it is not spent', async (t) => {
  const server = await startServer(t)
  const explain = explainerOf(server)
  const person = await server.services.users.findAny(ada.username)
  if (!person) throw new Error('ada is missing')
  const token = await server.services.oneTimeTokens.issue(server.db, {
    purpose: 'password_reset',
    userId: person.id,
    email: 'ada@example.com',
    seconds: 3600,
  })
  await areExplained(t, explain, [
    ['a good one', token, undefined, /resets a password/],
    ['the same again', token, undefined, /resets a password/],
    ['cut', token.slice(0, -1), 'form', /46 characters/],
    ['unknown', random('sot_'), 'link', /it was used/],
  ])
  server.clock.advance({ hours: 2 })
  await areExplained(t, explain, [['after its time', token, 'time', /expired/]])
  await server
    .db('one_time_tokens')
    .where({ digest: digestSecret(token) })
    .delete()
  await areExplained(t, explain, [['used', token, 'link', /it was used/]])
})

test('a device token → that it opens nothing', async (t) => {
  const explain = explainerOf(await startServer(t))
  const { explanation } = await explain(random('sdt_'))
  t.regex(explanation?.notes.join(' ') ?? '', /opens nothing/)
})

test('a browser cookie of another installation, or cut → its signature, its form', async (t) => {
  const explain = explainerOf(await startServer(t))
  const codec = new BrowserSessionCodec(randomBytes(32))
  const cookie = codec.encode({ id: '018f0000-0000-7000-8000-000000000000', version: 1 })
  await areExplained(t, explain, [
    ['of another installation', cookie, 'signature', /another environment/],
    ['cut', cookie.slice(0, -2), 'form', /cut or changed/],
  ])
})

test('nothing of ours → nothing', async (t) => {
  const explain = explainerOf(await startServer(t))
  for (const text of ['', 'x'.repeat(30_000), 'no such client', '"quoted"', '{"json":1}', '☃']) {
    t.is((await explain(text)).explanation, undefined, text.slice(0, 20))
  }
})
