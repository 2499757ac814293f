import { generateKeyPairSync, randomUUID } from 'node:crypto'
import test from 'ava'
import { jwtChecks } from '../../src/tokens/token-fault.ts'
import { orders } from '../../tools/fixtures.ts'
import { readToken } from '../support/clients/clients.ts'
import { encodePart, forge, hmac, pss, rsa, unsigned } from '../support/clients/forge.ts'
import { victimOf } from '../support/people/victim.ts'
import { areExplained, explainerOf } from './explainer.ts'

test('an access token with one defect → the check that it fails, in words', async (t) => {
  const { server, token, header, claims, privateKey } = await victimOf(t)
  const explain = explainerOf(server)
  const [head = '', body = '', signature = ''] = token.split('.')
  const thief = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey
  const own = rsa(privateKey)
  const headed = (more: object) => forge({ ...header, ...more }, claims, own)
  const claiming = (more: object) => forge(header, { ...claims, ...more }, own)
  const without = (name: string) =>
    forge(header, { ...claims, [name]: undefined } as Record<string, unknown>, own)
  const { typ: _typ, ...untyped } = header
  const { alg: _alg, ...unnamed } = header
  const { kid: _kid, ...keyless } = header
  const last = signature.at(-1) ?? ''
  const sibling = String.fromCharCode(last.charCodeAt(0) + 1)
  const now = Math.floor(server.clock.now().getTime() / 1000)
  await areExplained(t, explain, [
    ['cut after two parts', `${head}.${body}`, 'form', /three parts/],
    ['cut within the claims', token.slice(0, head.length + 20), 'form', /three parts/],
    ['a part too many', `${token}.${signature}`, 'form', /three parts/],
    ['padding', `${token}==`, 'form', /three parts/],
    ['its scheme before it', `Bearer ${token}`, 'form', /three parts/],
    ['a line break', `${head}.\n${body}.${signature}`, 'form', /three parts/],
    ['another spelling', `${token.slice(0, -1)}${sibling}`, 'form', /spelled canonically/],
    ['alg none', forge({ ...header, alg: 'none' }, claims, unsigned), 'form', /three parts/],
    ['alg none, signed', headed({ alg: 'none' }), 'algorithm', /it is "none"/],
    ['HS256', forge({ ...header, alg: 'HS256' }, claims, hmac('key')), 'algorithm', /"HS256"/],
    ['PS256', forge({ ...header, alg: 'PS256' }, claims, pss(privateKey)), 'algorithm', /"PS256"/],
    ['no alg', forge(unnamed, claims, own), 'algorithm', /no alg/],
    ['a key in the header', headed({ jwk: {} }), 'header', /jwk/],
    ['an address in the header', headed({ jku: 'https://evil.example' }), 'header', /jku/],
    ['an extension', headed({ crit: ['x'], x: 1 }), 'header', /crit/],
    ['a header that is no JSON', forge('{', claims, own), 'header', /header/],
    ['no kid', forge(keyless, claims, own), 'key', /no key of this installation/],
    ['an unknown kid', headed({ kid: 'elsewhere' }), 'key', /the kid "elsewhere"/],
    ['a foreign key', forge(header, claims, rsa(thief)), 'signature', /another key/],
    [
      'changed claims',
      `${head}.${encodePart({ ...claims, scope: 'admin' })}.${signature}`,
      'signature',
      /changed/,
    ],
    ['RS512', forge(header, claims, rsa(privateKey, 'sha512')), 'signature', /changed/],
    ['a logout token', headed({ typ: 'logout+jwt' }), 'type', /"logout\+jwt"/],
    ['no typ', forge(untyped, claims, own), 'type', /typ is another one/],
    ['another issuer', claiming({ iss: 'https://evil.example' }), 'issuer', /"https:\/\/evil/],
    ['a slash too many', claiming({ iss: `${claims.iss}/` }), 'issuer', /instead of/],
    ['no issuer', without('iss'), 'issuer', /missing/],
    [
      'expired',
      claiming({ exp: now - 300, iat: now - 600 }),
      'time',
      /expired .*, 5 min ago; it is/,
    ],
    ['not yet valid', claiming({ nbf: now + 600 }), 'time', /valid from .*\(nbf\)/],
    ['no jti', without('jti'), 'claims', /jti/],
    ['no client', without('client_id'), 'claims', /client_id/],
    ['no expiry', without('exp'), 'claims', /exp/],
    ['exp as text', claiming({ exp: String(now + 60) }), 'claims', /exp/],
    ['no audience', claiming({ aud: [] }), 'claims', /aud/],
    ['a list of scopes', claiming({ scope: ['read'] }), 'claims', /scope/],
    ['a session that is none', claiming({ sid: 'x' }), 'claims', /sid/],
    ['a session of no person', claiming({ sub: 'app' }), 'claims', /sub/],
    ['claims that are no JSON', forge(header, '[', own), 'claims', /JSON/],
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

test('the checks of a token have the same names as those of the verifier', (t) => {
  t.deepEqual([...jwtChecks].sort(), [
    'algorithm',
    'claims',
    'form',
    'header',
    'issuer',
    'key',
    'signature',
    'time',
    'type',
  ])
})
