import test, { type ExecutionContext } from 'ava'
import { createLocalJWKSet, jwtVerify } from 'jose'
import { afterlifeSeconds, propagationSeconds } from '../../src/keyring/timing.ts'
import { copyTemplate, startServer, type TestServer } from '../support/server/start-server.ts'
import { emptyKeyTable, fakeKey, Instance } from './instances.ts'
import {
  advanceTo,
  currentSigner,
  fetchJwks,
  freshToken,
  kids,
  publishedKids,
  signerOf,
  tend,
} from './tend.ts'

const keysOf = (server: TestServer) => server.services.signingKeys.all()

/** Verifies like a service that fetches the JWKS now. */
async function verifies(server: TestServer, token: string): Promise<boolean> {
  const keySet = createLocalJWKSet(await fetchJwks(server))
  const options = { currentDate: server.clock.now(), typ: 'at+jwt', issuer: server.app.issuer }
  return jwtVerify(token, keySet, options).then(
    () => true,
    () => false,
  )
}

test('over four periods the keys rotate by the clock: each is published and withdrawn in time', async (t) => {
  const server = await startServer(t)
  const signers: string[] = []
  for (let period = 0; period < 4; period += 1) {
    const before = await freshToken(server)
    const [old = '', successor = ''] = await publishedKids(server)
    t.is(signerOf(before), old)
    signers.push(old)
    t.is((await publishedKids(server)).length, 2)

    const stops = (await keysOf(server)).find(({ kid }) => kid === old)?.signsUntil
    advanceTo(server.clock, stops, -5 * 60)
    await tend(server)
    const last = await freshToken(server)
    t.is(signerOf(last), old)
    server.clock.advance({ minutes: 5 })
    await tend(server)
    const first = await freshToken(server)
    t.is(signerOf(first), successor)
    const published = (await keysOf(server)).find(({ kid }) => kid === successor)?.publishedAt
    t.true(server.clock.now().getTime() - (published?.getTime() ?? 0) >= propagationSeconds * 1000)

    // The shortest lifetime of a token is 14 minutes, of which 5 have passed.
    server.clock.advance({ minutes: 8 })
    await tend(server)
    t.true(await verifies(server, last), 'the last token of the old key is good until it expires')
    t.true((await server.introspect(last)).body.active)
    t.true(await verifies(server, first))
    t.is((await publishedKids(server)).length, 3)

    server.clock.advance({ seconds: afterlifeSeconds(server.services.timing) - 8 * 60 })
    await tend(server)
    t.false((await publishedKids(server)).includes(old), 'then it leaves by itself')
  }
  t.is(new Set(signers).size, 4, 'no key comes back')
  const withSecret = await server.db('signing_keys').whereNotNull('private_jwe').pluck('kid')
  t.is(withSecret.length, 2, 'a key that no longer signs has no private half')
})

test('an instance that read the table once follows a rotation by its clock alone', async (t) => {
  const server = await startServer(t, { environment: { KEYRING_REREAD_SECONDS: '60' } })
  const [old, successor] = await publishedKids(server)
  t.is(await currentSigner(server), old as string)
  server.clock.advance({ days: 30 })
  t.is(await currentSigner(server), successor as string)
})

test('a planned rotation waits until every verifier knows the successor, to the second', async (t) => {
  const { db, clock } = await emptyKeyTable(t)
  const one = new Instance(db, clock)
  await one.tend()
  const [, successor] = await one.signingKeys.all()
  clock.advance({ seconds: 100 })
  const plan = await one.rotation.rotate({ emergency: false })
  t.is(plan.signsFrom.getTime(), Number(successor?.publishedAt) + propagationSeconds * 1000)
  t.deepEqual([plan.to, plan.tooSoonFor], [successor?.kid, 0])
  advanceTo(clock, plan.signsFrom, -30)
  t.is(one.keyring.current.signer(clock.now()).kid, plan.from)
  advanceTo(clock, plan.signsFrom)
  t.is((await one.keyring.reread()).signer(clock.now()).kid, plan.to)
})

test('an emergency rotation to a key that no verifier can know yet is refused without --yes', async (t) => {
  const { db, clock } = await emptyKeyTable(t)
  const one = new Instance(db, clock)
  await one.tend()
  const before = await one.signingKeys.all()
  const refused = await t.throwsAsync(one.rotation.rotate({ emergency: true }), {
    name: 'RotationError',
  })
  t.regex(refused?.message ?? '', /published too recently.*another 9\d\d s.*--yes/)
  t.deepEqual(await one.signingKeys.all(), before, 'a refusal changes nothing')
  const plan = await one.rotation.rotate({ emergency: true, acceptTooSoon: true })
  t.is((await one.signingKeys.all()).length, 3, 'the next successor is published with it')
  await one.tend()
  t.is(one.keyring.current.signer(clock.now()).kid, plan.to)
})

test('after 90 days off, the published key signs and a successor is published in time', async (t) => {
  const { db, clock } = await emptyKeyTable(t)
  const one = new Instance(db, clock)
  await one.tend()
  const [, second] = await one.signingKeys.all()
  clock.advance({ days: 90 })
  await one.tend()
  const now = clock.now()
  t.is(one.keyring.current.signer(now).kid, second?.kid as string)
  const successor = (await one.signingKeys.all()).at(-1)
  const early = Number(successor?.signsFrom) - now.getTime()
  t.true(Math.abs(early / 1000 - propagationSeconds) < 5, `${early}`)
  clock.advance({ seconds: propagationSeconds + 1 })
  await one.tend()
  t.is(one.keyring.current.signer(clock.now()).kid, successor?.kid as string)
})

test('KEY_ROTATION_DAYS applies from the next successor on; the current plan stays', async (t) => {
  const server = await startServer(t)
  const planned = (await keysOf(server))[1]?.signsFrom
  const environment = { KEY_ROTATION_DAYS: '7' }
  const other = await startServer(t, { beside: server, environment })
  t.deepEqual((await keysOf(other))[1]?.signsFrom, planned)
  await server.stop()
  other.clock.advance({ days: 30 })
  await tend(other)
  const [, second, third] = await keysOf(other)
  t.is(Number(third?.signsFrom) - Number(second?.signsFrom), 7 * 86_400_000)
})

test('a longer ACCESS_TOKEN_MAX_SECONDS keeps the key that signs published for longer', async (t) => {
  const server = await startServer(t)
  const long = { ACCESS_TOKEN_MAX_SECONDS: '86400', ACCESS_TOKEN_SECONDS: '86400' }
  const other = await startServer(t, { beside: server, environment: long })
  await server.stop()
  const [active] = await keysOf(other)
  advanceTo(other.clock, active?.signsUntil, -60)
  const token = await freshToken(other)
  t.is(signerOf(token), active?.kid as string)
  // A token may live up to a minute less than a day.
  other.clock.advance({ hours: 23, minutes: 58 })
  await tend(other)
  t.true(await verifies(other, token))
})

test('a client with a longer lifetime than is now allowed gets the allowed one', async (t) => {
  const database = await copyTemplate(t)
  const server = await startServer(t, { database })
  await server.services.clients.amend('app', { settings: { accessTokenSeconds: 3600 } })
  const life = (await server.clientCredentials()).body.expires_in
  t.true(life <= 3600 && life >= 3540)
  const short = { ACCESS_TOKEN_MAX_SECONDS: '600', ACCESS_TOKEN_SECONDS: '600' }
  const strict = await startServer(t, { database, environment: short })
  const shorter = (await strict.clientCredentials()).body.expires_in
  t.true(shorter <= 600 && shorter >= 540)
})

test('two instances with clocks half a minute apart agree on one chain of keys', async (t) => {
  const { db, clock } = await emptyKeyTable(t)
  const right = new Instance(db, clock)
  const behind = new Instance(db, clock, { skewSeconds: -30 })
  await right.tend()
  await behind.tend()
  t.is((await right.signingKeys.all()).length, 2, 'the second does not start a chain of its own')
  for (let round = 0; round < 3; round += 1) {
    const signer = right.keyring.current.signer(right.now()).kid
    t.is(behind.keyring.current.signer(behind.now()).kid, signer)
    t.is(behind.keyring.current.jwks(behind.now()).keys.length, 2)
    // Each acts on a row that the other has just written, with a time in its own future.
    const by = round % 2 === 0 ? right : behind
    await by.rotation.revoke(signer)
    await right.tend()
    await behind.tend()
  }
  t.is((await right.signingKeys.all()).length, 2 + 3)
  const plan = await behind.rotation.rotate({ emergency: true, acceptTooSoon: true })
  await right.tend()
  t.is(right.keyring.current.signer(right.now()).kid, plan.to)
})

test('a clock that is set back leaves no gap: a published key signs', async (t) => {
  const { db, clock } = await emptyKeyTable(t)
  const one = new Instance(db, clock)
  clock.advance({ hours: 1 })
  await one.tend()
  clock.advance({ days: 30 })
  await one.tend()
  clock.advance({ minutes: 1 })
  await one.tend()
  const before = one.keyring.current.signer(clock.now()).kid
  clock.advance({ hours: -1 })
  await one.tend()
  t.is(one.keyring.current.signer(clock.now()).kid, before)
  t.is((await one.signingKeys.all()).length, 3)
})

test('an import is refused while the current successor is about to sign', async (t) => {
  const { db, clock } = await emptyKeyTable(t)
  const one = new Instance(db, clock)
  await one.tend()
  const [, successor] = await one.signingKeys.all()
  advanceTo(clock, successor?.signsFrom, -8)
  const refused = await t.throwsAsync(one.rotation.import(await fakeKey()))
  t.regex(refused?.message ?? '', new RegExp(`${successor?.kid} takes over in \\d s`))
  advanceTo(clock, successor?.signsFrom, 1)
  await t.notThrowsAsync(one.rotation.import(await fakeKey()))
  await onlyOneOfEach(t, one)
})

async function onlyOneOfEach(t: ExecutionContext, { keyring, now }: Instance): Promise<void> {
  const current = await keyring.reread()
  t.is(current.jwks(now()).keys.length, 3)
  t.deepEqual(kids(current.jwks(now())).length, new Set(kids(current.jwks(now()))).size)
}
