import test from 'ava'
import { startServer } from '../support/server/start-server.ts'
import { currentSigner, freshToken, publishedKids, tend } from './tend.ts'

for (const redis of ['with Redis', 'without Redis'] as const) {
  test(`a revoked key ends its tokens at once, even on an instance that has not reread the keys: ${redis}`, async (t) => {
    const store = redis === 'with Redis' ? {} : { redis: false as const }
    const server = await startServer(t, store)
    const other = await startServer(t, { ...store, beside: server })
    // No background jobs: nothing rereads the keys or follows the log of revocations.
    await Promise.all([server.app.stop(), other.app.stop()])
    const token = await freshToken(server)
    const person = (await server.signIn()).body
    const [leaked = '', successor = ''] = await publishedKids(server)
    t.true((await other.introspect(token)).body.active)

    const revocation = await server.services.rotation.revoke(leaked)
    t.is(revocation.signer, successor)
    t.deepEqual((await other.introspect(token)).body, { active: false })
    t.deepEqual((await server.introspect(token)).body, { active: false })
    t.true((await publishedKids(other)).includes(leaked), 'it has not reread the keys')

    await tend(server)
    t.is(await currentSigner(server), successor)
    t.false((await publishedKids(server)).includes(leaked))
    t.is((await publishedKids(server)).length, 2)
    await tend(other)
    t.false((await publishedKids(other)).includes(leaked))
    t.deepEqual((await other.introspect(token)).body, { active: false })

    const log = await server.db('revocations').where({ kind: 'kid' })
    t.deepEqual(
      log.map(({ value }) => value),
      [leaked],
    )
    t.true(log[0].expires_at > new Date(server.clock.now().getTime() + 3600_000))
    const [event] = await server.db('audit_events').where({ event: 'key.revoked' })
    t.deepEqual(event.detail, { kid: leaked, state: 'active' })
    const row = await server.db('signing_keys').where({ kid: leaked }).first()
    t.is(row.private_jwe, null, 'its private half is destroyed')

    // Sessions do not depend on a signing key: the next refresh brings a token of the successor.
    const refreshed = await server.refresh(person.refresh_token)
    t.is(refreshed.status, 200, refreshed.text)
    t.true((await other.introspect(refreshed.body.access_token)).body.active)
  })
}

test('a revoked successor never signs; another one is published at once', async (t) => {
  const server = await startServer(t)
  const token = await freshToken(server)
  const [signer, successor = ''] = await publishedKids(server)
  const revocation = await server.services.rotation.revoke(successor)
  await tend(server)
  t.is(revocation.signer, signer as string)
  t.is(await currentSigner(server), signer as string)
  t.true((await server.introspect(token)).body.active, 'no token is lost')
  const published = await publishedKids(server)
  t.is(published.length, 2)
  t.false(published.includes(successor))
  server.clock.advance({ days: 31 })
  await tend(server)
  t.is(await currentSigner(server), published[1] as string)
})

test('every key is revoked → there is a fresh pair, and its tokens are valid', async (t) => {
  const server = await startServer(t)
  const before = await publishedKids(server)
  for (const kid of before) await server.services.rotation.revoke(kid)
  await tend(server)
  const after = await publishedKids(server)
  t.is(after.length, 2)
  t.deepEqual(
    after.filter((kid) => before.includes(kid)),
    [],
  )
  t.true((await server.introspect(await freshToken(server))).body.active)
})

test('revoking a key again, or an unknown one, is refused', async (t) => {
  const server = await startServer(t)
  const [kid = ''] = await publishedKids(server)
  await server.services.rotation.revoke(kid)
  await t.throwsAsync(server.services.rotation.revoke(kid), { message: /revoked already/ })
  await t.throwsAsync(server.services.rotation.revoke('nobody'), { message: /no key nobody/ })
  t.is((await server.db('revocations').where({ kind: 'kid' })).length, 1)
})
