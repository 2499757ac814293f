import { createHash, createPrivateKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import test from 'ava'
import { readKey } from '../../src/keyring/key-material.ts'

const rsa = (modulusLength: number, publicExponent = 65_537) =>
  generateKeyPairSync('rsa', { modulusLength, publicExponent })

const pem = (key: KeyObject, type: 'pkcs8' | 'pkcs1' = 'pkcs8', encryption = {}) =>
  key.export({ type, format: 'pem', ...encryption }).toString()

const { privateKey, publicKey } = rsa(2048)
const jwk = privateKey.export({ format: 'jwk' })
const passphrase = { cipher: 'aes-256-cbc', passphrase: 'secret' }

/** The public half of one key with the private half of another. */
const mixed = () => {
  const other = rsa(2048).privateKey.export({ format: 'jwk' })
  return createPrivateKey({ key: { ...other, n: jwk.n as string }, format: 'jwk' })
}

test('an own key is imported from PKCS #8 or PKCS #1, under its RFC 7638 thumbprint', async (t) => {
  const members = `{"e":"${jwk.e}","kty":"RSA","n":"${jwk.n}"}`
  const kid = createHash('sha256').update(members).digest('base64url')
  for (const type of ['pkcs8', 'pkcs1'] as const) {
    const material = await readKey(pem(privateKey, type))
    const publicJwk = { kty: 'RSA', n: jwk.n, e: 'AQAB', alg: 'RS256', use: 'sig', kid }
    t.deepEqual({ ...material, privateKey: null }, { kid, publicJwk, privateKey: null } as never)
    t.true(material.privateKey.equals(privateKey))
  }
})

const refusals: Record<string, [() => string, RegExp]> = {
  'an EC key': [
    () => pem(generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey),
    /needs an RSA key; this one is ec\./,
  ],
  'an Ed25519 key': [() => pem(generateKeyPairSync('ed25519').privateKey), /this one is ed25519\./],
  'an RSA-PSS key': [
    () => pem(generateKeyPairSync('rsa-pss', { modulusLength: 2048 }).privateKey),
    /this one is rsa-pss\./,
  ],
  'RFC 7518 §3.3: 1024 bits': [() => pem(rsa(1024).privateKey), /2048 bits or more.*has 1024\./],
  'too many bits': [() => pem(rsa(4104).privateKey), /4104 bits: more/],
  'the exponent 3': [() => pem(rsa(2048, 3).privateKey), /65537 or more; this key has 3\./],
  'an encrypted PKCS #8 key': [
    () => pem(privateKey, 'pkcs8', passphrase),
    /is encrypted\. Decrypt it first: openssl pkey/,
  ],
  'an encrypted PKCS #1 key': [() => pem(privateKey, 'pkcs1', passphrase), /is encrypted/],
  'halves that do not match': [() => pem(mixed()), /damaged/],
  'a public key': [
    () => publicKey.export({ type: 'spki', format: 'pem' }).toString(),
    /not a private key in PEM form\. It is a public key\./,
  ],
  'a truncated key': [() => pem(privateKey).slice(0, 900), /not a private key in PEM form\.$/],
  'an empty file': [() => '', /not a private key in PEM form\.$/],
  garbage: [() => 'this is no key', /not a private key in PEM form\.$/],
}
for (const [what, [make, message]] of Object.entries(refusals)) {
  test(`refused with a sentence that says why: ${what}`, async (t) => {
    await t.throwsAsync(readKey(make()), { instanceOf: TypeError, message })
  })
}
