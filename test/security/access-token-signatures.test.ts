import { generateKeyPairSync } from 'node:crypto'
import test from 'ava'
import { app } from '../../tools/fixtures.ts'
import { forge, hmac, pss, rsa, unsigned } from '../support/clients/forge.ts'
import { areNoTokens, victimOf } from '../support/people/victim.ts'

test('RFC 8725 §3.1, ASVS 9.1.2: none is no algorithm, however it is spelled', async (t) => {
  const victim = await victimOf(t)
  const { header, claims } = victim
  const [, , signature = ''] = victim.token.split('.')
  const forgeries: Record<string, string> = {}
  for (const alg of ['none', 'None', 'NONE', 'nOnE', ' none', 'none ', '', 'null', 'no\u006ee']) {
    forgeries[`${alg}, unsigned`] = forge({ ...header, alg }, claims, unsigned)
    forgeries[`${alg}, signed`] = forge({ ...header, alg }, claims, rsa(victim.privateKey))
    const input = forge({ ...header, alg }, claims, unsigned)
    forgeries[`${alg}, with the victim's signature`] = input + signature
    forgeries[`${alg}, without the last dot`] = input.slice(0, -1)
  }
  for (const alg of [null, 0, false, [], {}, ['RS256'], ['none', 'RS256']]) {
    const odd = forge({ ...header, alg }, claims, rsa(victim.privateKey))
    forgeries[`alg ${JSON.stringify(alg)}`] = odd
  }
  const { alg: _, ...without } = header
  forgeries['no alg'] = forge(without, claims, rsa(victim.privateKey))
  await areNoTokens(t, victim, forgeries)
})

test('RFC 8725 §3.1: the public key is no HMAC secret, in any of its forms', async (t) => {
  const victim = await victimOf(t)
  const { header, claims, publicKey, server } = victim
  const pem = publicKey.export({ format: 'pem', type: 'spki' }) as string
  const pkcs1 = publicKey.export({ format: 'pem', type: 'pkcs1' }) as string
  const jwk = publicKey.export({ format: 'jwk' })
  const jwks = await server.get('/.well-known/jwks.json')
  const published = jwks.body.keys.find(({ kid }: { kid: string }) => kid === header.kid)
  const secrets: Record<string, string | Buffer> = {
    pem,
    'pem without its last line break': pem.trimEnd(),
    'pem with CRLF': pem.replaceAll('\n', '\r\n'),
    'the base64 of pem': pem.replace(/-----.*-----|\n/g, ''),
    pkcs1,
    'pkcs1 without its last line break': pkcs1.trimEnd(),
    der: publicKey.export({ format: 'der', type: 'spki' }),
    'der of pkcs1': publicKey.export({ format: 'der', type: 'pkcs1' }),
    jwk: JSON.stringify(jwk),
    'published jwk': JSON.stringify(published),
    jwks: jwks.text,
    modulus: Buffer.from(jwk.n as string, 'base64url'),
    'modulus as text': jwk.n as string,
    kid: header.kid,
    'client secret': app.secret,
    nothing: '',
    'a usual word': 'secret',
  }
  const forgeries: Record<string, string> = {}
  for (const [name, secret] of Object.entries(secrets)) {
    for (const [alg, hash] of Object.entries({ HS256: 'sha256', HS512: 'sha512' })) {
      forgeries[`${alg} with ${name}`] = forge({ ...header, alg }, claims, hmac(secret, hash))
    }
    forgeries[`RS256 with ${name}`] = forge(header, claims, hmac(secret))
  }
  await areNoTokens(t, victim, forgeries)
})

test('RFC 8725 §3.1: the genuine key signs RS256 and nothing else', async (t) => {
  const victim = await victimOf(t)
  const { header, claims, privateKey } = victim
  const signers = {
    RS384: rsa(privateKey, 'sha384'),
    RS512: rsa(privateKey, 'sha512'),
    RS1: rsa(privateKey, 'sha1'),
    PS256: pss(privateKey),
  }
  const forgeries: Record<string, string> = {}
  for (const [alg, signer] of Object.entries(signers)) {
    forgeries[alg] = forge({ ...header, alg }, claims, signer)
    forgeries[`${alg} called RS256`] = forge(header, claims, signer)
    forgeries[`RS256 called ${alg}`] = forge({ ...header, alg }, claims, rsa(privateKey))
  }
  for (const alg of ['rs256', 'RSA256', 'SHA256withRSA', 'ES256', 'EdDSA', 'RS256\u0000']) {
    forgeries[`called ${alg}`] = forge({ ...header, alg }, claims, rsa(privateKey))
  }
  await areNoTokens(t, victim, forgeries)
})

test('RFC 8725 §3.10, ASVS 1.2.4: the kid names a published key and is nothing but a name', async (t) => {
  const victim = await victimOf(t)
  const { header, claims, privateKey } = victim
  const foreign = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const forgeries: Record<string, string> = {
    'a foreign key under the kid': forge(header, claims, rsa(foreign.privateKey)),
    'an empty signature': forge(header, claims, unsigned),
    'a signature of zeros': forge(header, claims, () => Buffer.alloc(256)),
    'a signature of one byte': forge(header, claims, () => Buffer.from([1])),
    'a signature that is too long': forge(header, claims, (input) =>
      Buffer.concat([rsa(privateKey)(input), Buffer.alloc(1)]),
    ),
  }
  const { kid, ...without } = header
  const names = [
    ...['', 'x', kid.slice(1), kid.toLowerCase(), `${kid} `, '../../../dev/null', '/dev/null'],
    ...["' OR 1=1 --", "x' UNION SELECT 'AA", '| sleep 10', '$(sleep 10)', '__proto__'],
    ...['constructor', '*', 'http://127.0.0.1/key', 'x'.repeat(1400)],
  ]
  for (const name of names) {
    forgeries[`kid ${name}`] = forge({ ...header, kid: name }, claims, rsa(privateKey))
    forgeries[`kid ${name}, empty HMAC`] = forge({ alg: 'HS256', kid: name }, claims, hmac(''))
  }
  for (const odd of [null, 0, {}, [kid], true]) {
    const token = forge({ ...header, kid: odd }, claims, rsa(privateKey))
    forgeries[`kid ${JSON.stringify(odd)}`] = token
  }
  forgeries['no kid'] = forge(without, claims, rsa(privateKey))
  await areNoTokens(t, victim, forgeries)
})
