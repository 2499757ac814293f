import { createPublicKey, generateKeyPairSync, KeyObject } from 'node:crypto'
import test from 'ava'
import { forge, hmac, rsa, silentListener, unsigned } from '../support/clients/forge.ts'
import { goodClaims, present, registerWithKey } from '../support/clients/key-clients.ts'
import { isOAuthError } from '../support/http/oauth-error.ts'
import { startServer, type TestServer } from '../support/server/start-server.ts'

const refused = { status: 401, error: 'invalid_client' }

async function clientOf(server: TestServer, id = 'service') {
  const client = await registerWithKey(server, id, 'RS256')
  const key = KeyObject.from(client.privateKey as never)
  return { client, key, header: { alg: 'RS256', kid: client.publicJwk.kid } }
}

test('RFC 7523 §3: an assertion says who, for whom and until when, or is refused', async (t) => {
  const server = await startServer(t)
  const { client, key, header } = await clientOf(server)
  await registerWithKey(server, 'victim', 'RS256')
  const now = Math.floor(server.clock.now().getTime() / 1000)
  const { issuer } = server.app
  const wrong: Record<string, Record<string, unknown>> = {
    'no iss': { iss: undefined },
    'another iss': { iss: 'victim' },
    'no sub': { sub: undefined },
    'the victim as sub': { sub: 'victim' },
    'the victim as both': { iss: 'victim', sub: 'victim' },
    'a list as sub': { sub: ['service'] },
    'no aud': { aud: undefined },
    'an empty aud': { aud: [] },
    'another server': { aud: 'https://other.example/oauth/token' },
    'the issuer and a slash': { aud: `${issuer}/` },
    'the path only': { aud: '/oauth/token' },
    'the other endpoint': { aud: `${issuer}/oauth/introspect` },
    'several aud': { aud: [issuer, 'https://other.example'] },
    'the same aud twice': { aud: [issuer, issuer] },
    'no exp': { exp: undefined },
    'exp as text': { exp: String(now + 60) },
    'exp null': { exp: null },
    'exp in the past': { exp: now - 31 },
    'exp at zero': { exp: 0 },
    'a negative exp': { exp: -now },
    'exp in milliseconds': { exp: (now + 60) * 1000 },
    'a life of eleven minutes': { exp: now + 660 },
    'nbf in the future': { nbf: now + 300 },
    'nbf as text': { nbf: 'now' },
    'iat in the future': { iat: now + 60 },
    'iat as text': { iat: 'now' },
    'no jti': { jti: undefined },
    'an empty jti': { jti: '' },
    'jti as a number': { jti: 7 },
    'jti as a list': { jti: ['x'] },
    'a jti of 300 letters': { jti: 'x'.repeat(300) },
  }
  for (const [name, claims] of Object.entries(wrong)) {
    const payload = { ...goodClaims(server, client.id), ...claims }
    isOAuthError(t, await present(server, forge(header, payload, rsa(key))), name, refused)
  }
  const good = forge(header, { ...goodClaims(server, client.id) }, rsa(key))
  t.is((await present(server, good)).status, 200, 'and the same without a mistake is taken')
})

test('RFC 8725 §3.1: an assertion is believed for the registered key alone', async (t) => {
  const server = await startServer(t)
  const { client, key, header } = await clientOf(server)
  const thief = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const publicKey = createPublicKey(key)
  const pem = publicKey.export({ format: 'pem', type: 'spki' }) as string
  const der = publicKey.export({ format: 'der', type: 'spki' })
  const jwk = JSON.stringify(client.publicJwk)
  const listener = await silentListener(t)
  const stolen = thief.publicKey.export({ format: 'jwk' })
  const forgeries: Record<string, (claims: Record<string, unknown>) => string> = {
    'alg none': (claims) => forge({ ...header, alg: 'none' }, claims, unsigned),
    'alg None': (claims) => forge({ ...header, alg: 'None' }, claims, unsigned),
    'no alg': (claims) => forge({ kid: header.kid }, claims, rsa(key)),
    'no signature': (claims) => forge(header, claims, unsigned),
    'HS256 with the public key': (claims) => forge({ ...header, alg: 'HS256' }, claims, hmac(pem)),
    'HS256 with its bytes': (claims) => forge({ alg: 'HS256' }, claims, hmac(der)),
    'HS256 with its JWK': (claims) => forge({ alg: 'HS256' }, claims, hmac(jwk)),
    RS384: (claims) => forge({ ...header, alg: 'RS384' }, claims, rsa(key, 'sha384')),
    RS512: (claims) => forge({ ...header, alg: 'RS512' }, claims, rsa(key, 'sha512')),
    "another's key": (claims) => forge(header, claims, rsa(thief.privateKey)),
    'an unknown kid': (claims) => forge({ ...header, kid: 'x' }, claims, rsa(key)),
    'a key of its own': (claims) =>
      forge({ ...header, jwk: stolen }, claims, rsa(thief.privateKey)),
    jku: (claims) => forge({ ...header, jku: listener.url }, claims, rsa(thief.privateKey)),
    x5u: (claims) => forge({ ...header, x5u: listener.url }, claims, rsa(thief.privateKey)),
    x5c: (claims) => forge({ ...header, x5c: ['MIIB'] }, claims, rsa(thief.privateKey)),
    'an unknown crit': (claims) => forge({ ...header, crit: ['x'], x: 1 }, claims, rsa(key)),
    'an empty crit': (claims) => forge({ ...header, crit: [] }, claims, rsa(key)),
    'b64 false': (claims) => forge({ ...header, crit: ['b64'], b64: false }, claims, rsa(key)),
    'a payload that is no object': () => forge(header, '"service"', rsa(key)),
    'a payload that is null': () => forge(header, 'null', rsa(key)),
    'a payload that is no JSON': () => forge(header, '{"sub":"service"', rsa(key)),
    'no token': () => 'service',
    'five parts': () => 'a.b.c.d.e',
    dots: () => '..',
    'white space': (claims) => ` ${forge(header, claims, rsa(key))}`,
  }
  for (const [name, make] of Object.entries(forgeries)) {
    const answer = await present(server, make(goodClaims(server, client.id)))
    isOAuthError(t, answer, name, refused)
  }
  t.deepEqual(listener.calls, [])
})

test('RFC 7515 §4.1: addresses in the header of a good assertion are not visited', async (t) => {
  const server = await startServer(t)
  const { client, key, header } = await clientOf(server)
  const listener = await silentListener(t)
  const more = { jku: listener.url, x5u: listener.url }
  await present(
    server,
    forge({ ...header, ...more }, { ...goodClaims(server, client.id) }, rsa(key)),
  )
  t.deepEqual(listener.calls, [])
})

test('RFC 7521 §4.2: the type of the assertion is named, and is the one that is known', async (t) => {
  const server = await startServer(t)
  const { client, key, header } = await clientOf(server)
  const type = 'urn:ietf:params:oauth:client-assertion-type:'
  for (const wrong of ['', `${type}saml2-bearer`, `${type}JWT-bearer`, 'jwt']) {
    const client_assertion = forge(header, { ...goodClaims(server, client.id) }, rsa(key))
    const form = { grant_type: 'client_credentials', client_assertion_type: wrong }
    isOAuthError(t, await server.token({ ...form, client_assertion }, null), wrong)
  }
  const form = { client_id: 'app', grant_type: 'client_credentials' }
  const mixed = forge(header, { ...goodClaims(server, client.id) }, rsa(key))
  isOAuthError(t, await present(server, mixed, form), 'client_id of another')
})
