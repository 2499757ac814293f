import test from 'ava'
import { createVerifier } from '../../src/verifier/verifier.ts'
import { audience, outcome, startIssuer, verifierOf } from './evil-issuer.ts'

test('RFC 9068 §4: a valid token → accepted, with its claims', async (t) => {
  const issuer = await startIssuer(t)
  const verifier = verifierOf(t, issuer)
  const claims = issuer.claims({ roles: ['admin'], amr: ['pwd'], auth_time: 1, more: { of: 'it' } })
  t.deepEqual<unknown, unknown>(await verifier.verify(issuer.token(claims)), claims)
  const forItself = { sub: 'app', sid: undefined, scope: undefined }
  t.is((await verifier.verify(issuer.token(forItself))).sub, 'app')
  for (const aud of [[audience], ['https://other.example', audience]]) {
    t.deepEqual((await verifier.verify(issuer.token({ aud }))).aud, aud)
  }
  for (const typ of ['application/at+jwt', 'AT+JWT', 'Application/At+Jwt']) {
    t.is(await outcome(verifier, issuer.token({}, { typ })), 'accepted', typ)
  }
  t.like(verifier.status, { keys: 1, entries: 0, following: true, staleSeconds: 0 })
})

test('ASVS 9.2.3: several audiences → tokens for any of them are accepted, and no others', async (t) => {
  const issuer = await startIssuer(t)
  const names = ['https://a.example', 'https://b.example']
  const verifier = verifierOf(t, issuer, { audience: names })
  for (const aud of names) t.is(await outcome(verifier, issuer.token({ aud })), 'accepted')
  t.is(await outcome(verifier, issuer.token()), 'audience_mismatch')
})

test('RFC 9068 §2.2: a missing or mistyped claim → rejected with its own code', async (t) => {
  const issuer = await startIssuer(t)
  const verifier = verifierOf(t, issuer, { requiredClaims: ['tenant', 'toString'] })
  const own = { tenant: 't', toString: 'x' }
  t.is(await outcome(verifier, issuer.token(own)), 'accepted')
  t.is(
    await outcome(verifier, issuer.token({ tenant: 't' })),
    'claim_missing',
    'inherited is not there',
  )
  const required = ['iss', 'sub', 'aud', 'exp', 'iat', 'jti', 'client_id', 'tenant']
  for (const name of required) {
    const without = issuer.token({ ...own, [name]: undefined })
    t.is(await outcome(verifier, without), 'claim_missing', name)
  }
  const wrong: Record<string, readonly unknown[]> = {
    iss: ['', null, 1, [issuer.issuer], {}],
    sub: ['', null, 1, ['ada'], {}],
    aud: ['', null, 1, [], [audience, 1], [''], { 0: audience }],
    exp: [null, '9999999999', 1e300, 1.5, true, [issuer.seconds + 900], {}],
    iat: [null, String(issuer.seconds), 1.5, {}],
    nbf: [null, '1', 0.5],
    jti: ['', null, 7, ['x'], {}],
    client_id: ['', null, 7, ['app']],
    scope: [null, 7, ['read']],
    sid: ['', null, 7, ['x']],
    roles: [null, 'admin', [7], ['']],
    amr: ['pwd', [{}]],
    auth_time: ['1', null],
  }
  for (const [name, values] of Object.entries(wrong)) {
    for (const value of values) {
      const token = issuer.token({ ...own, [name]: value })
      t.is(await outcome(verifier, token), 'claim_invalid', `${name}: ${JSON.stringify(value)}`)
    }
  }
})

test('RFC 8725 §3.8, §3.9: issuer and audience → compared exactly', async (t) => {
  const issuer = await startIssuer(t, { path: '/tenant' })
  const verifier = verifierOf(t, issuer)
  const { origin } = issuer
  const issuers = [origin, `${issuer.issuer}/`, issuer.issuer.toUpperCase(), `${origin}/Tenant`]
  for (const iss of [...issuers, `${origin}/./tenant`, `${issuer.issuer}?`, ` ${issuer.issuer}`]) {
    t.is(await outcome(verifier, issuer.token({ iss })), 'issuer_mismatch', iss)
  }
  const audiences = ['https://orders.example/', 'https://ORDERS.example', 'orders.example', '*']
  for (const aud of [...audiences, audience.slice(0, -1), `${audience},x`, issuer.issuer]) {
    t.is(await outcome(verifier, issuer.token({ aud })), 'audience_mismatch', aud)
    t.is(await outcome(verifier, issuer.token({ aud: [aud] })), 'audience_mismatch', aud)
  }
})

test('ASVS 9.2.1: exp and nbf → exact to the second, within the tolerance', async (t) => {
  const issuer = await startIssuer(t)
  const verifier = verifierOf(t, issuer)
  const strict = verifierOf(t, issuer, { clockToleranceSeconds: 0 })
  const now = issuer.seconds
  const cases: [object, string, string][] = [
    [{ exp: now + 1 }, 'accepted', 'accepted'],
    [{ exp: now }, 'accepted', 'token_expired'],
    [{ exp: now - 4 }, 'accepted', 'token_expired'],
    [{ exp: now - 5 }, 'token_expired', 'token_expired'],
    [{ exp: 0 }, 'token_expired', 'token_expired'],
    [{ exp: -1 }, 'token_expired', 'token_expired'],
    [{ nbf: now }, 'accepted', 'accepted'],
    [{ nbf: now + 5 }, 'accepted', 'token_not_yet_valid'],
    [{ nbf: now + 6 }, 'token_not_yet_valid', 'token_not_yet_valid'],
    [{ iat: now + 60 }, 'accepted', 'accepted'],
    [{ iat: now + 61 }, 'token_not_yet_valid', 'token_not_yet_valid'],
  ]
  for (const [claims, tolerant, exact] of cases) {
    const token = issuer.token({ ...claims })
    t.is(await outcome(verifier, token), tolerant, JSON.stringify(claims))
    t.is(await outcome(strict, token), exact, JSON.stringify(claims))
  }
})

test('a cached token → expires like any other', async (t) => {
  const issuer = await startIssuer(t)
  const remembering = verifierOf(t, issuer)
  const forgetful = verifierOf(t, issuer, { rememberTokens: 0 })
  const token = issuer.token({ exp: issuer.seconds + 60 })
  for (const verifier of [remembering, forgetful]) {
    for (let n = 0; n < 3; n++) t.is(await outcome(verifier, token), 'accepted')
  }
  t.is(await remembering.verify(token), await remembering.verify(token), 'it is remembered')
  t.not(await forgetful.verify(token), await forgetful.verify(token), 'it is not')
  issuer.advance(64)
  for (const verifier of [remembering, forgetful]) t.is(await outcome(verifier, token), 'accepted')
  issuer.advance(1)
  for (const verifier of [remembering, forgetful]) {
    t.is(await outcome(verifier, token), 'token_expired')
  }
})

test('a full cache → keeps the most recently used tokens', async (t) => {
  const issuer = await startIssuer(t)
  const verifier = verifierOf(t, issuer, { rememberTokens: 3 })
  const tokens = Array.from({ length: 4 }, () => issuer.token())
  const [a = '', b = '', c = '', d = ''] = tokens
  const claims = new Map<string, unknown>()
  for (const token of [a, b, c]) claims.set(token, await verifier.verify(token))
  t.is(await verifier.verify(a), claims.get(a) as never, 'which makes b the oldest')
  await verifier.verify(d)
  for (const token of [a, c]) t.is(await verifier.verify(token), claims.get(token) as never)
  t.not(await verifier.verify(b), claims.get(b) as never)
})

test('claims changed by one request → not visible to others', async (t) => {
  const issuer = await startIssuer(t)
  const verifier = verifierOf(t, issuer)
  const token = issuer.token({ roles: ['reader'], nested: { deep: [{ er: 1 }] } })
  for (let n = 0; n < 2; n++) {
    const claims: unknown = await verifier.verify(token)
    const { roles, nested } = claims as { roles: string[]; nested: { deep: [object] } }
    t.throws(() => Object.assign(claims as object, { sub: 'root' }), { instanceOf: TypeError })
    t.throws(() => roles.push('admin'), { instanceOf: TypeError })
    t.throws(() => Object.assign(nested.deep[0], { er: 2 }), { instanceOf: TypeError })
  }
  t.like(await verifier.verify(token), { sub: 'ada', roles: ['reader'] })
})

test('a wrong option → TypeError when the verifier is created', (t) => {
  const good = { issuer: 'https://id.example', audience }
  const wrong: object[] = [
    ...['', 'id.example', 'http://id.example', 'ftp://id.example', 'http://127.0.0.1.example'].map(
      (issuer) => ({ issuer }),
    ),
    ...['https://id.example?x', 'https://id.example#', 'https://a:b@id.example'].map((issuer) => ({
      issuer,
    })),
    ...[{ audience: '' }, { audience: [] }, { audience: [''] }, { audience: undefined }],
    ...[{ clockToleranceSeconds: -1 }, { clockToleranceSeconds: 61 }],
    ...[{ clockToleranceSeconds: Number.NaN }, { clockToleranceSeconds: '5' }],
    ...[{ rememberTokens: -1 }, { timeoutSeconds: 1e9 }, { timeoutSeconds: 0 }],
    ...[{ jwksMaxAgeSeconds: 0 }, { jwksMaxStaleSeconds: -1 }, { unknownKidCooldownSeconds: 0 }],
    ...[{ revocations: { onStale: 'deny' } }, { revocations: { maxStaleSeconds: 0 } }],
    ...[{ revocations: { maxListBytes: 0 } }, { requiredClaims: 'tenant' }, { revocations: true }],
  ]
  for (const option of wrong) {
    const build = () => createVerifier({ ...good, ...option } as never)
    t.throws(build, { instanceOf: TypeError }, JSON.stringify(option))
  }
  const loopback = [
    'http://localhost:1',
    'http://127.8.0.1',
    'http://[::1]:1',
    'http://a.localhost',
  ]
  for (const issuer of [...loopback, 'https://id.example/path']) {
    t.notThrows(() => createVerifier({ ...good, issuer, revocations: {} }))
  }
})
