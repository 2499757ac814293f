import { generateKeyPair, type webcrypto } from 'node:crypto'
import { promisify } from 'node:util'
import type { AuthenticationMethod } from '../../src/clients/client-settings.ts'
import { app } from '../../tools/fixtures.ts'
import { register, registerPublic } from '../support/clients/clients.ts'
import type { TestServer } from '../support/server/start-server.ts'

/** A client registered for one authentication method, and its credentials. */
export interface Registered {
  readonly id: string
  readonly secret: string
  readonly privateKey: webcrypto.CryptoKey
}

export const methods: readonly AuthenticationMethod[] = [
  'client_secret_basic',
  'client_secret_post',
  'private_key_jwt',
  'none',
]

/** Registers a client as a user of the library would. */
export async function registerFor(
  server: TestServer,
  method: AuthenticationMethod,
): Promise<Registered> {
  const pair = await promisify(generateKeyPair)('ec', { namedCurve: 'P-256' })
  const { x, y } = pair.publicKey.export({ format: 'jwk' })
  const jwk = { kty: 'EC', crv: 'P-256', x, y, alg: 'ES256', kid: 'one' } as const
  const pkcs8 = pair.privateKey.export({ format: 'der', type: 'pkcs8' })
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256' }
  const key = await crypto.subtle.importKey('pkcs8', new Uint8Array(pkcs8), algorithm, false, [
    'sign',
  ])
  const id = `a.${method}~client`
  // The secret of `app` has every character that form-encoding changes: RFC 6749 §2.3.1.
  if (method === 'client_secret_basic') return { ...app, privateKey: key }
  if (method === 'none') {
    await registerPublic(server, id)
    return { id, secret: '', privateKey: key }
  }
  const jwks = method === 'private_key_jwt' ? { keys: [jwk] } : null
  const { secret } = await register(server, id, { authenticationMethod: method, jwks })
  return { id, secret, privateKey: key }
}

/** Lets the successor sign now, although it is seconds old: libraries use real time, so the test cannot wait. */
export async function changeKeys(server: TestServer): Promise<void> {
  await server.db.raw(`UPDATE signing_keys SET published_at = published_at - interval '2 hours'`)
  await server.services.rotation.rotate({ emergency: true })
  await server.services.keyring.reread()
}
