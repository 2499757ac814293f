import { createPrivateKey, createPublicKey, type KeyObject, sign, verify } from 'node:crypto'
import { describeKey, type KeyMaterial } from './signing-key.ts'

/**
 * Takes an RSA private key of one's own, PKCS #8 or PKCS #1 PEM.
 * @throws TypeError with a sentence for the operator when it is none that RS256 can be signed with
 */
export async function readKey(pem: string): Promise<KeyMaterial> {
  const key = parse(pem)
  if (key.asymmetricKeyType !== 'rsa') {
    throw new TypeError(`RS256 needs an RSA key; this one is ${key.asymmetricKeyType}.`)
  }
  const { modulusLength = 0, publicExponent = 0n } = key.asymmetricKeyDetails ?? {}
  if (modulusLength < 2048) {
    throw new TypeError(
      `RS256 needs 2048 bits or more (RFC 7518 section 3.3); this key has ${modulusLength}.`,
    )
  }
  if (modulusLength > 4096) {
    throw new TypeError(
      `This key has ${modulusLength} bits: more than 4096 make tokens large and signing slow.`,
    )
  }
  if (publicExponent < 65_537n) {
    throw new TypeError(
      `The public exponent must be 65537 or more; this key has ${publicExponent}.`,
    )
  }
  if (!fitsTogether(key)) {
    throw new TypeError('The key is damaged: its public half does not verify what it signs.')
  }
  return describeKey(key)
}

function parse(pem: string): KeyObject {
  if (/^(Proc-Type: 4,ENCRYPTED|-----BEGIN ENCRYPTED PRIVATE KEY-----)/m.test(pem)) {
    throw new TypeError('The key is encrypted. Decrypt it first: openssl pkey -in FILE -out PLAIN')
  }
  try {
    return createPrivateKey(pem)
  } catch (cause) {
    const what = /-----BEGIN (CERTIFICATE|(RSA )?PUBLIC KEY)-----/.exec(pem)?.[1]
    const found = what ? ` It is a ${what.toLowerCase()}.` : ''
    throw new TypeError(`This is no private key in PEM form.${found}`, { cause })
  }
}

function fitsTogether(key: KeyObject): boolean {
  const message = Buffer.from('signet')
  try {
    return verify('sha256', message, createPublicKey(key), sign('sha256', message, key))
  } catch {
    return false
  }
}
