import test from 'ava'
import { exportJWK, generateKeyPair } from 'jose'
import { readToken, register } from '../support/clients/clients.ts'
import { assertionOf, present, registerWithKey } from '../support/clients/key-clients.ts'
import { isOAuthError } from '../support/http/oauth-error.ts'
import { startServer } from '../support/server/start-server.ts'

const refused = { status: 401, error: 'invalid_client' }

test('RFC 7523 §2.2: a client authenticates with a key of any announced algorithm', async (t) => {
  const server = await startServer(t, { unthrottled: true })
  const metadata = await server.get('/.well-known/oauth-authorization-server')
  const { token_endpoint_auth_signing_alg_values_supported: algorithms } = metadata.body
  t.deepEqual(algorithms, ['RS256', 'PS256', 'ES256', 'EdDSA'])
  for (const alg of algorithms) {
    const client = await registerWithKey(server, `with-${alg}`, alg)
    const { issuer } = server.app
    for (const aud of [issuer, [issuer], `${issuer}/oauth/token`]) {
      const answer = await present(server, await assertionOf(server, client, { aud }, alg))
      t.is(answer.status, 200, `${alg} for ${aud}: ${answer.text}`)
      t.is(readToken(answer.body.access_token).claims.sub, client.id)
    }
    const named = await assertionOf(server, client, {}, alg)
    const form = { grant_type: 'client_credentials', client_id: client.id }
    t.is((await present(server, named, form)).status, 200, 'client_id may come along')
  }
})

test('an assertion is accepted by every endpoint that accepts a secret', async (t) => {
  const server = await startServer(t, { unthrottled: true })
  const client = await registerWithKey(server, 'service')
  const proof = () => assertionOf(server, client)
  const person = { username: 'ada', password: 'correct horse battery staple' }
  const signIn = { grant_type: 'password', scope: 'offline_access', ...person }
  const { body } = await present(server, await proof(), signIn)
  const refresh = { grant_type: 'refresh_token', refresh_token: body.refresh_token }
  const next = await present(server, await proof(), refresh)
  t.is(next.status, 200, next.text)
  const token = next.body.access_token
  const asked = await present(server, await proof(), { token }, '/oauth/introspect')
  t.true(asked.body.active)
  t.is((await present(server, await proof(), { token }, '/oauth/revoke')).status, 200)
  const again = await present(server, await proof(), { token }, '/oauth/introspect')
  t.deepEqual(again.body, { active: false })
})

test('RFC 7523 §3: an assertion is accepted once, and its jti is kept until it has expired', async (t) => {
  const server = await startServer(t, { unthrottled: true })
  const client = await registerWithKey(server, 'service')
  const now = Math.floor(server.clock.now().getTime() / 1000)
  const assertion = await assertionOf(server, client, { exp: now + 300 })
  t.is((await present(server, assertion)).status, 200)
  for (const seconds of [0, 100, 190, 20, 15, 10]) {
    server.clock.advance({ seconds })
    await server.services.janitor.run()
    isOAuthError(t, await present(server, assertion), 'again', refused)
  }
  const { jti } = readToken(assertion).claims
  const reused = await assertionOf(server, client, { jti, exp: now + 500 })
  t.is((await present(server, reused)).status, 200, 'long after, the id is free again')
})

test('RFC 7523 §3: of twenty concurrent uses of one assertion exactly one succeeds', async (t) => {
  const server = await startServer(t, { unthrottled: true })
  const client = await registerWithKey(server, 'service')
  const other = await registerWithKey(server, 'other')
  for (let round = 0; round < 10; round += 1) {
    const jti = `round-${round}`
    const assertion = await assertionOf(server, client, { jti })
    const answers = await Promise.all(Array.from({ length: 20 }, () => present(server, assertion)))
    const believed = answers.filter(({ status }) => status === 200)
    t.is(believed.length, 1)
    for (const answer of answers) {
      if (answer.status !== 200) isOAuthError(t, answer, `round ${round}`, refused)
    }
    const same = await present(server, await assertionOf(server, other, { jti }))
    t.is(same.status, 200, 'ids of different clients do not meet')
  }
})

test('a client switches keys while both are registered', async (t) => {
  const server = await startServer(t, { unthrottled: true })
  const pairs = await Promise.all(['old', 'new'].map((kid) => pairOf(kid)))
  const jwks = { keys: pairs.map(({ publicJwk }) => publicJwk as { kty: 'EC' }) }
  await register(server, 'mover', { authenticationMethod: 'private_key_jwt', jwks })
  for (const pair of pairs) {
    const assertion = await assertionOf(server, { id: 'mover', ...pair })
    t.is((await present(server, assertion)).status, 200)
  }

  async function pairOf(kid: string) {
    const { privateKey, publicKey } = await generateKeyPair('ES256')
    return { privateKey, publicJwk: { ...(await exportJWK(publicKey)), kid } }
  }
})

test('RFC 6749 §2.3: a client with keys cannot authenticate with a secret, nor the reverse', async (t) => {
  const server = await startServer(t, { unthrottled: true })
  const client = await registerWithKey(server, 'service')
  for (const secret of ['', 'x', JSON.stringify(client.publicJwk)]) {
    const answer = await server.clientCredentials({}, { id: 'service', secret })
    isOAuthError(t, answer, secret, refused)
  }
  const borrowed = { ...client, id: 'app' }
  isOAuthError(t, await present(server, await assertionOf(server, borrowed)), 'app', refused)
})

test('a registered key that turns out to be unusable gives 401, not 500', async (t) => {
  const server = await startServer(t, { unthrottled: true })
  const client = await registerWithKey(server, 'service')
  const spoiled = [
    { ...client.publicJwk, x: client.publicJwk.y },
    { kty: 'EC', crv: 'P-256', kid: client.publicJwk.kid },
    { kty: 'RSA', n: 'AQAB', e: 'AQAB', kid: client.publicJwk.kid },
  ]
  for (const key of spoiled) {
    const jwks = JSON.stringify({ keys: [key] })
    await server.db('clients').where({ id: 'service' }).update({ jwks })
    const answer = await present(server, await assertionOf(server, client))
    isOAuthError(t, answer, JSON.stringify(key), refused)
  }
})
