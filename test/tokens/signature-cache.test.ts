import test from 'ava'
import { SignatureCache } from '../../src/tokens/signature-cache.ts'
import { app } from '../../tools/fixtures.ts'
import { startServer } from '../support/server/start-server.ts'

const token = (jti: string) => ({ kid: 'k', claims: { jti } }) as never

test('the memory of checked signatures is bounded, and what is asked for stays', (t) => {
  const tokens = new SignatureCache()
  tokens.remember('first', token('first'))
  tokens.remember('second', token('second'))
  for (let at = 0; at < 1999; at += 1) {
    t.truthy(tokens.recall('first'))
    tokens.remember(`${at}`, token(`${at}`))
  }
  t.is(tokens.recall('second'), undefined)
  t.like(tokens.recall('first'), { claims: { jti: 'first' } })
})

test('RFC 7662 §2.2: a remembered token ends with its life, its key and its revocation', async (t) => {
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

test('a remembered token is known by every letter: another spelling is another token', async (t) => {
  const server = await startServer(t)
  const { access_token } = (await server.clientCredentials()).body
  t.true((await server.introspect(access_token, app)).body.active)
  for (const other of [`${access_token}=`, ` ${access_token}`, access_token.slice(0, -1)]) {
    t.false((await server.introspect(other, app)).body.active)
  }
})
