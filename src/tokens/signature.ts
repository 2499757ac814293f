import { type KeyObject, sign } from 'node:crypto'
import type { Signer } from '../keyring/keyring.ts'

/** RFC 9068 §2.1, encoded once for each key. */
const headers = new WeakMap<KeyObject, string>()

/**
 * A compact JWS with RS256, RFC 7515 §3.1. Signed on libuv's threads, by node:crypto itself: with jose
 * in between the event loop pays twice as much for each token.
 */
export function signToken({ kid, privateKey }: Signer, claims: object): Promise<string> {
  const input = `${headerOf(kid, privateKey)}.${encode(claims)}`
  return new Promise((resolve, reject) => {
    sign('RSA-SHA256', Buffer.from(input, 'latin1'), privateKey, (error, signature) => {
      if (error) reject(error)
      else resolve(`${input}.${signature.toString('base64url')}`)
    })
  })
}

function headerOf(kid: string, privateKey: KeyObject): string {
  const known = headers.get(privateKey)
  if (known !== undefined) return known
  const header = encode({ alg: 'RS256', typ: 'at+jwt', kid })
  headers.set(privateKey, header)
  return header
}

const encode = (part: object): string => Buffer.from(JSON.stringify(part)).toString('base64url')
