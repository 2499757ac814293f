import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { invoices } from '../../tools/fixtures.ts'
import { readToken } from '../support/clients/clients.ts'
import { forge, hmac, rsa, unsigned } from '../support/clients/forge.ts'

interface Stolen {
  readonly privateKey: KeyObject
  readonly publicKey: KeyObject
}

/**
 * Bad tokens, each wrong in one thing alone: what only says something else is signed by the genuine
 * key, so that a service which does not look at just this takes it.
 */
export function forgeries(good: string, { privateKey, publicKey }: Stolen) {
  const { header, claims } = readToken(good)
  const genuine = rsa(privateKey)
  const claiming = (other: object) => forge(header, { ...claims, ...other }, genuine)
  const headed = (other: object) => ({ ...header, ...other })
  const stranger = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey
  const pem = publicKey.export({ type: 'spki', format: 'pem' }).toString()
  const der = publicKey.export({ type: 'spki', format: 'der' })
  const [head, , signature] = good.split('.')
  const [, otherPayload] = claiming({ sub: 'somebody-else' }).split('.')
  const seconds = Math.floor(Date.now() / 1000)
  return {
    'RFC 9068 §4: one that has expired': claiming({ iat: seconds - 1020, exp: seconds - 120 }),
    'RFC 9068 §4: one for another audience': claiming({ aud: invoices }),
    'RFC 9068 §4: one of another issuer': claiming({ iss: 'https://other.example' }),
    'RFC 8725 §2.1: HS256 with the public key (PEM) as secret': forge(
      headed({ alg: 'HS256' }),
      ...[claims, hmac(pem)],
    ),
    'RFC 8725 §2.1: HS256 with the public key (DER) as secret': forge(
      headed({ alg: 'HS256' }),
      ...[claims, hmac(der)],
    ),
    'RFC 8725 §2.1: alg none': forge(headed({ alg: 'none' }), claims, unsigned),
    'RFC 8725 §2.1: alg none with the old signature': forge(headed({ alg: 'none' }), claims, () =>
      Buffer.from(signature as string, 'base64url'),
    ),
    'RFC 7515 §5.2: claims changed under the old signature': `${head}.${otherPayload}.${signature}`,
    'RFC 7515 §5.2: signed by a key of the forger, under a published kid': forge(
      ...[header, claims, rsa(stranger)],
    ),
    'a kid that was never published': forge(headed({ kid: 'made-up' }), claims, rsa(stranger)),
    'no JWT at all': 'nonsense',
    'a header that is no JSON': forge('{"alg":"RS256"', claims, rsa(stranger)),
    'a header that is nested 1500 deep': forge('['.repeat(1500), claims, rsa(stranger)),
    'a kid that is no string': forge(headed({ kid: ['a', {}] }), claims, rsa(stranger)),
  }
}

/** Signed by the genuine key and good, but for what only careful services look at. */
export function oddities(good: string, { privateKey }: Stolen) {
  const { header, claims } = readToken(good)
  return {
    'RFC 9068 §2.1: typ JWT': forge({ ...header, typ: 'JWT' }, claims, rsa(privateKey)),
    'RFC 8725 §3.1: RS512 of the genuine key': forge(
      { ...header, alg: 'RS512' },
      claims,
      rsa(privateKey, 'sha512'),
    ),
  }
}
