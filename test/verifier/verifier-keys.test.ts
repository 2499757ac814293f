import test from 'ava'
import { outcome, startIssuer, verifierOf } from './evil-issuer.ts'

test('a good token is accepted, with its claims', async (t) => {
  const issuer = await startIssuer(t)
  const verifier = verifierOf(t, issuer)
  const token = issuer.token({ roles: ['admin'] })
  const claims = await verifier.verify(token)
  t.like(claims, { sub: 'ada', client_id: 'app', roles: ['admin'] })
  t.is(await verifier.verify(token), claims)
  t.log(issuer.calls, verifier.events, verifier.status)
  t.is(await outcome(verifier, issuer.token({ aud: 'x' })), 'audience_mismatch')
})
