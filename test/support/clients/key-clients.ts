import { randomUUID } from 'node:crypto'
import { exportJWK, generateKeyPair, type JWK, type JWTPayload, SignJWT } from 'jose'
import type { Answer, Form } from '../../../tools/http-client.ts'
import type { TestServer } from '../server/start-server.ts'
import { register } from './clients.ts'

type PrivateKey = Awaited<ReturnType<typeof generateKeyPair>>['privateKey']

/** A client that proves itself with a key. */
export interface KeyClient {
  readonly id: string
  readonly privateKey: PrivateKey
  readonly publicJwk: JWK
}

export async function registerWithKey(
  server: TestServer,
  id: string,
  alg = 'ES256',
): Promise<KeyClient> {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true })
  const publicJwk = { ...(await exportJWK(publicKey)), kid: `${id}-key` }
  const jwks = { keys: [publicJwk as { kty: 'EC' }] }
  await register(server, id, { authenticationMethod: 'private_key_jwt', jwks })
  return { id, privateKey, publicJwk }
}

/** The claims of a well-behaved client, RFC 7523 §3. */
export function goodClaims(server: TestServer, id: string, different: JWTPayload = {}): JWTPayload {
  const now = Math.floor(server.clock.now().getTime() / 1000)
  const audience = server.app.issuer
  return {
    iss: id,
    sub: id,
    aud: audience,
    jti: randomUUID(),
    iat: now,
    exp: now + 60,
    ...different,
  }
}

export function assertionOf(
  server: TestServer,
  client: KeyClient,
  different: JWTPayload = {},
  alg = 'ES256',
): Promise<string> {
  return new SignJWT(goodClaims(server, client.id, different))
    .setProtectedHeader({ alg, kid: client.publicJwk.kid as string })
    .sign(client.privateKey)
}

/** Posts with an assertion in place of a secret. */
export function present(
  server: TestServer,
  assertion: string,
  form: Form = { grant_type: 'client_credentials' },
  path = '/oauth/token',
): Promise<Answer> {
  const type = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'
  const proof = { client_assertion_type: type, client_assertion: assertion }
  return server.post(path, { ...proof, ...form }, null)
}
