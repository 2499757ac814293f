import test, { type ExecutionContext } from 'ava'
import type { Verifier, VerifierOptions } from '../../src/verifier/verifier.ts'
import { eventually } from '../../tools/eventually.ts'
import { app, invoices, orders } from '../../tools/fixtures.ts'
import { signerOf, tend } from '../keyring/tend.ts'
import { register } from '../support/clients/clients.ts'
import { startServer, type TestServer } from '../support/server/start-server.ts'
import { outcome, verifierOf } from './evil-issuer.ts'

/** A service of this server, on its clock. */
const serviceOf = (
  t: ExecutionContext<unknown>,
  { app: { issuer }, clock }: TestServer,
  options: Partial<VerifierOptions> = {},
) => verifierOf(t, { issuer, now: clock.now }, { audience: orders, ...options })

const becomes = (verifier: Verifier, token: string, code: string) =>
  eventually(async () => (await outcome(verifier, token)) === code, `it is ${code}`)

test('a revocation at the server → tokens are rejected by an offline verifier', async (t) => {
  const server = await startServer(t)
  const verifier = serviceOf(t, server)
  const reports = await register(server, 'reports')
  const first = (await server.signIn()).body
  const second = (await server.signIn()).body
  const third = (await server.signIn()).body
  const machine = (await server.clientCredentials()).body.access_token
  const ofClient = (await server.clientCredentials({ resource: orders }, reports)).body.access_token
  const tokens = [first, second, third].map((answer) => answer.access_token)
  for (const token of [...tokens, machine, ofClient]) {
    t.is(await outcome(verifier, token), 'accepted')
  }
  t.like(await verifier.verify(tokens[0]), { aud: orders, client_id: app.id, roles: ['admin'] })
  const [token = '', bySession = '', byReuse = ''] = tokens

  await server.revoke(token)
  await becomes(verifier, token, 'token_revoked')
  await server.revoke(second.refresh_token)
  await becomes(verifier, bySession, 'token_revoked')
  const refreshed = (await server.refresh(third.refresh_token)).body
  await server.refresh(refreshed.refresh_token)
  await server.refresh(third.refresh_token)
  await becomes(verifier, byReuse, 'token_revoked')
  t.is(await outcome(verifier, refreshed.access_token), 'token_revoked', 'and all of its session')
  await server.services.clients.disable(reports.id)
  await becomes(verifier, ofClient, 'token_revoked')
  t.is(await outcome(verifier, machine), 'accepted', 'no other token is refused')

  const late = serviceOf(t, server, { revocations: { onStale: 'reject' } })
  for (const one of [token, bySession, byReuse, ofClient]) {
    t.is(await outcome(late, one), 'token_revoked', 'a service that comes later knows all of it')
  }
  t.is(await outcome(late, machine), 'accepted')

  await server.services.rotation.revoke(signerOf(machine))
  await becomes(verifier, machine, 'token_revoked')
  await tend(server)
  const later = (await server.clientCredentials()).body.access_token
  t.not(signerOf(later), signerOf(machine))
  t.is(await outcome(verifier, later), 'accepted', 'the next key is known already')
  t.is(verifier.status.entries, 5)

  t.is(await outcome(late, later), 'accepted')
  t.is(await outcome(serviceOf(t, server), machine), 'key_unknown', 'it never learned of that key')
  t.is(await outcome(serviceOf(t, server, { audience: invoices }), later), 'audience_mismatch')
})

test('a normal rotation → no valid token is rejected', async (t) => {
  const server = await startServer(t)
  const verifiers = [serviceOf(t, server), serviceOf(t, server, { rememberTokens: 0 })]
  const minted: { token: string; expires: number }[] = []
  const signers = new Set<string>()
  let checked = 0
  await server.services.rotation.rotate({ emergency: false })
  for (let minutes = 0; minutes < 120; minutes += 3) {
    const { access_token: token, expires_in: seconds } = (await server.clientCredentials()).body
    const now = server.clock.now().getTime()
    signers.add(signerOf(token))
    minted.push({ token, expires: now + seconds * 1000 })
    for (const good of minted.filter(({ expires }) => expires > now)) {
      for (const verifier of verifiers) {
        t.is(await outcome(verifier, good.token), 'accepted', `${minutes} min`)
        checked += 1
      }
    }
    server.clock.advance({ minutes: 3 })
    await tend(server)
  }
  t.is(signers.size, 2, 'there was a rotation')
  t.true(checked > 300)
})

test('an unreachable server → valid tokens are accepted, revoked ones are not', async (t) => {
  const server = await startServer(t)
  const lenient = serviceOf(t, server)
  const strict = serviceOf(t, server, { revocations: { onStale: 'reject' } })
  const good = (await server.clientCredentials()).body.access_token
  const bad = (await server.clientCredentials()).body.access_token
  await server.revoke(bad)
  for (const verifier of [lenient, strict]) {
    await verifier.ready()
    await becomes(verifier, bad, 'token_revoked')
  }
  await server.stop()
  server.clock.advance({ seconds: 50 })
  for (const verifier of [lenient, strict]) t.is(await outcome(verifier, good), 'accepted')
  server.clock.advance({ minutes: 8 })
  for (const verifier of [lenient, strict]) t.is(await outcome(verifier, bad), 'token_revoked')
  t.is(await outcome(lenient, good), 'accepted', 'with keys that are stale')
  t.is(await outcome(strict, good), 'revocations_stale')
})
