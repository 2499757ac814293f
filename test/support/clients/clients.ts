import type { NewClient } from '../../../src/clients/new-client.ts'
import { orders } from '../../../tools/fixtures.ts'
import type { Credentials } from '../../../tools/http-client.ts'
import type { TestServer } from '../server/start-server.ts'

/** Registers a client like `app`, different where a test says so. Public ones have an empty secret. */
export async function register(
  server: TestServer,
  id: string,
  different: Partial<NewClient> = {},
): Promise<Credentials> {
  const { secret = '' } = await server.services.clients.create({
    id,
    name: id,
    firstParty: true,
    grantTypes: ['password', 'refresh_token', 'client_credentials'],
    scopes: ['read', 'write', 'offline_access'],
    audiences: [orders],
    ...different,
  })
  return { id, secret }
}

/** The same for a client without a secret; its `client_id` goes into the form. */
export async function registerPublic(
  server: TestServer,
  id: string,
  different: Partial<NewClient> = {},
): Promise<{ client_id: string }> {
  const grantTypes: NewClient['grantTypes'] = ['password', 'refresh_token']
  await register(server, id, { authenticationMethod: 'none', grantTypes, ...different })
  return { client_id: id }
}

/** Header and claims of a token, unverified. */
export function readToken(token: string) {
  const [header, claims] = token
    .split('.')
    .slice(0, 2)
    .map((part) => JSON.parse(Buffer.from(part, 'base64url').toString()))
  return { header, claims }
}
