import test from 'ava'
import * as oauth from 'oauth4webapi'
import type { AuthenticationMethod } from '../../src/clients/client-settings.ts'
import { ada, invoices, orders } from '../../tools/fixtures.ts'
import { signerOf } from '../keyring/tend.ts'
import { startServer, type TestServer } from '../support/server/start-server.ts'
import { changeKeys, methods, type Registered, registerFor } from './clients.ts'

/** The test has no certificate; all other options are the library's defaults. */
const http = { [oauth.allowInsecureRequests]: true }

const proof: Record<AuthenticationMethod, (registered: Registered) => oauth.ClientAuth> = {
  client_secret_basic: ({ secret }) => oauth.ClientSecretBasic(secret),
  client_secret_post: ({ secret }) => oauth.ClientSecretPost(secret),
  private_key_jwt: ({ privateKey }) => oauth.PrivateKeyJwt({ key: privateKey, kid: 'one' }),
  none: () => oauth.None(),
}

async function discover(server: TestServer): Promise<oauth.AuthorizationServer> {
  const issuer = new URL(server.app.issuer)
  const response = await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...http })
  return oauth.processDiscoveryResponse(issuer, response)
}

for (const method of methods) {
  test(`oauth4webapi signs in, refreshes and revokes with ${method}`, async (t) => {
    const server = await startServer(t)
    const as = await discover(server)
    const registered = await registerFor(server, method)
    const client: oauth.Client = { client_id: registered.id }
    const auth = proof[method](registered)
    const form = { ...ada, scope: 'read offline_access' }
    const signedIn = await oauth.processGenericTokenEndpointResponse(
      as,
      client,
      await oauth.genericTokenEndpointRequest(as, client, auth, 'password', form, http),
    )
    const refresh = async (token = '') =>
      oauth.processRefreshTokenResponse(
        as,
        client,
        await oauth.refreshTokenGrantRequest(as, client, auth, token, http),
      )
    const refreshed = await refresh(signedIn.refresh_token)
    t.not(refreshed.refresh_token, signedIn.refresh_token)
    const gone = refreshed.refresh_token ?? ''
    await oauth.processRevocationResponse(
      await oauth.revocationRequest(as, client, auth, gone, http),
    )
    const refused = await t.throwsAsync(refresh(gone), { instanceOf: oauth.ResponseBodyError })
    t.like(refused, { status: 400, error: 'invalid_grant' })
  })
}

for (const method of methods.filter((one) => one !== 'none')) {
  test(`oauth4webapi acts for itself and introspects with ${method}`, async (t) => {
    const server = await startServer(t)
    const as = await discover(server)
    const registered = await registerFor(server, method)
    const client: oauth.Client = { client_id: registered.id }
    const auth = proof[method](registered)
    const own = await oauth.processClientCredentialsResponse(
      as,
      client,
      await oauth.clientCredentialsGrantRequest(as, client, auth, { scope: 'read' }, http),
    )
    const introspect = async () =>
      oauth.processIntrospectionResponse(
        as,
        client,
        await oauth.introspectionRequest(as, client, auth, own.access_token, http),
      )
    t.like(await introspect(), { active: true, client_id: registered.id, scope: 'read' })
    await oauth.processRevocationResponse(
      await oauth.revocationRequest(as, client, auth, own.access_token, http),
    )
    t.false((await introspect()).active)
  })
}

test('RFC 9068 §4: a resource server on oauth4webapi accepts our tokens across a key rotation', async (t) => {
  const server = await startServer(t)
  const as = await discover(server)
  const request = (token: string) =>
    new Request('https://orders.example/', { headers: { authorization: `Bearer ${token}` } })
  const validate = (token: string, audience = orders) =>
    oauth.validateJwtAccessToken(as, request(token), audience, http)

  const before = (await server.signIn()).body.access_token
  const claims = await validate(before)
  t.like(claims, { iss: server.app.issuer, client_id: 'app', scope: 'read write offline_access' })
  t.is(typeof claims.jti, 'string')
  await changeKeys(server)
  const after = (await server.clientCredentials()).body.access_token
  t.not(signerOf(after), signerOf(before))
  t.is((await validate(after)).sub, 'app')
  t.is((await validate(before)).sub, claims.sub)
  await t.throwsAsync(validate(after, invoices), { message: /aud/ })
  const cut = after.slice(0, -8)
  await t.throwsAsync(validate(cut))
})
