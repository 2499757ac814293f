import { generateKeyPairSync } from 'node:crypto'
import test from 'ava'
import { register, registerPublic } from '../support/clients/clients.ts'
import { forge, rsa, unsigned } from '../support/clients/forge.ts'
import { areNoTokens, victimOf } from '../support/people/victim.ts'

test('RFC 7009 §5: knowing the jti or sid of a token is not enough to revoke it', async (t) => {
  const victim = await victimOf(t)
  const { server, header, claims, refreshToken } = victim
  const foreign = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const { jti, sid } = claims
  await areNoTokens(t, victim, {
    'a foreign signature': forge(header, claims, rsa(foreign.privateKey)),
    'no signature': forge({ ...header, alg: 'none' }, claims, unsigned),
    'the jti': String(jti),
    'the sid': String(sid),
    'the sid as a refresh token': `srt_${Buffer.from(String(sid).replaceAll('-', ''), 'hex').toString('base64url')}`,
    'another end of the token': `${victim.token.slice(0, -1)}${victim.token.endsWith('A') ? 'B' : 'A'}`,
  })
  t.deepEqual(await server.db('revocations').select('value'), [])
  t.is((await server.refresh(refreshToken)).status, 200)
})

test('RFC 7009 §2.1: another client can neither revoke a token nor learn that it is one', async (t) => {
  const victim = await victimOf(t)
  const { server, token, refreshToken } = victim
  const thief = await register(server, 'thief')
  const mobile = await registerPublic(server, 'mobile')
  const garbage = await server.revoke('garbage', thief)
  for (const stolen of [token, refreshToken]) {
    for (const answer of [
      await server.revoke(stolen, thief),
      await server.post('/oauth/revoke', { token: stolen, ...mobile }, null),
    ]) {
      t.is(answer.status, 200)
      t.is(answer.text, garbage.text)
    }
    t.is((await server.introspect(stolen, thief)).text, '{"active":false}')
    t.true((await server.introspect(stolen)).body.active)
  }
  const events = await server.db('audit_events').where({ event: 'token.revocation_refused' })
  t.is(events.length, 4, 'but the operator learns that somebody tried')
  t.is((await server.refresh(refreshToken)).status, 200)
})
