import { createHash } from 'node:crypto'
import test from 'ava'
import { openPostgres } from '../../src/stores/postgres.ts'
import { advanceTo, currentSigner, publishedKids, tend } from '../keyring/tend.ts'
import { copyTemplate, startServer, type TestServer } from '../support/server/start-server.ts'

const jwksPath = '/.well-known/jwks.json'

const maxAge = (answer: { headers: Headers }): number =>
  Number(/^public, max-age=(\d+)$/.exec(answer.headers.get('cache-control') ?? '')?.[1])

/** A database without keys, as the migrations leave it. */
async function withoutKeys(t: Parameters<typeof copyTemplate>[0]): Promise<string> {
  const url = await copyTemplate(t)
  const { db, close } = openPostgres({ url, poolSize: 1, timeoutSeconds: 10 })
  await db('signing_keys').delete()
  await close()
  return url
}

/** RFC 7638 §3, computed by hand: the required members sorted by name, without white space. */
const thumbprint = ({ n, e }: { n: string; e: string }): string =>
  createHash('sha256').update(`{"e":"${e}","kty":"RSA","n":"${n}"}`).digest('base64url')

const modulusBits = (n: string): number => {
  const bytes = Buffer.from(n, 'base64url')
  return bytes.length * 8 - Math.clz32(bytes[0] ?? 0) + 24
}

for (const bits of [2048, 3072]) {
  test(`the first start publishes the public halves of two RSA keys of ${bits} bits`, async (t) => {
    const environment = bits === 2048 ? {} : { KEY_BITS: String(bits) }
    const server = await startServer(t, { database: await withoutKeys(t), environment })
    const answer = await server.get(jwksPath)
    t.is(answer.status, 200)
    t.regex(answer.headers.get('content-type') ?? '', /^application\/json/)
    t.deepEqual(Object.keys(answer.body), ['keys'])
    t.is(answer.body.keys.length, 2)
    for (const key of answer.body.keys) {
      // ASVS 11.6, RFC 7517 §9.2: another member would be a private one: d, p, q, dp, dq or qi.
      t.deepEqual(Object.keys(key).sort(), ['alg', 'e', 'kid', 'kty', 'n', 'use'])
      t.like(key, { alg: 'RS256', use: 'sig', kty: 'RSA', e: 'AQAB', kid: thumbprint(key) })
      t.is(modulusBits(key.n), bits)
    }
    t.not(answer.body.keys[0].kid, answer.body.keys[1].kid)
    t.is(await currentSigner(server), answer.body.keys[0].kid)
  })
}

test('a kid never starts with a hyphen, which a command line would read as an option', async (t) => {
  const server = await startServer(t)
  const { signingKeys } = server.services
  for (const { kid } of await signingKeys.all()) t.regex(kid, /^[A-Za-z0-9_][\w-]{42}$/)
})

/** Advances the clock until a key has stopped signing, so that the set changes next when it is removed. */
async function whileOneRetires(server: TestServer) {
  const [active] = await server.services.signingKeys.all()
  advanceTo(server.clock, active?.signsUntil, 10)
  await tend(server)
  return active?.publishedUntil
}

test('RFC 9111 §5.2: max-age is 300 and counts down to the next change of the set', async (t) => {
  const server = await startServer(t)
  t.is(maxAge(await server.get(jwksPath)), 300)
  const leaves = await whileOneRetires(server)
  t.is(maxAge(await server.get(jwksPath)), 300)
  advanceTo(server.clock, leaves, -200)
  const two = maxAge(await server.get(jwksPath))
  t.true(two <= 200 && two > 150, `${two}`)
  advanceTo(server.clock, leaves, -60)
  const one = maxAge(await server.get(jwksPath))
  t.true(one <= 60 && one > 10, `${one}`)
  t.is((await publishedKids(server)).length, 3)
  advanceTo(server.clock, leaves)
  t.is(maxAge(await server.get(jwksPath)), 300)
  t.is((await publishedKids(server)).length, 2, 'it left by the clock, nothing was reread')
})

test('RFC 9110 §13: the caller has the set → 304, until it changes', async (t) => {
  const server = await startServer(t)
  const beside = await startServer(t, { beside: server })
  const first = await server.get(jwksPath)
  const etag = first.headers.get('etag') ?? ''
  t.regex(etag, /^"[\w-]{20,}"$/)
  t.is((await beside.get(jwksPath)).headers.get('etag'), etag, 'all instances name it alike')
  for (const known of [etag, `W/${etag}`, `"other", ${etag}`, '*']) {
    const again = await server.get(jwksPath, { 'if-none-match': known })
    t.is(again.status, 304, known)
    t.is(again.text, '')
    t.is(again.headers.get('etag'), etag)
    t.is(maxAge(again), 300)
  }
  t.is((await server.get(jwksPath, { 'if-none-match': '"other"' })).status, 200)
  await whileOneRetires(server)
  const changed = await server.get(jwksPath, { 'if-none-match': etag })
  t.is(changed.status, 200)
  t.not(changed.headers.get('etag'), etag)
  t.is(changed.body.keys.length, 3)
})

test('RFC 9110 §9.3.2: HEAD returns the headers of GET without the set', async (t) => {
  const server = await startServer(t)
  const get = await server.get(jwksPath)
  const head = await server.request(jwksPath, { method: 'HEAD' })
  t.is(head.status, 200)
  t.is(head.text, '')
  for (const name of ['etag', 'cache-control', 'content-type', 'content-length']) {
    t.is(head.headers.get(name), get.headers.get(name) as string, name)
  }
})

test('scripts of every origin may read the key set', async (t) => {
  const server = await startServer(t)
  const answer = await server.get(jwksPath, { origin: 'https://elsewhere.example' })
  t.is(answer.headers.get('access-control-allow-origin'), '*')
})
