// Alone: it measures how soon a verifier knows.
import { randomBytes } from 'node:crypto'
import type { ServerResponse } from 'node:http'
import test from 'ava'
import { DigestSet } from '../../src/verifier/digest-set.ts'
import type { Verifier } from '../../src/verifier/verifier.ts'
import { eventually } from '../../tools/eventually.ts'
import { type EvilIssuer, newKey, outcome, startIssuer, verifierOf } from './evil-issuer.ts'

const becomes = (verifier: Verifier, token: string, code: string) =>
  eventually(async () => (await outcome(verifier, token)) === code, `it is ${code}`)

const isWaiting = (issuer: EvilIssuer) =>
  eventually(() => issuer.waiting.size > 0, 'the verifier waits for news')

test('a revoked token, session, client or key → its tokens are rejected, and no others', async (t) => {
  const issuer = await startIssuer(t)
  const verifier = verifierOf(t, issuer)
  const other = newKey()
  issuer.published.push(other)
  const first = issuer.signer
  issuer.signer = other
  const good = issuer.token()
  const byOther = issuer.token({ jti: 'same' }, { kid: other.kid })
  issuer.signer = first
  const tokens = {
    jti: issuer.token({ jti: 'a' }),
    sid: issuer.token({ sid: 'b' }),
    client: issuer.token({ client_id: 'c' }),
    kid: issuer.token({ jti: 'd' }),
  }
  for (const token of [...Object.values(tokens), good, byOther]) {
    t.is(await outcome(verifier, token), 'accepted')
  }
  // From now on lists are signed by the key that stays.
  issuer.signer = other
  const values = { jti: 'a', sid: 'b', client: 'c', kid: first.kid } as const
  for (const [kind, value] of Object.entries(values)) {
    issuer.revoke(kind as keyof typeof values, value)
    await becomes(verifier, tokens[kind as keyof typeof values], 'token_revoked')
    t.is(await outcome(verifier, good), 'accepted')
    t.is(await outcome(verifier, byOther), 'accepted')
  }
  // A value revokes only as what it is.
  t.is(await outcome(verifier, issuer.token({ jti: 'b', sid: 'a', sub: 'c' })), 'accepted')
  t.is(verifier.status.entries, 4)
  t.true(issuer.calls.some((call) => /\/feed\?since=3&wait=25&part=0$/.test(call)))
})

test('the first token → waits for the first list', async (t) => {
  const issuer = await startIssuer(t)
  const token = issuer.token({ jti: 'a' })
  issuer.revoke('jti', 'a')
  const held: ServerResponse[] = []
  issuer.answers.feed = (_request, response) => held.push(response)
  const verifier = verifierOf(t, issuer)
  const outcomes = [outcome(verifier, token), outcome(verifier, issuer.token())]
  await eventually(() => held.length > 0, 'the list is asked for')
  for (const response of held) issuer.sendList(response)
  t.deepEqual(await Promise.all(outcomes), ['token_revoked', 'accepted'])
})

test('a replayed old list → removes nothing, adds nothing and is not fresh', async (t) => {
  const issuer = await startIssuer(t)
  const lenient = verifierOf(t, issuer)
  const strict = verifierOf(t, issuer, { revocations: { onStale: 'reject' } })
  const old = issuer.list()
  const token = issuer.token({ jti: 'a', exp: issuer.seconds + 600 })
  for (const verifier of [lenient, strict]) t.is(await outcome(verifier, token), 'accepted')
  issuer.revoke('jti', 'a')
  for (const verifier of [lenient, strict]) await becomes(verifier, token, 'token_revoked')

  await eventually(() => issuer.waiting.size === 2, 'both wait')
  issuer.advance(10)
  issuer.answerAll()
  const areFresh = () => [lenient, strict].every(({ status }) => status.staleSeconds === 0)
  await eventually(areFresh, 'an empty delta makes fresh')
  issuer.answers.feed = (_request, response) => response.end(old)
  issuer.answerAll()
  issuer.advance(60)
  const { length } = issuer.calls
  await eventually(() => issuer.calls.length > length + 3, 'it is replayed')
  for (const verifier of [lenient, strict]) {
    t.is(await outcome(verifier, issuer.token()), 'accepted', 'it may be a minute old')
  }
  issuer.advance(1)
  for (const verifier of [lenient, strict]) {
    t.is(await outcome(verifier, token), 'token_revoked')
    t.is(verifier.status.staleSeconds, 61)
    t.is(verifier.status.entries, 1)
  }
  t.is(await outcome(lenient, issuer.token()), 'accepted')
  t.is(await outcome(strict, issuer.token()), 'revocations_stale')

  delete issuer.answers.feed
  await becomes(strict, issuer.token(), 'accepted')
  await eventually(() => lenient.status.staleSeconds === 0, 'it is fresh')
  for (const { events } of [lenient, strict]) {
    const turns = events.filter(({ type }) => type === 'stale' || type === 'fresh')
    t.deepEqual(turns, [{ type: 'stale', staleSeconds: 61 }, { type: 'fresh' }])
  }
})

test('a list without an entry → the entry stays, as with a delta or another history', async (t) => {
  const issuer = await startIssuer(t)
  const verifier = verifierOf(t, issuer)
  const token = issuer.token({ jti: 'a', exp: issuer.seconds + 5000 })
  issuer.revoke('jti', 'a', 6000)
  t.is(await outcome(verifier, token), 'token_revoked')
  issuer.restore()
  issuer.revoke('jti', 'b')
  await isWaiting(issuer)
  // Entries that a restored database repeats under old numbers come with the next full list.
  issuer.advance(900)
  issuer.answerAll()
  await eventually(() => verifier.status.entries === 2, 'the full list was read')
  t.is(issuer.calls.filter((call) => call.endsWith('/feed?part=0')).length, 2)
  t.is(await outcome(verifier, token), 'token_revoked')
})

test('an entry → removed at its expiry, never while its token could be accepted', async (t) => {
  const issuer = await startIssuer(t)
  const verifier = verifierOf(t, issuer, { clockToleranceSeconds: 60 })
  const token = issuer.token({ jti: 'a', exp: issuer.seconds + 60 })
  issuer.revoke('jti', 'a', 60)
  issuer.revoke('jti', 'b', 3600)
  t.is(await outcome(verifier, token), 'token_revoked')
  for (let second = 0; second <= 120; second += 10) {
    const code = await outcome(verifier, token)
    t.is(code, second < 120 ? 'token_revoked' : 'token_expired', `${second} s`)
    issuer.advance(10)
  }
  t.is(verifier.status.entries, 2)
  issuer.advance(60)
  await isWaiting(issuer)
  issuer.answerAll()
  await eventually(() => verifier.status.entries === 1, 'what is over is forgotten')
})

test('an issuer without a feed → nothing is followed, and onStale reject refuses tokens', async (t) => {
  const issuer = await startIssuer(t)
  issuer.hasFeed = false
  const lenient = verifierOf(t, issuer)
  const strict = verifierOf(t, issuer, { revocations: { onStale: 'reject' } })
  const never = verifierOf(t, issuer, { revocations: false })
  for (const verifier of [lenient, strict, never]) {
    await verifier.ready()
    t.like(verifier.status, { following: false, staleSeconds: Number.POSITIVE_INFINITY })
  }
  t.is(await outcome(lenient, issuer.token()), 'accepted')
  t.is(await outcome(strict, issuer.token()), 'revocations_stale')
  t.is(await outcome(never, issuer.token()), 'accepted')

  issuer.hasFeed = true
  issuer.advance(3601)
  await becomes(strict, issuer.token(), 'accepted')
  await becomes(lenient, issuer.token(), 'accepted')
  await eventually(() => lenient.status.following, 'an issuer may get a feed')
  await becomes(never, issuer.token(), 'accepted')
  t.false(never.status.following)
  // And does not lose it by saying nothing of it.
  issuer.hasFeed = false
  const read = issuer.count('well-known')
  issuer.advance(3601)
  await becomes(lenient, issuer.token(), 'accepted')
  await eventually(() => issuer.count('well-known') > read, 'the metadata are read again')
  await becomes(lenient, issuer.token(), 'accepted')
  t.true(lenient.status.following)
})

test('a verifier is closed → its poll ends', async (t) => {
  const issuer = await startIssuer(t)
  const verifier = verifierOf(t, issuer)
  await verifier.ready()
  await isWaiting(issuer)
  await verifier.close()
  await eventually(() => issuer.waiting.size === 0, 'the poll is over')
  const { length } = issuer.calls
  issuer.revoke('jti', 'a')
  t.is(issuer.calls.length, length)
  t.deepEqual(
    verifier.events.filter(({ type }) => type === 'problem'),
    [],
  )
})

test('an issuer that does not hold polls → polled with pauses', async (t) => {
  const issuer = await startIssuer(t)
  const verifier = verifierOf(t, issuer)
  issuer.answers.feed = (_request, response, url) =>
    issuer.sendList(response, url.searchParams.get('since') ?? undefined)
  const started = performance.now()
  await verifier.ready()
  await eventually(() => issuer.count('/feed') >= 5, 'it goes on asking')
  const seconds = (performance.now() - started) / 1000
  t.true(seconds > 2.9, `three pauses of a second or more, not ${seconds} s`)
})

test('a hundred thousand entries → exactly these are found, and removed when they expire', async (t) => {
  const issuer = await startIssuer(t)
  for (let n = 0; n < 100_000; n++) issuer.revoke('jti', `token ${n}`, 600 + (n % 60) * 60)
  const verifier = verifierOf(t, issuer)
  await verifier.ready()
  t.is(verifier.status.entries, 100_000)
  for (let n = 0; n < 100_000; n += 997) {
    t.is(await outcome(verifier, issuer.token({ jti: `token ${n}` })), 'token_revoked')
    t.is(await outcome(verifier, issuer.token({ jti: `token ${n + 100_000}` })), 'accepted')
  }
  await isWaiting(issuer)
  issuer.advance(4300)
  issuer.answerAll()
  await eventually(() => verifier.status.entries === 0, 'all are over')
})

test('a digest set → behaves like a Map', (t) => {
  const digests = Array.from({ length: 2000 }, () => {
    const bytes = randomBytes(16)
    return Uint32Array.of(bytes.readUInt32LE(0), 7, bytes.readUInt32LE(8), 0)
  })
  const set = new DigestSet()
  const map = new Map<Uint32Array, number>()
  for (let now = 1; now < 200; now++) {
    for (let n = 0; n < 100; n++) {
      const digest = digests[(now * 31 + n * 17) % digests.length] as Uint32Array
      const expiresAt = now + ((n * 7) % 40) + 1
      t.is(set.add(digest, expiresAt), (map.get(digest) ?? 0) < expiresAt)
      map.set(digest, Math.max(expiresAt, map.get(digest) ?? 0))
    }
    if (now % 5 === 0) set.forget(now)
    for (const [digest, expiresAt] of map) if (now % 5 === 0 && expiresAt <= now) map.delete(digest)
    for (const digest of digests) {
      if (set.has(digest, now) !== (map.get(digest) ?? 0) > now) t.fail('they differ')
    }
    t.is(set.size, map.size)
  }
})
