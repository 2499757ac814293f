import test from 'ava'
import * as client from 'openid-client'
import type { AuthenticationMethod } from '../../src/clients/client-settings.ts'
import { ada, invoices, orders } from '../../tools/fixtures.ts'
import { startServer, type TestServer } from '../support/server/start-server.ts'
import { methods, type Registered, registerFor } from './clients.ts'

const proof: Record<AuthenticationMethod, (registered: Registered) => client.ClientAuth> = {
  client_secret_basic: ({ secret }) => client.ClientSecretBasic(secret),
  client_secret_post: ({ secret }) => client.ClientSecretPost(secret),
  private_key_jwt: ({ privateKey }) => client.PrivateKeyJwt({ key: privateKey, kid: 'one' }),
  none: () => client.None(),
}

/** As in its README for an OAuth 2 server; with http, because the test has no certificate. */
async function configure(server: TestServer, method: AuthenticationMethod) {
  const registered = await registerFor(server, method)
  return client.discovery(
    new URL(server.app.issuer),
    registered.id,
    undefined,
    proof[method](registered),
    { algorithm: 'oauth2', execute: [client.allowInsecureRequests] },
  )
}

for (const method of methods) {
  test(`openid-client signs in, refreshes and revokes with ${method}`, async (t) => {
    const server = await startServer(t)
    const config = await configure(server, method)
    t.is(config.serverMetadata().issuer, server.app.issuer)
    const signedIn = await client.genericGrantRequest(config, 'password', {
      ...ada,
      scope: 'read offline_access',
      resource: orders,
    })
    t.like(signedIn, { token_type: 'bearer', scope: 'read offline_access' })
    const life = signedIn.expires_in ?? 0
    t.true(life <= 900 && life >= 840 && (signedIn.expiresIn() ?? 0) > 780)
    const refreshed = await client.refreshTokenGrant(config, signedIn.refresh_token ?? '')
    t.not(refreshed.access_token, signedIn.access_token)
    t.not(refreshed.refresh_token, signedIn.refresh_token)

    await client.tokenRevocation(config, refreshed.refresh_token ?? '')
    const refused = await t.throwsAsync(
      client.refreshTokenGrant(config, refreshed.refresh_token ?? ''),
      { instanceOf: client.ResponseBodyError },
    )
    t.like(refused, { status: 400, error: 'invalid_grant' })
    t.deepEqual((await server.introspect(refreshed.access_token)).body, { active: false })
  })
}

for (const method of methods.filter((one) => one !== 'none')) {
  test(`openid-client acts for itself and introspects with ${method}`, async (t) => {
    const server = await startServer(t)
    const config = await configure(server, method)
    const { client_id } = config.clientMetadata()
    const own = await client.clientCredentialsGrant(config, { scope: 'read' })
    t.is(own.refresh_token, undefined)
    const known = await client.tokenIntrospection(config, own.access_token)
    t.like(known, { active: true, client_id, sub: client_id, scope: 'read', aud: orders })
    await client.tokenRevocation(config, own.access_token)
    t.deepEqual(
      { ...(await client.tokenIntrospection(config, own.access_token)) },
      { active: false },
    )
  })
}

test('openid-client understands the error responses', async (t) => {
  const server = await startServer(t)
  const config = await configure(server, 'client_secret_basic')
  const cases: [Promise<unknown>, number, string][] = [
    [client.clientCredentialsGrant(config, { scope: 'everything' }), 400, 'invalid_scope'],
    [
      client.clientCredentialsGrant(config, { resource: 'https://else.example' }),
      400,
      'invalid_target',
    ],
    [
      client.genericGrantRequest(config, 'password', { ...ada, password: 'x' }),
      400,
      'invalid_grant',
    ],
    [client.genericGrantRequest(config, 'urn:of:nobody', {}), 400, 'unsupported_grant_type'],
  ]
  for (const [request, status, error] of cases) {
    const refusal = await t.throwsAsync(request, { instanceOf: client.ResponseBodyError }, error)
    t.like(refusal, { status, error })
  }
  const impostor = new client.Configuration(config.serverMetadata(), 'app', 'wrong')
  client.allowInsecureRequests(impostor)
  const refusal = await t.throwsAsync(client.clientCredentialsGrant(impostor))
  t.like(refusal, { code: 'OAUTH_WWW_AUTHENTICATE_CHALLENGE', status: 401 })
  const narrowed = await client.clientCredentialsGrant(config, { resource: invoices })
  t.like(await client.tokenIntrospection(config, narrowed.access_token), { aud: invoices })
})
