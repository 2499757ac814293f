import test from 'ava'
import { createSignatureCache } from '../../src/tokens/access-tokens.ts'
import { app } from '../../tools/fixtures.ts'
import { startServer } from '../support/server/start-server.ts'

const token = (jti: string) => ({ kid: 'k', claims: { jti } }) as never

test('the cache of verified signatures is bounded and keeps the tokens in use', (t) => {
  const tokens = createSignatureCache()
  tokens.set('first', token('first'))
  tokens.set('second', token('second'))
  for (let at = 0; at < 1999; at += 1) {
    t.truthy(tokens.get('first'))
    tokens.set(`${at}`, token(`${at}`))
  }
  t.is(tokens.get('second'), undefined)
  t.like(tokens.get('first'), { claims: { jti: 'first' } })
})

test('RFC 7662 §2.2: a cached token ends with its expiry, its key and its revocation', async (t) => {
  const server = await startServer(t)
  const fresh = async () => {
    const { access_token, expires_in } = (await server.clientCredentials()).body
    for (const _ of [1, 2]) t.true((await server.introspect(access_token)).body.active)
    return { access_token, expires_in }
  }
  const inactive = async (of: string) =>
    t.deepEqual((await server.introspect(of)).body, { active: false })

  const revoked = await fresh()
  await server.revoke(revoked.access_token)
  await inactive(revoked.access_token)

  const expired = await fresh()
  server.clock.advance({ seconds: expired.expires_in })
  await inactive(expired.access_token)

  const orphan = await fresh()
  const { kid } = server.services.keyring.current.signer(server.clock.now())
  await server.services.rotation.revoke(kid)
  await server.services.keyring.reread()
  t.is(await server.services.accessTokens.verify(orphan.access_token), undefined)
  await inactive(orphan.access_token)
})

test('a cached token under another spelling is another token', async (t) => {
  const server = await startServer(t)
  const { access_token } = (await server.clientCredentials()).body
  t.true((await server.introspect(access_token, app)).body.active)
  for (const other of [`${access_token}=`, ` ${access_token}`, access_token.slice(0, -1)]) {
    t.false((await server.introspect(other, app)).body.active)
  }
})
