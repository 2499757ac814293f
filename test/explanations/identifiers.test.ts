import { randomUUID } from 'node:crypto'
import test from 'ava'
import { ada } from '../../tools/fixtures.ts'
import { register } from '../support/clients/clients.ts'
import { addAdmin } from '../support/people/administrator.ts'
import { startServer } from '../support/server/start-server.ts'
import { areExplained, explainerOf } from './explainer.ts'

test('the id of a person → whether they may sign in, and who decided otherwise', async (t) => {
  const server = await startServer(t)
  const explain = explainerOf(server)
  const { users } = server.services
  const person = await users.findAny(ada.username)
  const id = person?.id ?? ''
  await server
    .db('users')
    .where({ id })
    .update({ email: 'ada@example.com', email_verified_at: null })
  await areExplained(t, explain, [
    ['unverified', id, 'address', /not verified/],
    ['the same by name', 'Ada', 'address', /not verified/],
    ['the same by address', 'ada@example.com', 'address', /not verified/],
  ])
  t.is((await explain('ada')).explanation?.id, id)
  t.false(JSON.stringify((await explain(id)).explanation).includes('ada'), 'no name is shown')
  await server.db('users').where({ id }).update({ email: null })
  const admin = await addAdmin(server)
  await admin.patch(`users/${id}`, { must_change_password: true })
  await areExplained(t, explain, [
    ['must change the password', id, 'password', /\(audit event \d+ user\.password_change_requir/],
  ])
  await admin.patch(`users/${id}`, { disabled: true })
  await areExplained(t, explain, [
    [
      'disabled',
      id,
      'person',
      new RegExp(`audit event \\d+ user\\.disabled .* by ${admin.id} from`),
    ],
  ])
  await admin.delete(`users/${id}`)
  await areExplained(t, explain, [
    ['deleted', id, 'person', /was deleted \(audit event \d+ user\.deleted/],
  ])
  t.is((await explain(randomUUID())).explanation, undefined)
})

test('the id of a session → whether it lives', async (t) => {
  const server = await startServer(t)
  const explain = explainerOf(server)
  await server.signIn()
  const { sid } = await server.db('refresh_families').first()
  await areExplained(t, explain, [
    ['alive', sid, undefined, /lives until/],
    ['in capitals', sid.toUpperCase(), undefined, /lives until/],
  ])
  const admin = await addAdmin(server)
  const person = await server.services.users.findAny(ada.username)
  await admin.patch(`users/${person?.id}`, { end_sessions: true })
  await areExplained(t, explain, [
    [
      'ended',
      sid,
      'session',
      /an administrator ended it \(audit event \d+ user\.sessions_ended .* by /,
    ],
  ])
})

test('a client → its state, and what it may ask for', async (t) => {
  const server = await startServer(t)
  const explain = explainerOf(server)
  await register(server, 'web', {
    grantTypes: ['authorization_code'],
    redirectUris: ['https://web.example/callback', 'http://127.0.0.1/callback'],
  })
  const uri = (redirectUri: string) => ({ redirectUri })
  await areExplained(t, explain, [
    ['registered', 'web', undefined, /registered/, uri('https://web.example/callback')],
    [
      'another port on loopback',
      'web',
      undefined,
      /registered/,
      uri('http://127.0.0.1:9/callback'),
    ],
    [
      'a query too many',
      'web',
      'redirect_uri',
      /character 29: "\?a=b" instead of the end/,
      uri('https://web.example/callback?a=b'),
    ],
    [
      'capitals',
      'web',
      'redirect_uri',
      /character 21: "Callback" instead of "callback"/,
      uri('https://web.example/Callback'),
    ],
    ['a fragment', 'web', 'redirect_uri', /no fragment/, uri('https://web.example/callback#x')],
    ['another service', 'web', 'audience', /not for "x"/, { audience: 'x' }],
    ['a scope', 'web', 'scope', /lacks "admin"/, { scope: ['admin'] }],
  ])
  await register(server, 'old')
  await server.services.clients.delete('old')
  await areExplained(t, explain, [
    ['deleted', 'old', 'client', /was deleted \(audit event \d+ client\.deleted/],
  ])
})

test('a kid → the state of the key', async (t) => {
  const server = await startServer(t)
  const explain = explainerOf(server)
  const [kid] = await server.db('signing_keys').orderBy('generation').pluck('kid')
  await areExplained(t, explain, [['active', kid, undefined, /active; signs from/]])
})
