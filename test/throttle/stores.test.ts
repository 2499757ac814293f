import test from 'ava'
import { Redis } from 'ioredis'
import { deleteExpired } from '../../src/stores/delete-expired.ts'
import { openPostgres } from '../../src/stores/postgres.ts'
import { openRedis } from '../../src/stores/redis.ts'
import { isUnavailable } from '../../src/stores/unavailable.ts'
import { CounterKeys } from '../../src/throttle/counter-keys.ts'
import { Counters } from '../../src/throttle/counters.ts'
import { limits } from '../../src/throttle/limits.ts'
import { endedCounters, Throttle } from '../../src/throttle/throttle.ts'
import { startRedisServer } from '../../tools/redis-server.ts'
import { copyTemplate } from '../support/server/start-server.ts'
import { guess, letThrough, openThrottle, refusal, stores, tryPassword } from './open-throttle.ts'

const userId = '01890a5d-ac96-774b-bcce-b302099a8057'
const facts = { account: 'ada@mail.example', userId, ip: '192.0.2.7', deviceToken: undefined }
const device = { userId, person: userId, client: 'app', email: facts.account, ip: facts.ip }
const ownRedis = async (t: { teardown(fn: () => Promise<void>): void }, settings = {}) => {
  const server = await startRedisServer({ settings })
  t.teardown(() => server.close())
  return server
}

test('a usual sign-in → two commands to Redis', async (t) => {
  const { guesses, redis } = await openThrottle(t, 'redis')
  if (!(redis instanceof Redis)) return t.fail('no cluster is asked so')
  let asked = 0
  const send = redis.sendCommand
  redis.sendCommand = (...command) => {
    asked += 1
    return send.apply(redis, command)
  }
  await tryPassword(guesses, facts, async () => ({ id: userId }))
  t.is(asked, 2)
})

test('Redis is killed and restarted → PostgreSQL counts meanwhile, all limits hold', async (t) => {
  const server = await ownRedis(t)
  const opened = await openThrottle(t, 'redis', { redisUrl: server.url })
  const { throttle, guesses, turns, postgres } = opened
  const guess = () => tryPassword(guesses, facts, async () => undefined)
  const ask = () => throttle.attempt('passwordReset', device)
  t.is(await letThrough(20, ask), 3)
  await server.kill()
  t.is(await letThrough(50, guess), 5)
  t.is(await letThrough(20, ask), 3)
  t.is((await refusal(guess))?.quota.policy, 'sign-in')
  t.deepEqual([turns, throttle.redisAway], [[true], true])

  await server.start()
  const rows = async () => Number((await postgres.db('throttle').sum('points'))[0]?.sum)
  const before = await rows()
  const deadline = Date.now() + 20_000
  while (throttle.redisAway && Date.now() < deadline) {
    await throttle.attempt('apiKeyCreation', { person: `${Date.now()} ${Math.random()}` })
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  t.deepEqual(turns, [true, false])
  t.true((await rows()) > before, 'until then PostgreSQL counted')
  t.is(await letThrough(20, ask), 3, 'a Redis that has forgotten everything counts from zero')
})

test('Redis is frozen → one request a second waits for it, all limits hold', async (t) => {
  const server = await ownRedis(t)
  const { throttle, guesses, turns } = await openThrottle(t, 'redis', { redisUrl: server.url })
  const ask = () => throttle.attempt('passwordReset', device)
  t.is(await letThrough(20, ask), 3)
  server.pause()
  t.teardown(async () => server.resume())
  const guess = (account: string) =>
    tryPassword(guesses, { ...facts, account }, async () => undefined)
  t.is(await letThrough(50, () => guess('ada')), 5)
  const startedAt = performance.now()
  for (let i = 0; i < 30; i += 1) await guess(`somebody ${i}`)
  // 30 sign-ins ask the store some hundred times; each would wait for a second.
  t.true(performance.now() - startedAt < 30_000)
  t.deepEqual(turns, [true])
})

test('Redis is full → PostgreSQL counts', async (t) => {
  const server = await ownRedis(t, { maxmemory: '1' })
  const { throttle, guesses, turns } = await openThrottle(t, 'redis', { redisUrl: server.url })
  t.is(await letThrough(50, () => tryPassword(guesses, facts, async () => undefined)), 5)
  t.is(await letThrough(50, () => throttle.attempt('passwordReset', device)), 3)
  t.deepEqual(turns, [true])
})

test('ASVS 16.5.3: both stores fail → no attempt goes uncounted', async (t) => {
  const server = await ownRedis(t)
  const databaseUrl = 'postgres://nobody@127.0.0.1:1/nothing'
  const { throttle, guesses } = await openThrottle(t, 'redis', {
    redisUrl: server.url,
    databaseUrl,
  })
  await throttle.attempt('oneTimeToken', facts)
  await server.kill()
  let checked = 0
  const check = async () => {
    checked += 1
    return undefined
  }
  for (const job of [
    () => throttle.attempt('oneTimeToken', facts),
    () => guess(throttle, 'passwordConfirmation', device, check),
    () => tryPassword(guesses, facts, check),
    () => tryPassword(guesses, { ...facts, deviceToken: guesses.deviceTokenFor(userId) }, check),
    () => throttle.countFailure('clientAuthentication', device),
    () => guesses.unlock(userId, ['ada']),
  ]) {
    const error = await t.throwsAsync(job)
    t.true(isUnavailable(error), String(error))
  }
  t.is(checked, 0)
})

test('the store fails during the check → the right password is accepted', async (t) => {
  const server = await ownRedis(t)
  const databaseUrl = 'postgres://nobody@127.0.0.1:1/nothing'
  const { guesses } = await openThrottle(t, 'redis', { redisUrl: server.url, databaseUrl })
  const signedIn = await tryPassword(guesses, facts, async () => {
    await server.kill()
    return { id: userId }
  })
  t.is(signedIn?.person.id, userId)
})

test('start → waits for Redis, but only for a second', async (t) => {
  const server = await ownRedis(t)
  const postgres = openPostgres({ url: await copyTemplate(t), poolSize: 2, timeoutSeconds: 10 })
  t.teardown(() => postgres.close())
  const counted = async () => {
    const redis = openRedis({ urls: [server.url], keyPrefix: '', timeoutMilliseconds: 5000 })
    redis.on('error', () => undefined)
    t.teardown(() => redis.disconnect())
    const counters = new Counters({ pool: postgres.pool, redis })
    const throttle = new Throttle({ counters, keys: new CounterKeys(Buffer.alloc(32)), limits })
    await throttle.start()
    await throttle.attempt('emailChange', device)
    return (await postgres.db('throttle').sum('points'))[0]?.sum
  }
  t.is(await counted(), null)
  await server.kill()
  t.is(await counted(), '1')
})

for (const store of stores) {
  test(`${store}: names of counters → short, and reveal neither people nor addresses`, async (t) => {
    const { throttle, guesses, dump } = await openThrottle(t, store)
    const long = { ...device, email: `${'x'.repeat(100_000)}@mail.example` }
    for (const one of [device, long]) {
      await throttle.attempt('registration', one)
      await throttle.attempt('passwordReset', one)
      await throttle.attempt('verification', one)
      await throttle.countFailure('clientAuthentication', one)
      await guess(throttle, 'passwordConfirmation', one, async () => undefined)
      for (const deviceToken of [undefined, guesses.deviceTokenFor(userId)]) {
        const signIn = { ...facts, account: one.email, deviceToken }
        await letThrough(7, () => tryPassword(guesses, signIn, async () => undefined))
      }
      await guesses.unlock(userId, ['bob'])
    }
    const held = await dump()
    t.true(held.length > 15)
    for (const one of held) {
      // A random prefix or digest may contain any three letters.
      const [, readable = one] =
        /^(?:[\da-f-]{36}:|\{"key":")(throttle:[a-z-]+:)[\w-]{22}(?:$|")/.exec(one) ?? []
      t.regex(readable, /^throttle:[a-z-]+:$/, one)
      const rest = one.slice(one.indexOf(readable) + readable.length + 22)
      t.notRegex(readable + rest, /ada|mail\.example|192\.0|xxx|01890a5d|bcce|"app"/i)
      t.true(one.length < 200)
    }
  })
}

test('without Redis → no statement is prepared by name, which PgBouncer might not know', async (t) => {
  const { throttle, guesses, postgres } = await openThrottle(t, 'postgres')
  await tryPassword(guesses, facts, async () => ({ id: userId }))
  await throttle.attempt('registration', facts)
  const sessions = Array.from({ length: 10 }, () =>
    postgres.pool.query(
      'SELECT count(*)::int AS named, pg_sleep(0.05) FROM pg_prepared_statements',
    ),
  )
  for (const { rows } of await Promise.all(sessions)) t.is(rows[0].named, 0)
})

test('without Redis → counters are unlogged and do not wait for the disk', async (t) => {
  const { postgres } = await openThrottle(t, 'postgres')
  const [table] = await postgres.db('pg_class').where({ relname: 'throttle' })
  t.is(table.relpersistence, 'u', 'unlogged: a commit that wrote nothing else is not flushed')
})

test('the janitor → deletes expired counters in batches and keeps the others', async (t) => {
  const { throttle, postgres, age, clock } = await openThrottle(t, 'postgres')
  const { db } = postgres
  for (let i = 0; i < 25; i += 1) await throttle.attempt('emailChange', { person: `old ${i}` })
  await age(3601)
  for (let i = 0; i < 5; i += 1) await throttle.attempt('emailChange', { person: 'old 0' })
  for (let i = 0; i < 5; i += 1) await throttle.attempt('emailChange', { person: 'new' })
  const swept = []
  for (let i = 0; i < 4; i += 1) swept.push(await deleteExpired(db, endedCounters, clock.now(), 10))
  t.deepEqual(swept, [10, 10, 4, 0])
  for (const person of ['old 0', 'new']) {
    t.truthy(await refusal(() => throttle.attempt('emailChange', { person })))
  }
})
