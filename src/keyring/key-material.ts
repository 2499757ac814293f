import {
  createPrivateKey,
  createPublicKey,
  generateKeyPair,
  type KeyObject,
  sign,
  verify,
} from 'node:crypto'
import { promisify } from 'node:util'
import { calculateJwkThumbprint, type JWK } from 'jose'

/** A generated or imported key before it has its place in the chain. */
export interface KeyMaterial {
  readonly kid: string
  readonly publicJwk: JWK
  readonly privateKey: KeyObject
}

export async function generateKey(bits: number): Promise<KeyMaterial> {
  const { privateKey } = await promisify(generateKeyPair)('rsa', { modulusLength: bits })
  const material = await describeKey(privateKey)
  // One in 64 thumbprints starts with `-`, which `signet keys revoke` would read as an option.
  return material.kid.startsWith('-') ? generateKey(bits) : material
}

async function describeKey(privateKey: KeyObject): Promise<KeyMaterial> {
  const { kty, n, e } = privateKey.export({ format: 'jwk' }) as {
    kty: string
    n: string
    e: string
  }
  const kid = await calculateJwkThumbprint({ kty, n, e })
  return { kid, publicJwk: { kty, n, e, alg: 'RS256', use: 'sig', kid }, privateKey }
}

/**
 * Reads an RSA private key of the operator, PKCS #8 or PKCS #1 PEM.
 * @throws TypeError with a sentence for the operator if RS256 cannot use the key
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
    const kind = /-----BEGIN (CERTIFICATE|(RSA )?PUBLIC KEY)-----/.exec(pem)?.[1]
    const found = kind ? ` It is a ${kind.toLowerCase()}.` : ''
    throw new TypeError(`This is not a private key in PEM form.${found}`, { cause })
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
