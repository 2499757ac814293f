import { randomUUID } from 'node:crypto'
import test from 'ava'
import { generateKeyPair, type JWTPayload, SignJWT } from 'jose'
import { goodClaims, registerWithKey } from '../support/clients/key-clients.ts'
import { startServer } from '../support/server/start-server.ts'
import { areExplained, explainerOf } from './explainer.ts'

test('a client assertion with one defect → the check that it fails; it is not spent', async (t) => {
  const server = await startServer(t)
  const explain = explainerOf(server)
  const keyed = await registerWithKey(server, 'keyed')
  const thief = await generateKeyPair('ES256')
  const now = Math.floor(server.clock.now().getTime() / 1000)
  const sign = (claims: JWTPayload = {}, key = keyed.privateKey, kid = 'keyed-key') =>
    new SignJWT(goodClaims(server, 'keyed', { jti: randomUUID(), ...claims }))
      .setProtectedHeader({ alg: 'ES256', kid })
      .sign(key)
  const good = await sign()
  const both = [server.app.issuer, 'https://x']
  await areExplained(t, explain, [
    ['a good one', good, undefined, /not used yet/],
    ['the same again', good, undefined, /not used yet/],
    ['of no client', await sign({ iss: 'nobody', sub: 'nobody' }), 'client', /"nobody"/],
    ['of a client without keys', await sign({ iss: 'app', sub: 'app' }), 'key', /has no keys/],
    ['an unknown kid', await sign({}, keyed.privateKey, 'other'), 'key', /kid "other"/],
    ['a foreign key', await sign({}, thief.privateKey), 'signature', /SIGNATURE_VERIFICATION/],
    [
      'for another server',
      await sign({ aud: 'https://x' }),
      'claims',
      /aud; it is for "https:\/\/x"/,
    ],
    ['for two servers', await sign({ aud: both }), 'claims', /several audiences/],
    ['expired', await sign({ exp: now - 60 }), 'time', /expired .*, \d+ (s|min) ago/],
    ['too long a life', await sign({ exp: now + 7200 }), 'time', /lives too long/],
    ['of the future', await sign({ iat: now + 300 }), 'time', /iat lies in the future/],
    ['no jti', await sign({ jti: '' }), 'claims', /jti/],
  ])
  const form = {
    grant_type: 'client_credentials',
    client_assertion: good,
    client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
  }
  t.is((await server.token(form, null)).status, 200)
  await areExplained(t, explain, [['used', good, 'use', /its jti was used before/]])
  await server.services.clients.disable('keyed')
  await areExplained(t, explain, [['of a disabled client', good, 'client', /was disabled/]])
})
