import { randomUUID } from 'node:crypto'
import test, { type ExecutionContext } from 'ava'
import type { Verifier } from '../../src/verifier/verifier.ts'
import {
  encodePart,
  forge,
  hmac,
  pss,
  rsa,
  silentListener,
  unsigned,
} from '../support/clients/forge.ts'
import { type EvilIssuer, newKey, outcome, startIssuer, verifierOf } from './evil-issuer.ts'

/** None of these passes, before or after a good one did, and a good one goes on passing. */
async function areRefused(
  t: ExecutionContext<unknown>,
  { issuer, verifier }: { issuer: EvilIssuer; verifier: Verifier },
  forgeries: Readonly<Record<string, unknown>>,
  codes: readonly string[],
): Promise<void> {
  for (const [name, forgery] of Object.entries(forgeries)) {
    for (let time = 0; time < 2; time++) {
      t.true(codes.includes(await outcome(verifier, forgery)), `${name}: a code of ${codes}`)
    }
    t.is(await outcome(verifier, issuer.token()), 'accepted', `after ${name}`)
  }
}

async function victim(t: ExecutionContext<unknown>) {
  const issuer = await startIssuer(t)
  const verifier = verifierOf(t, issuer)
  await verifier.ready()
  const { privateKey, publicKey } = issuer.signer
  return {
    issuer,
    verifier,
    privateKey,
    publicKey,
    header: issuer.header(),
    claims: issuer.claims(),
  }
}

test('RFC 8725 §3.1, ASVS 9.1.2: alg none in any spelling → rejected', async (t) => {
  const it = await victim(t)
  const { issuer, header, claims, privateKey } = it
  const [, , signature = ''] = issuer.token(claims).split('.')
  const forgeries: Record<string, string> = {}
  const names = ['none', 'None', 'NONE', 'nOnE', ' none', '', 'null', null, 0, [], {}, ['RS256']]
  for (const alg of [...names, undefined, false, true]) {
    const name = JSON.stringify(alg)
    const input = forge({ ...header, alg }, claims, unsigned)
    forgeries[`${name}, signed`] = forge({ ...header, alg }, claims, rsa(privateKey))
    forgeries[`${name}, with the signature of a good one`] = input + signature
    forgeries[`${name}, unsigned`] = input
    forgeries[`${name}, without the last dot`] = input.slice(0, -1)
  }
  forgeries['RS256, unsigned'] = forge(header, claims, unsigned)
  await areRefused(t, it, forgeries, ['algorithm_not_allowed', 'token_malformed'])
})

test('RFC 8725 §3.1: an HMAC with the public key in any form → rejected', async (t) => {
  const it = await victim(t)
  const { issuer, header, claims, publicKey } = it
  const pem = publicKey.export({ format: 'pem', type: 'spki' }) as string
  const jwk = publicKey.export({ format: 'jwk' })
  const secrets: Record<string, string | Buffer> = {
    pem,
    'pem without its last line break': pem.trimEnd(),
    'the base64 of pem': pem.replace(/-----.*-----|\n/g, ''),
    pkcs1: publicKey.export({ format: 'pem', type: 'pkcs1' }) as string,
    der: publicKey.export({ format: 'der', type: 'spki' }),
    jwk: JSON.stringify(jwk),
    jwks: JSON.stringify(issuer.jwks()),
    modulus: Buffer.from(jwk.n as string, 'base64url'),
    kid: issuer.signer.kid,
    nothing: '',
  }
  const named: Record<string, string> = {}
  const unnamed: Record<string, string> = {}
  for (const [name, secret] of Object.entries(secrets)) {
    for (const [alg, hash] of Object.entries({ HS256: 'sha256', HS512: 'sha512' })) {
      named[`${alg} with ${name}`] = forge({ ...header, alg }, claims, hmac(secret, hash))
    }
    unnamed[`RS256 with ${name}`] = forge(header, claims, hmac(secret))
  }
  await areRefused(t, it, named, ['algorithm_not_allowed'])
  await areRefused(t, it, unnamed, ['signature_invalid'])
})

test('RFC 8725 §3.1: the genuine key with another algorithm than RS256 → rejected', async (t) => {
  const it = await victim(t)
  const { header, claims, privateKey } = it
  const signers = {
    RS384: rsa(privateKey, 'sha384'),
    RS512: rsa(privateKey, 'sha512'),
    RS1: rsa(privateKey, 'sha1'),
    PS256: pss(privateKey),
  }
  const named: Record<string, string> = {}
  const unnamed: Record<string, string> = {}
  for (const [alg, signer] of Object.entries(signers)) {
    named[alg] = forge({ ...header, alg }, claims, signer)
    named[`RS256 called ${alg}`] = forge({ ...header, alg }, claims, rsa(privateKey))
    unnamed[`${alg} called RS256`] = forge(header, claims, signer)
  }
  for (const alg of [
    'rs256',
    'RSA256',
    'ES256',
    'EdDSA',
    'RS256 ',
    'RS256\u0000',
    'RSA-OAEP-256',
  ]) {
    named[alg] = forge({ ...header, alg }, claims, rsa(privateKey))
  }
  await areRefused(t, it, named, ['algorithm_not_allowed'])
  await areRefused(t, it, unnamed, ['signature_invalid'])
})

test('ASVS 9.1.1: a payload that the key did not sign → not read', async (t) => {
  const it = await victim(t)
  const { issuer, header, claims, privateKey } = it
  const [head = '', payload = '', signature = ''] = issuer.token(claims).split('.')
  const thief = newKey(issuer.signer.kid)
  const other = forge(header, { ...claims, sub: 'root' }, rsa(privateKey)).split('.')
  const bytes = Buffer.from(signature, 'base64url')
  const flipped = Buffer.from(bytes)
  flipped[100] = (flipped[100] as number) ^ 1
  const forgeries = {
    'a foreign key under the kid': forge(header, claims, rsa(thief.privateKey)),
    'other claims': [head, encodePart({ ...claims, sub: 'root' }), signature].join('.'),
    'another header': [encodePart({ ...header, typ: 'AT+JWT' }), payload, signature].join('.'),
    'the signature of another token': [head, payload, other[2]].join('.'),
    'a flipped bit': [head, payload, flipped.toString('base64url')].join('.'),
    'half a signature': [head, payload, bytes.subarray(0, 128).toString('base64url')].join('.'),
    'a zero before it': [head, payload, Buffer.concat([Buffer.of(0), bytes])]
      .map((part) => (Buffer.isBuffer(part) ? part.toString('base64url') : part))
      .join('.'),
    zeros: [head, payload, Buffer.alloc(256).toString('base64url')].join('.'),
  }
  await areRefused(t, it, forgeries, ['signature_invalid'])
})

test('RFC 8725 §3.10, ASVS 9.1.3: keys and URLs in a header → neither used nor fetched', async (t) => {
  const it = await victim(t)
  const { issuer, header, claims, privateKey } = it
  const listener = await silentListener(t)
  const thief = newKey(issuer.signer.kid)
  const jwk = { ...thief.publicKey.export({ format: 'jwk' }), kid: header.kid, alg: 'RS256' }
  const additions: Record<string, unknown>[] = [
    ...[{ jwk }, { jku: listener.url }, { x5u: listener.url }, { x5c: ['AAAA'] }, { x5t: 'AAAA' }],
    ...[{ crit: [] }, { crit: ['exp'], exp: 1 }, { crit: null }, { crit: ['b64'], b64: true }],
    ...[{ crit: ['b64'], b64: false }, { b64: false }, { zip: 'DEF' }, { enc: 'A256GCM' }],
    ...[{ cty: 'JWT' }, { iss: issuer.issuer }, { x: 'y' }, { '': 1 }, { KID: 'x' }],
  ]
  const forgeries: Record<string, string> = {}
  for (const addition of additions) {
    const [name] = Object.keys(addition)
    forgeries[`${name}, foreign key`] = issuer.token({}, addition, rsa(thief.privateKey))
    forgeries[`${name}, genuine key`] = issuer.token({}, addition, rsa(privateKey))
  }
  const polluting = JSON.stringify(header).replace('{', '{"__proto__":{"x":1},')
  forgeries.__proto__of_its_own = forge(polluting, claims, rsa(privateKey))
  await areRefused(t, it, forgeries, ['token_malformed'])
  t.deepEqual(listener.calls, [])
})

test('RFC 9068 §4, ASVS 9.2.2: another typ than at+jwt → rejected', async (t) => {
  const it = await victim(t)
  const { issuer } = it
  const types = [
    ...['JWT', 'jwt', '', 'at', 'at+jwt ', ' at+jwt', 'at-jwt', 'at+jwt;x=y', 'logout+jwt'],
    ...['application/jwt', 'text/at+jwt', 'application/application/at+jwt', 'revocations+jwt'],
    ...[null, 0, [], ['at+jwt'], { typ: 'at+jwt' }, undefined],
  ]
  const forgeries: Record<string, string> = {}
  for (const typ of types) forgeries[`typ ${JSON.stringify(typ)}`] = issuer.token({}, { typ })
  forgeries['a list of revocations'] = issuer.list()
  forgeries['a list with the claims of a token'] = issuer.list(issuer.claims())
  await areRefused(t, it, forgeries, ['type_not_allowed'])
})

test('RFC 7515 §7.1: another spelling of a token → rejected', async (t) => {
  const it = await victim(t)
  const { issuer, header, claims, privateKey } = it
  const token = issuer.token(claims)
  const [head = '', payload = '', signature = ''] = token.split('.')
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  const spare = alphabet[alphabet.indexOf(signature.at(-1) as string) ^ 1]
  const sign = (text: string | Buffer) => forge(text, claims, rsa(privateKey))
  const text = JSON.stringify(header)
  const forgeries: Record<string, unknown> = {
    'spare bits of the signature': `${head}.${payload}.${signature.slice(0, -1)}${spare}`,
    padding: `${token}=`,
    'padding inside': `${head}=.${payload}.${signature}`,
    'a line break': `${token}\n`,
    'white space before': ` ${token}`,
    'white space inside': `${head}.${payload} .${signature}`,
    'base64 for base64url': `${head}.${payload}.${Buffer.from(signature, 'base64url').toString('base64')}`,
    'its scheme': `Bearer ${token}`,
    'four parts': `${token}.x`,
    'five parts': `${token}.x.y`,
    'two parts': `${head}.${payload}`,
    'no header': `.${payload}.${signature}`,
    'no payload': `${head}..${signature}`,
    JSON: JSON.stringify({ payload, protected: head, signature }),
    nothing: '',
    dots: '..',
    undefined,
    null: null,
    'a number': 7,
    'a list': [token],
    'an object that says it is one': { toString: () => token, length: token.length },
    'a buffer': Buffer.from(token),
    'a megabyte': `${head}.${'A'.repeat(1_000_000)}.${signature}`,
    'a long header': sign(JSON.stringify({ ...header, kid: 'k'.repeat(2000) })),
    'a header that is no object': sign('[]'),
    'a header that is null': sign('null'),
    'a header that is no JSON': sign('{'),
    'a header with a byte order mark': sign(`\ufeff${text}`),
    'a header in UTF-16': sign(Buffer.from(text, 'utf16le')),
    'a header that is not UTF-8': sign(Buffer.from(text.replace('RS256', 'RS256\xff'), 'latin1')),
    'claims that are no object': forge(header, '[]', rsa(privateKey)),
    'claims that are null': forge(header, 'null', rsa(privateKey)),
    'claims that are no JSON': forge(header, 'x', rsa(privateKey)),
    'claims with a byte order mark': forge(
      header,
      `\ufeff${JSON.stringify(claims)}`,
      rsa(privateKey),
    ),
    'claims that are not UTF-8': forge(
      header,
      Buffer.from(JSON.stringify({ ...claims, x: '\xff' }), 'latin1'),
      rsa(privateKey),
    ),
    'no kid': issuer.token({}, { kid: undefined }),
    'an empty kid': issuer.token({}, { kid: '' }),
    'a kid that is none': issuer.token({}, { kid: [header.kid] }),
  }
  await areRefused(t, it, forgeries, ['token_malformed'])
})

test('RFC 8725 §3.10: a kid with any content → only looked up', async (t) => {
  const it = await victim(t)
  const kids = [
    ...['__proto__', 'constructor', 'toString', '../keys', "' OR 1=1 --", '/dev/null', '*', '0'],
    ...[`${it.header.kid} `, String(it.header.kid).toUpperCase(), '\u0000', randomUUID()],
  ]
  const forgeries = Object.fromEntries(kids.map((kid) => [kid, it.issuer.token({}, { kid })]))
  await areRefused(t, it, forgeries, ['key_unknown'])
})
