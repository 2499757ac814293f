import { randomUUID } from 'node:crypto'
import test from 'ava'
import { jwtChecks } from '../../src/tokens/token-fault.ts'
import { tokenChecks } from '../../src/verifier/verification-error.ts'
import { orders } from '../../tools/fixtures.ts'
import { readToken } from '../support/clients/clients.ts'
import { forge, rsa } from '../support/clients/forge.ts'
import { victimOf } from '../support/people/victim.ts'
import { brokenTokens } from './broken-tokens.ts'
import { areExplained, explainerOf } from './explainer.ts'

test('an access token with one defect → the check that it fails, in words', async (t) => {
  const victim = await victimOf(t)
  const { server, token, header, claims, privateKey } = victim
  const explain = explainerOf(server)
  const claiming = (more: object) => forge(header, { ...claims, ...more }, rsa(privateKey))
  const now = Math.floor(server.clock.now().getTime() / 1000)
  await areExplained(t, explain, [
    ...brokenTokens(victim, now),
    ['another service', token, 'audience', /not for "https:\/\/x"/, { audience: 'https://x' }],
    ['a scope that it lacks', token, 'scope', /lacks "admin"/, { scope: ['read', 'admin'] }],
    ['another client', token, 'client', /of app, not of "web"/, { clientId: 'web' }],
    ['an unknown person', claiming({ sub: randomUUID() }), 'person', /is unknown/],
    ['an unknown client', claiming({ client_id: 'gone' }), 'client', /gone is unknown/],
    ['a good one', token, undefined, /lives until/, { audience: orders, scope: ['read'] }],
  ])
})

test('a retired and a revoked key → since when, and the event of the revocation', async (t) => {
  const { server, token, header } = await victimOf(t)
  const explain = explainerOf(server)
  const { rotation, keyring } = server.services
  await rotation.rotate({ emergency: true, acceptTooSoon: true })
  server.clock.advance({ days: 2 })
  await keyring.reread()
  const retired = await explain(token)
  t.is(retired.failed, 'key')
  t.regex(retired.message, new RegExp(`^${header.kid} was retired .* ago`))
  t.regex(JSON.stringify(retired.explanation), /"revocation","state":"passed"/)
  await rotation.revoke(header.kid)
  const revoked = await explain(token)
  t.is(revoked.failed, 'key')
  t.regex(revoked.message, /was revoked .* \(audit event \d+ key\.revoked at .*on the command line/)
  t.is((await explain(header.kid)).failed, 'key')
})

test('a token that was revoked, alone, with its session or with its client → the entry and its event', async (t) => {
  const { server } = await victimOf(t)
  const explain = explainerOf(server)
  const tokens = async () => (await server.signIn()).body
  const single = await tokens()
  await server.revoke(single.access_token)
  const session = await tokens()
  await server.revoke(session.refresh_token)
  const { claims } = readToken(single.access_token)
  await areExplained(t, explain, [
    [
      'the token',
      single.access_token,
      'revocation',
      /the token .* \(audit event \d+ token\.revoked/,
    ],
    ['its jti', claims.jti, 'revocation', /revoked .*token\.revoked/],
    ['the session', session.access_token, 'revocation', /the session .* was revoked/],
  ])
  const text = JSON.stringify((await explain(session.access_token)).explanation)
  t.regex(text, /its client revoked it \(audit event \d+ session\.revoked .* from 127\.0\.0\.1/)
  const { body } = await server.clientCredentials()
  t.is((await explain(body.access_token)).failed, undefined)
  await server.services.clients.disable('app')
  await areExplained(t, explain, [
    ['the client', body.access_token, 'revocation', /the client app was revoked/],
  ])
})

test('an ID token → the checks of a hint, and that it opens no API', async (t) => {
  const { server, header, claims, privateKey } = await victimOf(t)
  const explain = explainerOf(server)
  const idClaims = { ...claims, aud: 'app', exp: 1 }
  const token = forge({ ...header, typ: 'JWT' }, idClaims, rsa(privateKey))
  const { explanation } = await explain(token)
  t.is(explanation?.subject, 'ID token')
  t.regex(explanation?.notes.join(' ') ?? '', /opens no API.*expired/)
  await areExplained(t, explain, [
    ['an expired one', token, undefined, /a hint may have expired/],
    ['for another client', token, 'audience', /for app, not for "web"/, { clientId: 'web' }],
  ])
})

test('the checks of a token have the names that signet/verifier gives them', (t) => {
  const others = ['audience', 'revocation']
  t.deepEqual([...jwtChecks, ...others].sort(), [...tokenChecks].sort())
})
