// Alone: it measures how long answers take.
import test from 'ava'
import { decodeJwt } from 'jose'
import type { Knex } from 'knex'
import { eventually } from '../../tools/eventually.ts'
import { app, orders } from '../../tools/fixtures.ts'
import { digestOf, type List, readFeed } from '../support/http/feed-reader.ts'
import { rawRequest, sendRaw } from '../support/http/raw-http.ts'
import { startServer, type TestServer } from '../support/server/start-server.ts'
import { wiredDatabase } from '../support/stores/wired-stores.ts'
import { outcome, verifierOf } from '../verifier/evil-issuer.ts'

const path = '/.well-known/revocations'

const signed = async (server: TestServer): Promise<number> => {
  const metric = await server.services.metrics.feedDocuments.get()
  return metric.values[0]?.value ?? 0
}

const entry = (server: TestServer, value: string, seconds = 600) => ({
  kind: 'jti' as const,
  value,
  expiresAt: new Date(server.clock.now().getTime() + seconds * 1000),
})

const append = (server: TestServer, value: string, db: Knex = server.db, seconds?: number) =>
  server.services.revocationLog.append(db, [entry(server, value, seconds)])

/** Inserts many entries at once: a transaction for each would be too slow. */
async function flood(server: TestServer, count: number): Promise<void> {
  const atOnce = 10_000
  for (let from = 1; from <= count; from += atOnce) {
    await server.db.raw(
      `INSERT INTO revocations (kind, value, revoked_at, expires_at)
       SELECT 'jti', 'j' || n, now(), now() + n % 3660 * interval '1 second' + interval '2 minutes'
         FROM generate_series(?::int, ?::int) AS n`,
      [from, from + atOnce - 1],
    )
  }
}

const settled = (server: TestServer) =>
  eventually(async () => {
    const { seq } = await readFeed(server)
    return seq.split('.').length === 2
  }, 'no transaction of the cluster is older than the entries')

test('the signed list has the digests of revoked tokens, sessions, clients and keys', async (t) => {
  const server = await startServer(t)
  server.clock.advance({ minutes: 20 })
  const first = (await server.signIn()).body
  const second = (await server.signIn()).body
  const before = await readFeed(server)
  t.is(before.revoked.size, 0)
  t.is(before.since, undefined, 'it is the full list')
  await server.revoke(first.access_token)
  await server.revoke(second.refresh_token)
  const { kid } = server.services.keyring.current.signer(server.clock.now())
  await server.services.rotation.rotate({ emergency: true })
  server.clock.advance({ minutes: 2 })
  await server.services.rotation.revoke(kid)
  await server.services.keyring.reread()
  await server.services.clients.disable(app.id)
  const { jti } = decodeJwt(first.access_token)
  const { sid } = decodeJwt(second.access_token)
  const wanted = new Set([
    digestOf('jti', String(jti)),
    digestOf('sid', String(sid)),
    digestOf('client', app.id),
    digestOf('kid', kid),
  ])
  let list: List | undefined
  await eventually(async () => {
    list = await readFeed(server)
    return [...wanted].every((digest) => list?.revoked.has(digest))
  }, 'all of it is published')
  const now = server.clock.now().getTime() / 1000
  for (const digest of wanted) {
    const expiry = list?.revoked.get(digest) ?? 0
    t.true(expiry > now && expiry <= now + 3660 + 60 + 60, 'until its last token has expired')
    t.is(expiry % 60, 0, 'to the minute')
  }
  const { text } = await server.get(path)
  const plain = Buffer.from(text.split('.')[1] ?? '', 'base64url').toString()
  for (const secret of [String(jti), String(sid), app.id]) t.false(plain.includes(secret))
})

test('since: a delta after one revocation is under 1 kB, and entries are not repeated for ever', async (t) => {
  const server = await startServer(t)
  for (let n = 0; n < 40; n += 1) await append(server, `old ${n}`)
  await server.services.feed.follow()
  await settled(server)
  const full = await readFeed(server)
  t.is(full.revoked.size, 40)
  await append(server, 'new')
  await server.services.feed.follow()
  const delta = await readFeed(server, { since: full.seq })
  t.deepEqual([...delta.revoked.keys()], [digestOf('jti', 'new')])
  t.true(delta.bytes < 1000, `${delta.bytes} bytes`)
  t.is(typeof delta.since, 'string', 'it says that it is a delta')
  await eventually(async () => {
    const { seq } = await readFeed(server, { since: delta.seq })
    const next = await readFeed(server, { since: seq })
    return next.revoked.size === 0
  }, 'who has everything is told nothing')
})

test('a reader returns after longer than the log remembers → it gets the full list', async (t) => {
  const server = await startServer(t)
  const { seq } = await readFeed(server)
  await append(server, 'short', server.db, 60)
  await append(server, 'long', server.db, 36_000)
  await server.services.feed.follow()
  await settled(server)
  server.clock.advance({ minutes: 5 })
  await server.services.janitor.run()
  await server.services.feed.follow()
  await append(server, 'late')
  await server.services.feed.follow()
  const list = await readFeed(server, { since: seq })
  const living = [digestOf('jti', 'long'), digestOf('jti', 'late')]
  t.deepEqual([...list.revoked.keys()].sort(), living.sort(), 'what has expired concerns nobody')
  t.is(list.since, undefined)
})

test('since is from another history, from the future or invalid → the full list', async (t) => {
  const server = await startServer(t)
  await append(server, 'one')
  await server.services.feed.follow()
  await settled(server)
  const { seq } = await readFeed(server)
  const [history = '', watermark = ''] = seq.split('.')
  const another = `${history.startsWith('A') ? 'B' : 'A'}${history.slice(1)}.${watermark}`
  const future = `${history}.${BigInt(watermark) + 1_000_000n}`
  for (const since of [another, future, 'garbage', '../..', `${history}.-1`, '9'.repeat(5000)]) {
    const list = await readFeed(server, { since })
    t.is(list.since, undefined, since.slice(0, 40))
    t.deepEqual([...list.revoked.keys()], [digestOf('jti', 'one')])
  }
})

test('a reader misses no entry that was numbered early and committed late', async (t) => {
  const server = await startServer(t)
  const { feed } = server.services
  const known = new Set<string>()
  let { seq } = await readFeed(server)
  const read = async () => {
    await feed.follow()
    const list = await readFeed(server, { since: seq })
    for (const digest of list.revoked.keys()) known.add(digest)
    seq = list.seq
  }
  // Three transactions open and commit in every order, with a read after each step.
  const orders = ['012', '021', '102', '120', '201', '210']
  for (const order of orders) {
    const names = ['a', 'b', 'c'].map((name) => `${order}${name}`)
    const open: Knex.Transaction[] = []
    for (const name of names) {
      const trx = await server.db.transaction()
      await append(server, name, trx)
      open.push(trx)
      await read()
    }
    for (const at of order) {
      t.false(known.has(digestOf('jti', names[Number(at)] ?? '')), 'not before its commit')
      await open[Number(at)]?.commit()
      await read()
      t.true(known.has(digestOf('jti', names[Number(at)] ?? '')), `${order}: ${at}`)
    }
  }
})

test('a reader that reaches another instance each time misses nothing', async (t) => {
  const one = await startServer(t)
  const two = await startServer(t, { beside: one })
  const servers = [one, two]
  const known = new Set<string>()
  const written: string[] = []
  let { seq } = await readFeed(one)
  const read = async (turn: number) => {
    const list = await readFeed(servers[turn % 2] ?? one, { since: seq })
    for (const digest of list.revoked.keys()) known.add(digest)
    seq = list.seq
  }
  let writing = true
  const writer = async (name: number) => {
    for (let turn = 0; turn < 25; turn += 1) {
      const value = `${name}/${turn}`
      await one.db.transaction(async (trx) => {
        await append(one, value, trx)
        await trx.raw('SELECT pg_sleep(? * random())', [0.02])
      })
      written.push(digestOf('jti', value))
    }
  }
  const reader = (async () => {
    for (let turn = 0; writing; turn += 1) await read(turn)
  })()
  await Promise.all([1, 2, 3].map(writer))
  writing = false
  await reader
  await eventually(async () => {
    await read(written.length)
    await read(written.length + 1)
    return written.every((digest) => known.has(digest))
  }, 'it knows all that was written')
  t.is(new Set(written).size, 75)
})

test('wait: a revocation answers all waiting readers of every instance, with one signature each', async (t) => {
  const server = await startServer(t)
  const beside = await startServer(t, { beside: server })
  const { access_token } = (await server.signIn()).body
  const digest = digestOf('jti', String(decodeJwt(access_token).jti))
  await settled(server)
  const { seq } = await readFeed(server)
  const readers = [server, beside].flatMap((instance) =>
    Array.from({ length: 20 }, () => readFeed(instance, { since: seq, wait: 30 })),
  )
  await eventually(
    () => server.services.feed.waiting === 20 && beside.services.feed.waiting === 20,
    'all wait',
  )
  const before = await signed(server)
  await server.revoke(access_token)
  for (const list of await Promise.all(readers)) t.true(list.revoked.has(digest))
  t.is((await signed(server)) - before, 1)
})

test('wait: nothing is revoked in time → an empty delta that is signed anew', async (t) => {
  const server = await startServer(t)
  await append(server, 'known')
  await server.services.feed.follow()
  await settled(server)
  const { seq, iat } = await readFeed(server)
  server.clock.advance({ seconds: 90 })
  await server.services.feed.follow()
  const list = await readFeed(server, { since: seq, wait: 1 })
  t.is(list.revoked.size, 0)
  t.true(list.iat >= iat + 90)
  t.is(typeof list.since, 'string')
  t.is((await server.get(`${path}?since=${seq}&since=${seq}`)).status, 400)
  t.is((await server.get(`${path}?since=${seq}&wait=soon`)).status, 400)
})

test('wait: a reader disconnects → it is forgotten; the server stops → all waiting readers are answered', async (t) => {
  const server = await startServer(t)
  await settled(server)
  const { seq } = await readFeed(server)
  const leaving = new AbortController()
  const left = fetch(`${server.url}${path}?since=${seq}&wait=30`, { signal: leaving.signal })
  await eventually(() => server.services.feed.waiting === 1, 'it waits')
  leaving.abort()
  t.is((await left.catch((error) => error)).name, 'AbortError')
  await eventually(() => server.services.feed.waiting === 0, 'it is forgotten')
  const patient = readFeed(server, { since: seq, wait: 30 })
  await eventually(() => server.services.feed.waiting === 1, 'another waits')
  server.app.drain()
  t.is((await patient).revoked.size, 0)
  t.is(server.services.feed.waiting, 0)
})

test('RFC 9110 §13: the same entries have the same ETag at every instance, and are answered 304', async (t) => {
  const server = await startServer(t)
  const beside = await startServer(t, { beside: server })
  await append(server, 'one')
  await server.services.feed.follow()
  await beside.services.feed.follow()
  const { headers } = await server.get(path)
  const etag = headers.get('etag') ?? ''
  t.is(headers.get('content-type'), 'application/jwt')
  t.is(headers.get('cache-control'), 'public, max-age=1')
  t.is(headers.get('access-control-allow-origin'), '*')
  for (const instance of [server, beside]) {
    const again = await instance.get(path, { 'if-none-match': etag })
    t.is(again.status, 304)
    t.is(again.text, '')
  }
  await append(server, 'two')
  await server.services.feed.follow()
  t.is((await server.get(path, { 'if-none-match': etag })).status, 200)
})

test('100,000 active entries are under 3 MB and signed once, however many readers there are', async (t) => {
  const server = await startServer(t)
  await flood(server, 100_000)
  await server.services.feed.follow()
  t.is(server.services.feed.size, 100_000)
  const before = await signed(server)
  const startedAt = performance.now()
  const answers = await Promise.all(Array.from({ length: 20 }, () => server.get(path)))
  const seconds = (performance.now() - startedAt) / 1000
  const made = (await signed(server)) - before
  t.true(made >= 1 && made <= 2 + seconds / 5, `once, and again after 5 s: ${made}`)
  t.deepEqual([...new Set(answers.map(({ status }) => status))], [200])
  t.true(answers.every(({ text }) => text.length < 3e6))
  t.log(`${answers[0]?.text.length} bytes`)
  const list = await readFeed(server)
  t.is(list.revoked.size, 100_000)
  for (const n of [1, 777, 100_000]) t.true(list.revoked.has(digestOf('jti', `j${n}`)))
  // Readers that are behind by different amounts share a few documents.
  await settled(server)
  const { seq } = await readFeed(server)
  const behind: string[] = [seq]
  for (let n = 0; n < 30; n += 1) {
    await append(server, `late ${n}`)
    await server.services.feed.follow()
    behind.push((await readFeed(server, { since: seq })).seq)
  }
  await settled(server)
  const told = new Set<string>()
  for (const [at, since] of behind.entries()) {
    const { revoked, etag } = await readFeed(server, { since })
    for (let n = at; n < 30; n += 1) t.true(revoked.has(digestOf('jti', `late ${n}`)))
    told.add(etag)
  }
  t.true(told.size <= 7, `1, 2, 4, 8, 16 and 32 entries, and none: ${told.size}`)
})

test('an instance has lost its database → its list shows its age', async (t) => {
  const { proxy, url } = await wiredDatabase(t)
  const server = await startServer(t, { database: url })
  await append(server, 'known')
  await server.services.feed.follow()
  proxy.weather = 'refuse'
  proxy.cut()
  await t.throwsAsync(server.services.feed.follow())
  const lost = server.clock.now().getTime() / 1000
  server.clock.advance({ minutes: 8 })
  const list = await readFeed(server)
  t.true(list.iat <= lost, 'signed now, and read before')
  t.true(list.revoked.has(digestOf('jti', 'known')))
  t.true((await readFeed(server, { since: list.seq, wait: 1 })).iat <= lost)
  proxy.weather = 'fine'
  await eventually(async () => (await readFeed(server)).iat >= lost + 470, 'it is fresh again')
})

test('the list is longer than a verifier accepts in one answer → it is served in parts, and all its tokens are refused', async (t) => {
  const server = await startServer(t)
  await flood(server, 40_000)
  await server.services.feed.follow()
  const token = (await server.clientCredentials()).body.access_token
  await server.revoke(token)
  await server.services.feed.follow()
  const options = { audience: orders, revocations: { maxListBytes: 800_000 } }
  const verifier = verifierOf(t, { issuer: server.app.issuer, now: server.clock.now }, options)
  t.is(await outcome(verifier, token), 'token_revoked')
  t.is(verifier.status.entries, 40_001)
  t.is(await outcome(verifier, (await server.clientCredentials()).body.access_token), 'accepted')
  t.is((await readFeed(server)).revoked.size, 40_001, 'a reader without parts gets the full list')
  for (const query of [
    'part=1',
    'part=2&of=2',
    'part=0&of=3',
    'part=0&of=64',
    'part=x',
    'of=2&part=0&of=2',
  ]) {
    t.is((await server.get(`${path}?${query}`)).status, 400, query)
  }
})

test('RFC 9112 §3.2: an invalid Host header → the list, and no error', async (t) => {
  const server = await startServer(t)
  for (const host of ['a%zz^', 'a b', '[', '///']) {
    const { status } = await sendRaw(server.url, rawRequest('GET', path, { host }))
    t.is(status, 200, host)
    const odd = rawRequest('GET', `${path}?since=a&since=b`, { host })
    t.is((await sendRaw(server.url, odd)).status, 400, host)
  }
})
