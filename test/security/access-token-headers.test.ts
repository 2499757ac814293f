import { generateKeyPairSync } from 'node:crypto'
import test from 'ava'
import { CompactEncrypt } from 'jose'
import { encodePart, forge, rsa, silentListener } from '../support/clients/forge.ts'
import { areNoTokens, victimOf } from '../support/people/victim.ts'

test('RFC 8725 §3.10, ASVS 9.1.3: no key and no address in a header is used or visited', async (t) => {
  const victim = await victimOf(t)
  const { header, claims, privateKey } = victim
  const listener = await silentListener(t)
  const thief = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const jwk = { ...thief.publicKey.export({ format: 'jwk' }), kid: header.kid, alg: 'RS256' }
  const certificate = thief.publicKey.export({ format: 'der', type: 'spki' }).toString('base64')
  const headers: Record<string, Record<string, unknown>> = {
    jwk: { jwk },
    jku: { jku: listener.url },
    'jku that begins like ours': { jku: `${victim.server.url}@${new URL(listener.url).host}/keys` },
    x5u: { x5u: listener.url },
    x5c: { x5c: [certificate] },
    x5t: { x5t: 'AAAA', 'x5t#S256': 'AAAA' },
    'all of them': { jwk, jku: listener.url, x5u: listener.url, x5c: [certificate] },
    'a kid that is an address': { kid: listener.url },
  }
  const forgeries: Record<string, string> = {}
  for (const [name, more] of Object.entries(headers)) {
    forgeries[`${name}, foreign key`] = forge({ ...header, ...more }, claims, rsa(thief.privateKey))
    // Our own key never signed such a header either.
    forgeries[`${name}, genuine key`] = forge({ ...header, ...more }, claims, rsa(privateKey))
  }
  const issuer = { ...claims, iss: listener.url }
  forgeries['an issuer to look up'] = forge(header, issuer, rsa(thief.privateKey))
  await areNoTokens(t, victim, forgeries)
  t.deepEqual(listener.calls, [])
})

test('RFC 7515 §4.1.11, RFC 7797 §7: no extension is understood, so none is taken', async (t) => {
  const victim = await victimOf(t)
  const { header, claims, privateKey } = victim
  const extensions: Record<string, unknown>[] = [
    ...[{ crit: [] }, { crit: ['x'], x: 1 }, { crit: ['x'] }, { crit: 'exp' }, { crit: null }],
    ...[{ crit: ['alg'] }, { crit: ['b64'], b64: true }, { crit: ['b64'], b64: false }],
    ...[{ b64: false }, { b64: 'false' }, { crit: ['b64', 'b64'], b64: true }, { crit: {} }],
    ...[{ zip: 'DEF' }, { enc: 'A256GCM' }, { cty: 'JWT' }, { iss: 'x' }, { x: 'y' }],
  ]
  const forgeries: Record<string, string> = {}
  for (const extension of extensions) {
    const token = forge({ ...header, ...extension }, claims, rsa(privateKey))
    forgeries[JSON.stringify(extension)] = token
  }
  const raw = `${encodePart({ ...header, crit: ['b64'], b64: false })}.${JSON.stringify(claims)}`
  forgeries['a payload that is not encoded'] =
    `${raw}.${rsa(privateKey)(raw).toString('base64url')}`
  await areNoTokens(t, victim, forgeries)
})

test('RFC 9068 §4, ASVS 9.2.2: only at+jwt is the type of an access token', async (t) => {
  const victim = await victimOf(t)
  const { header, claims, privateKey } = victim
  const types = [
    ...['JWT', 'jwt', '', 'at', 'at+jwt ', ' at+jwt', 'at-jwt', 'at+jwt;x=y', 'logout+jwt', 'JOSE'],
    ...['application/jwt', 'text/at+jwt', 'secevent+jwt', 'client-authentication+jwt', 'id_token'],
    ...[null, 0, [], ['at+jwt'], { typ: 'at+jwt' }],
  ]
  const forgeries: Record<string, string> = {}
  for (const typ of types) {
    forgeries[`typ ${JSON.stringify(typ)}`] = forge({ ...header, typ }, claims, rsa(privateKey))
  }
  const { typ: _, ...without } = header
  forgeries['no typ'] = forge(without, claims, rsa(privateKey))
  await areNoTokens(t, victim, forgeries)
  const same = forge({ ...header, typ: 'application/at+jwt' }, claims, rsa(privateKey))
  t.true((await victim.server.introspect(same)).body.active, 'which RFC 9068 §4 allows as well')
})

test('RFC 8725 §3.3: what is encrypted, nested or in another serialization is no access token', async (t) => {
  const victim = await victimOf(t)
  const { header, claims, privateKey, publicKey, token } = victim
  const [protectedPart = '', payload = '', signature = ''] = token.split('.')
  const json = { protected: protectedPart, payload, signature }
  const plain = Buffer.from(JSON.stringify(claims))
  const encrypt = (content: Buffer, cty?: string) =>
    new CompactEncrypt(content)
      .setProtectedHeader({
        alg: 'RSA-OAEP-256',
        enc: 'A256GCM',
        kid: header.kid,
        ...(cty && { cty }),
      })
      .encrypt(publicKey)
  await areNoTokens(t, victim, {
    'claims encrypted to our key': await encrypt(plain),
    'the token encrypted to our key': await encrypt(Buffer.from(token), 'JWT'),
    'a token in a token': forge({ ...header, cty: 'JWT' }, token, rsa(privateKey)),
    'a token signed again': forge(header, token, rsa(privateKey)),
    'flattened JSON': JSON.stringify(json),
    'general JSON': JSON.stringify({ payload, signatures: [json] }),
    'JSON in a list': JSON.stringify([token]),
    quoted: `"${token}"`,
    'with its scheme': `Bearer ${token}`,
  })
})
