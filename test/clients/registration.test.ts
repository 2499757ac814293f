import { generateKeyPairSync } from 'node:crypto'
import test from 'ava'
import { tokenExchangeGrant } from '../../src/clients/client-settings.ts'
import type { NewClient } from '../../src/clients/new-client.ts'
import { orders } from '../../tools/fixtures.ts'
import { register } from '../support/clients/clients.ts'
import { startServer } from '../support/server/start-server.ts'

const pair = (bits: number) => generateKeyPairSync('rsa', { modulusLength: bits })
const keys = (...all: object[]) => ({
  authenticationMethod: 'private_key_jwt' as const,
  jwks: { keys: all as { kty: 'RSA' }[] },
})
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ format: 'jwk' })

const manyScopes = Array.from({ length: 60 }, (_, n) => `scope-${n}-`.padEnd(100, 'x'))

const contradictions: [string, Partial<NewClient>, RegExp][] = [
  ['an id with a space', { id: 'a b' }, /1 to 100 letters/],
  ['an id that is a path', { id: '../x' }, /1 to 100 letters/],
  ['an id like that of a person', { id: '0189ACDE-ac96-774b-bcce-b302099a8057' }, /id of a person/],
  ['no name', { name: ' ' }, /name/],
  ['no grant', { grantTypes: [] }, /grantTypes/],
  ['a grant that is none', { grantTypes: ['implicit' as never] }, /grantTypes/],
  ['a scope with a quote', { scopes: ['a"b'] }, /no scope token/],
  ['scopes that no token can bear', { scopes: manyScopes }, /no token can bear/],
  ['a default beyond the scopes', { defaultScopes: ['admin'] }, /among the scopes/],
  ['tokens that live too long', { accessTokenSeconds: 3601 }, /ACCESS_TOKEN_MAX_SECONDS \(3600\)/],
  ['no audience', { audiences: [] }, /audiences/],
  ['an audience with a fragment', { audiences: [`${orders}#x`] }, /neither a URI/],
  ['the password grant of another party', { firstParty: false }, /RFC 9700 section 2.4/],
  ['client_credentials without a secret', publicWith('client_credentials'), /section 4.4/],
  ['token exchange without a secret', publicWith(tokenExchangeGrant), /anybody could be it/],
  ['introspection without a secret', { ...publicWith(), introspects: [orders] }, /RFC 7662/],
  ['keys for a secret', { jwks: keys(ec).jwks }, /go together/],
  ['a key client without keys', { authenticationMethod: 'private_key_jwt' }, /go together/],
  ['a private key', keys(pair(2048).privateKey.export({ format: 'jwk' })), /private key/],
  ['a symmetric key', keys({ kty: 'oct', k: 'AAAA' }), /kty/],
  ['an RSA key of 1024 bits', keys(pair(1024).publicKey.export({ format: 'jwk' })), /2048/],
  ['a key without its numbers', keys({ kty: 'RSA', e: 'AQAB' }), /not a public key/],
  ['a point that is on no curve', keys({ ...ec, x: ec.y }), /not a public key/],
  ['a curve that no algorithm has', keys(curve('secp384r1')), /RS256, PS256, ES256, EdDSA/],
  ['a key for encryption', keys({ ...ec, use: 'enc' }), /for signatures/],
  ['a key for another algorithm', keys({ ...ec, alg: 'ES512' }), /RS256, PS256, ES256, EdDSA/],
  ['two keys with one kid', keys({ ...ec, kid: 'a' }, { ...ec, kid: 'a' }), /kid/],
  ['two keys without kid', keys(ec, ec), /kid/],
]

function publicWith(...grants: NewClient['grantTypes']): Partial<NewClient> {
  return { authenticationMethod: 'none', grantTypes: ['refresh_token', ...grants] }
}

function curve(namedCurve: string) {
  return generateKeyPairSync('ec', { namedCurve }).publicKey.export({ format: 'jwk' })
}

test('a client with contradictory settings is refused, with the reason', async (t) => {
  const server = await startServer(t)
  for (const [name, different, reason] of contradictions) {
    const error = await t.throwsAsync(register(server, 'new', different), undefined, name)
    t.regex(error?.message ?? '', reason, name)
    t.is(await server.db('clients').where({ id: 'new' }).first(), undefined, name)
  }
  const error = await t.throwsAsync(register(server, 'app'))
  t.regex(error?.message ?? '', /There is a client app already/)
})

test('a usable key is stored unchanged', async (t) => {
  const server = await startServer(t)
  const ed = generateKeyPairSync('ed25519').publicKey.export({ format: 'jwk' })
  const modulus = pair(3072).publicKey.export({ format: 'jwk' })
  const good = [
    { ...ec, use: 'sig', alg: 'ES256', kid: 'a' },
    { ...ed, kid: 'b' },
    { ...modulus, kid: 'c' },
  ]
  await register(server, 'keyed', keys(...good))
  const { jwks } = await server.db('clients').where({ id: 'keyed' }).first('jwks')
  t.deepEqual(jwks, { keys: good })
})

test('the id of a deleted client → refused until its last token has expired', async (t) => {
  const server = await startServer(t, { redis: false })
  await register(server, 'gone')
  await server.services.clients.delete('gone', {})
  await server.services.janitor.run()
  await t.throwsAsync(register(server, 'gone'), { message: /^The tokens of gone are revoked/ })
  server.clock.advance({ days: 1 })
  await t.notThrowsAsync(register(server, 'gone'))
})
