import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { createLocalJWKSet, decodeProtectedHeader, type JSONWebKeySet, jwtVerify } from 'jose'
import { startTestIssuer, type TestIssuerOptions } from '../../src/verifier/testing.ts'
import { createVerifier, VerificationError } from '../../src/verifier/verifier.ts'
import { eventually } from '../../tools/eventually.ts'
import { root } from '../../tools/root.ts'
import { Clock } from '../support/server/start-server.ts'

async function start(t: ExecutionContext, options: TestIssuerOptions = {}) {
  const issuer = await startTestIssuer(options)
  t.teardown(() => issuer.close())
  const get = (path: string, headers: Record<string, string> = {}) =>
    fetch(issuer.issuer + path, { headers })
  const jwks = async () => (await (await get('/.well-known/jwks.json')).json()) as JSONWebKeySet
  /** A list, read by the letter of docs/verifying.md. */
  async function list(query: Record<string, string> = {}) {
    const response = await get(`/.well-known/revocations?${new URLSearchParams(query)}`)
    const keys = createLocalJWKSet(await jwks())
    const { payload } = await jwtVerify(await response.text(), keys, {
      algorithms: ['RS256'],
      typ: 'revocations+jwt',
      issuer: issuer.issuer,
      ...(options.now && { currentDate: options.now() }),
    })
    const digests = Object.entries(payload.revoked as Record<string, string>).flatMap(
      ([expiry, packed]) =>
        (Buffer.from(packed, 'base64url').toString('hex').match(/.{32}/g) ?? []).map((digest) => ({
          digest,
          expiry: Number(expiry),
        })),
    )
    const { seq, since, iat } = payload as { seq: string; since?: string; iat: number }
    return { response, digests, seq, since, iat }
  }
  return { issuer, get, jwks, list }
}

const hex = (text: string) => createHash('sha256').update(text).digest('hex').slice(0, 32)

test('tokens of the test issuer → as in RFC 9068, with claims replaced or removed', async (t) => {
  const { issuer } = await start(t, { audience: 'https://orders.example' })
  const verifier = createVerifier({ issuer: issuer.issuer, audience: 'https://orders.example' })
  t.teardown(() => verifier.close())
  const token = await issuer.token({ sub: 'ann', scope: 'read', roles: ['admin'] })
  t.like(decodeProtectedHeader(token), { alg: 'RS256', typ: 'at+jwt' })
  const claims = await verifier.verify(token)
  t.like(claims, { sub: 'ann', scope: 'read', roles: ['admin'], client_id: 'test-client' })
  t.is(claims.exp - claims.iat, 900)
  t.not(claims.jti, (await verifier.verify(await issuer.token())).jti)

  const codes = {
    token_expired: { exp: 1_000_000 },
    audience_mismatch: { aud: 'https://another.example' },
    issuer_mismatch: { iss: 'https://another.example' },
    claim_missing: { client_id: undefined },
    claim_invalid: { sub: 7 },
  }
  for (const [code, wrong] of Object.entries(codes)) {
    const refused = verifier.verify(await issuer.token(wrong))
    await t.throwsAsync(refused, { instanceOf: VerificationError, code })
  }
})

test('a revocation → refused by a verifier that follows the feed; other tokens stay valid', async (t) => {
  const { issuer } = await start(t)
  const verifier = createVerifier({ issuer: issuer.issuer, audience: issuer.audience })
  t.teardown(() => verifier.close())
  const good = await issuer.token()
  const refused = async (token: string) =>
    verifier.verify(token).then(
      () => 'accepted',
      ({ code }) => code,
    )
  for (const [claims, mark] of [
    [{}, undefined],
    [{ sid: 'a-session' }, { sid: 'a-session' }],
    [{ client_id: 'a-client' }, { client: 'a-client' }],
    [{ jti: 'a-token' }, { jti: 'a-token' }],
  ] as const) {
    const token = await issuer.token(claims)
    t.is(await refused(token), 'accepted')
    await issuer.revoke(mark ?? token)
    await eventually(async () => (await refused(token)) === 'token_revoked', JSON.stringify(mark))
    t.is(await refused(good), 'accepted')
  }
  const { kid } = decodeProtectedHeader(good) as { kid: string }
  await issuer.revoke({ kid })
  await eventually(async () => (await refused(good)) !== 'accepted', 'the key is revoked')
  t.is(await refused(await issuer.token()), 'accepted', 'the successor signs')
})

test('a rotation → every token stays valid, because the next key is already published', async (t) => {
  const { issuer, jwks } = await start(t)
  const kids = async () => (await jwks()).keys.map(({ kid }) => kid)
  const before = await issuer.token()
  const published = await kids()
  t.is(published.length, 2)
  const kid = await issuer.rotate()
  t.true(published.includes(kid))
  t.is(decodeProtectedHeader(await issuer.token()).kid, kid)
  const old = decodeProtectedHeader(before).kid as string
  t.not(kid, old)
  t.is((await kids()).length, 3)
  t.true((await kids()).includes(old))
  await issuer.revoke({ kid: old })
  t.false((await kids()).includes(old), 'a leaked key is out at once')
  const { keys } = await jwks()
  for (const key of keys)
    t.deepEqual(Object.keys(key).sort(), ['alg', 'e', 'kid', 'kty', 'n', 'use'])
})

test('the feed → a full list, a delta, and a full list again for an unknown seq', async (t) => {
  const clock = new Clock(new Date('2026-01-01T00:00:30Z'))
  const { issuer, list, get } = await start(t, { now: clock.now })
  const empty = await list()
  t.like(empty, { digests: [], since: undefined, iat: 1_767_225_630 })
  t.regex(empty.seq, /^[\w.-]{1,64}$/)

  await issuer.revoke(await issuer.token({ jti: 'x', exp: 1_767_225_631 }))
  await issuer.revoke({ sid: 's' })
  const full = await list()
  const [jti, sid] = [hex('jti:x'), hex('sid:s')]
  // Whole minutes: 00:15:30 is 00:16.
  t.deepEqual(full.digests, [
    { digest: jti, expiry: 1_767_226_560 },
    { digest: sid, expiry: 1_767_226_560 },
  ])
  const { digests: delta, since } = await list({ since: empty.seq })
  t.is(since, empty.seq)
  t.is(delta.length, 2)
  t.like(await list({ since: full.seq }), { digests: [], since: full.seq, seq: full.seq })
  for (const unknown of ['garbage', `${full.seq}9`, 'AAAAAAAA.0', '../', '']) {
    const answer = await list({ since: unknown })
    t.is(answer.since, undefined, unknown)
    t.is(answer.digests.length, 2)
  }

  t.is(full.response.headers.get('content-type'), 'application/jwt')
  t.is(full.response.headers.get('cache-control'), 'public, max-age=1')
  const etag = full.response.headers.get('etag') as string
  t.regex(etag, /^W\/"/)
  t.is((await get('/.well-known/revocations', { 'if-none-match': etag })).status, 304)
  clock.advance({ minutes: 16 })
  t.deepEqual((await list()).digests, [], 'expired entries are gone')
  t.is((await list()).iat, full.iat + 960)
  for (const wrong of ['wait=x', 'wait=-1', 'wait=1.5', 'wait=1&wait=1', 'since=a&since=b']) {
    t.is((await get(`/.well-known/revocations?${wrong}`)).status, 400, wrong)
  }
})

test('a long poll → ends with news, or immediately on close', async (t) => {
  const { issuer, list } = await start(t)
  const { seq } = await list()
  const began = performance.now()
  const waiting = list({ since: seq, wait: '30' })
  await list({ wait: '30' })
  await issuer.revoke({ client: 'c' })
  t.like(await waiting, { since: seq, digests: [{ digest: hex('client:c') }] })
  const next = await list()
  const polling = await hangingPoll(issuer.issuer, next.seq)
  await issuer.close()
  await polling.ended
  await issuer.close()
  t.true(performance.now() - began < 20_000, 'none of three waited for its end')
})

/** A long poll that has certainly arrived: the request before it, in the same packet, was answered. */
async function hangingPoll(url: string, seq: string): Promise<{ ended: Promise<unknown> }> {
  const { hostname, port } = new URL(url)
  const socket = connect({ host: hostname, port: Number(port) })
  // It may be reset, which is an end as well.
  socket.on('error', () => undefined)
  const ended = new Promise((resolve) => socket.once('close', resolve))
  const get = (path: string) => `GET ${path} HTTP/1.1\r\nhost: ${hostname}\r\n\r\n`
  socket.write(get('/nothing') + get(`/.well-known/revocations?since=${seq}&wait=30`))
  await once(socket, 'data')
  return { ended }
}

test('a wait without news → an empty delta', async (t) => {
  const { list } = await start(t)
  const { seq } = await list()
  t.like(await list({ since: seq, wait: '1' }), { since: seq, seq, digests: [] })
})

test('the test issuer → listens on loopback only, and has no token endpoint', async (t) => {
  for (const host of ['0.0.0.0', '::', '::ffff:0.0.0.0', '192.0.2.1', 'localhost', 'example.org']) {
    await t.throwsAsync(startTestIssuer({ host }), { instanceOf: TypeError }, host)
  }
  const { issuer, get } = await start(t, { host: '127.0.0.2' })
  t.regex(issuer.issuer, /^http:\/\/127\.0\.0\.2:\d+$/)
  t.is((await get('/oauth/token')).status, 404)
  t.is((await get('//')).status, 404)
  const posted = await fetch(`${issuer.issuer}/.well-known/jwks.json`, { method: 'POST' })
  t.is(posted.status, 405)
})

test('the modules for tests → import nothing of the server', async (t) => {
  for (const file of ['testing', 'testing-keys', 'testing-revocations', 'testing-routes']) {
    const source = await readFile(join(root, 'src/verifier', `${file}.ts`), 'utf8')
    for (const [, name = ''] of source.matchAll(/from '([^']+)'/g)) {
      t.regex(name, /^(node:\w+|jose|\.\/(testing[\w-]*|access-token)\.ts)$/)
    }
    t.notRegex(source, /^import \{[^}]*\} from '\.\/access-token/m, 'only its types')
  }
})
