import { randomBytes } from 'node:crypto'
import test from 'ava'
import { RefreshTokenCodec } from '../../src/sessions/refresh-token.ts'
import { ada, orders } from '../../tools/fixtures.ts'
import { register } from '../support/clients/clients.ts'
import { victimOf } from '../support/people/victim.ts'
import { areExplained, explainerOf } from './explainer.ts'

test('a refresh token that is refused → the first check of a rotation that fails', async (t) => {
  const { server, refreshToken, claims } = await victimOf(t)
  const explain = explainerOf(server)
  const { codec } = server.services
  const content = codec.decode(refreshToken)
  if (!content) throw new Error('no refresh token')
  const elsewhere = new RefreshTokenCodec(randomBytes(32)).encode(content)
  const gone = codec.encode({ ...content, sid: '018f0000-0000-7000-8000-000000000000' })
  const ofOtherSeed = codec.encode({ ...content, seed: randomBytes(16) })
  await areExplained(t, explain, [
    ['a good one', refreshToken, undefined, /generation 0, the newest is 0/],
    ['cut', refreshToken.slice(0, -5), 'form', /cut or changed/],
    ['too long', `${refreshToken}AA`, 'form', /cut or changed/],
    ['of another installation', elsewhere, 'signature', /another environment/],
    ['of no session', gone, 'session', /there is no session 018f/],
    ['of another family', ofOtherSeed, 'session', /another family/],
    [
      'of another client',
      refreshToken,
      'owner',
      /issued to app, not to "web"/,
      { clientId: 'web' },
    ],
    ['for another service', refreshToken, 'audience', /not for "x"/, { audience: 'x' }],
    ['for more than it has', refreshToken, 'scope', /lacks "admin"/, { scope: ['admin'] }],
  ])
  t.is((await server.refresh(refreshToken)).status, 200)
  await areExplained(t, explain, [
    ['in the grace', refreshToken, undefined, /within the grace/, { audience: orders }],
  ])
  server.clock.advance({ minutes: 10 })
  const reused = await explain(refreshToken)
  t.is(reused.failed, 'generation')
  t.regex(reused.message, /generation 0, the newest is 1, rotated .*, \d+ min ago: spent/)
  const { revoked_at } = await server.db('refresh_families').where({ sid: claims.sid }).first()
  t.is(revoked_at, null, 'explaining ends no session')
})

test('a session that ended → when, why and by which event', async (t) => {
  const { server } = await victimOf(t)
  const explain = explainerOf(server)
  const { users, clients } = server.services
  const person = await users.findAny(ada.username)
  if (!person) throw new Error('ada is missing')
  const begin = async (): Promise<string> => (await server.signIn()).body.refresh_token

  const revoked = await begin()
  await server.revoke(revoked)
  const reused = await begin()
  await server.refresh(reused)
  server.clock.advance({ minutes: 10 })
  await server.refresh(reused)
  await areExplained(t, explain, [
    ['by its client', revoked, 'end', /its client revoked it \(audit event \d+ session\.revoked/],
    ['by reuse', reused, 'end', /two parties had it \(audit event \d+ session\.reused/],
  ])

  const idle = await begin()
  server.clock.advance({ days: 8 })
  await areExplained(t, explain, [['unused', idle, 'time', /was not used and expired .* ago/]])
  await server.db('refresh_families').update({ expires_at: new Date(0) })
  await areExplained(t, explain, [['after its time', idle, 'time', /expired 1970/]])

  const ofDisabled = await begin()
  await server.db('users').where({ id: person.id }).update({ disabled_at: server.clock.now() })
  await areExplained(t, explain, [['of a disabled person', ofDisabled, 'person', /was disabled/]])
  await server.db('users').where({ id: person.id }).update({ disabled_at: null })

  const shop = await register(server, 'shop')
  const ofShop: string = (await server.signIn({}, shop)).body.refresh_token
  await server.db('clients').where({ id: 'shop' }).update({ disabled_at: server.clock.now() })
  await areExplained(t, explain, [['of a disabled client', ofShop, 'client', /shop was disabled/]])
  await clients.delete('shop')
  await areExplained(t, explain, [['of a deleted client', ofShop, 'session', /client was deleted/]])
})
