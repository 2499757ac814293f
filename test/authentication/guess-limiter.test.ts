import test from 'ava'
import type { SignInFacts } from '../../src/authentication/guess-limiter.ts'
import { delayLimits } from '../../src/throttle/limits.ts'
import { eventually } from '../../tools/eventually.ts'
import {
  letThrough,
  openThrottle,
  refusal,
  stores,
  type TestThrottle,
  tryInLine,
  tryPassword,
} from '../throttle/open-throttle.ts'

const ada = { id: '01890a5d-ac96-774b-bcce-b302099a8057' }
const bob = { id: '01890a5d-ac96-774b-bcce-b302099a8058' }
const stranger: SignInFacts = {
  account: 'ada',
  userId: ada.id,
  ip: '192.0.2.7',
  deviceToken: undefined,
}

/** Another address for each guess, as in a botnet, so that only the limit of the account applies. */
const elsewhere = (i: number) => `10.${i >> 8}.${i & 255}.1`

function guessing({ guesses }: Pick<TestThrottle, 'guesses'>) {
  const fail = (facts: Partial<SignInFacts> = {}) =>
    tryPassword(guesses, { ...stranger, ...facts }, async () => undefined)
  const succeed = (facts: Partial<SignInFacts> = {}, person = ada) =>
    tryPassword(guesses, { ...stranger, ...facts }, async () => person)
  /** The delay of the next guess, in started minutes. */
  const wait = async (facts: Partial<SignInFacts> = {}) =>
    Math.ceil(((await refusal(() => fail(facts)))?.retryAfterSeconds ?? 0) / 60)
  return { fail, succeed, wait }
}

for (const store of stores) {
  test(`${store}, RFC 6749 §4.3.2: of 50 guesses at once on two instances 5 are checked`, async (t) => {
    const { guesses, beside } = await openThrottle(t, store)
    const instances = [guesses, (await beside()).guesses]
    for (const account of ['ada', 'bob', 'nobody', 'ada@mail.example']) {
      let checked = 0
      const passed = await letThrough(50, async (i) =>
        tryPassword(
          instances[i % 2] ?? guesses,
          { ...stranger, account, ip: elsewhere(i) },
          async () => {
            checked += 1
            return undefined
          },
        ),
      )
      t.deepEqual([passed, checked], [5, 5])
    }
  })

  test(`${store}, RFC 6749 §4.3.2: of 150 guesses at once 5 are checked`, async (t) => {
    const { guesses } = await openThrottle(t, store)
    let checked = 0
    const guess = async (i: number) =>
      tryInLine(guesses, { ...stranger, ip: elsewhere(i) }, async () => {
        checked += 1
        await new Promise((resolve) => setTimeout(resolve, 50))
        return undefined
      })
    const all = Array.from({ length: 150 }, (_, i) => refusal(() => guess(i)))
    const refused = (await Promise.all(all)).filter((one) => one !== undefined)
    t.deepEqual([checked, refused.length], [5, 145])
  })

  test(`${store}: 60 right sign-ins of one person at once, after 4 failures → all are let in`, async (t) => {
    const { guesses } = await openThrottle(t, store)
    const { fail } = guessing({ guesses })
    for (const failures of [0, 4]) {
      for (let i = 0; i < failures; i += 1) await fail()
      const right = async () => {
        await new Promise((resolve) => setTimeout(resolve, 10))
        return ada
      }
      t.is(await letThrough(60, () => tryInLine(guesses, stranger, right)), 60)
    }
    t.is(await letThrough(20, () => fail()), 5, 'nothing of them is left in the counters')
  })

  test(`${store}: guesses beside a right sign-in → one success forgets 5 failures and no more`, async (t) => {
    const { guesses } = await openThrottle(t, store)
    let checked = 0
    const wrong = async () => {
      checked += 1
      return undefined
    }
    const guessing = () => letThrough(30, () => tryInLine(guesses, stranger, wrong))
    const [, passed] = await Promise.all([
      tryInLine(guesses, stranger, async () => ada),
      guessing(),
    ])
    t.true(passed <= 10 && checked <= 10, `${checked} were checked`)
  })

  test(`${store}: strangers fill the line of an account → a known device of it does not wait`, async (t) => {
    const { guesses } = await openThrottle(t, store)
    const deviceToken = (await tryPassword(guesses, stranger, async () => ada))?.deviceToken
    let free = () => {}
    const held = new Promise<undefined>((resolve) => {
      free = () => resolve(undefined)
    })
    const strangers = Array.from({ length: 100 }, (_, i) =>
      refusal(() => tryInLine(guesses, { ...stranger, ip: elsewhere(i) }, () => held)),
    )
    const signedIn = await tryInLine(guesses, { ...stranger, deviceToken }, async () => ada)
    t.is(signedIn?.person, ada)
    free()
    t.is((await Promise.all(strangers)).filter((one) => one === undefined).length, 5)
  })

  test(`${store}: after 5 failures the delays double up to the longest, one guess after each`, async (t) => {
    const opened = await openThrottle(t, store)
    const { fail, wait } = guessing(opened)
    for (let i = 0; i < 5; i += 1) await fail({ ip: elsewhere(i) })
    const waits: number[] = []
    for (let i = 0; i < 13; i += 1) {
      const minutes = await wait()
      waits.push(minutes)
      await opened.age((minutes - 1) * 60)
      t.is(await wait(), 1, 'it is still too early')
      await opened.age(60)
      t.is(await letThrough(20, (n) => fail({ ip: elsewhere(n) })), 1)
    }
    t.deepEqual(waits, [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900])
  })

  test(`${store}: delays are forgotten after a day without a failure, and not before`, async (t) => {
    const opened = await openThrottle(t, store)
    const { fail, wait } = guessing(opened)
    for (let i = 0; i < 5; i += 1) await fail()
    await opened.age(60)
    await fail()
    await opened.age(86_000)
    await fail()
    t.is(await wait(), 4, 'each failure begins the day anew')
    await opened.age(86_400)
    t.is(await letThrough(20, () => fail()), 5)
  })

  test(`${store}, ASVS 6.3.1: an unknown account → the same answers as for a known one`, async (t) => {
    const opened = await openThrottle(t, store)
    const { fail } = guessing(opened)
    const answers = async (facts: Partial<SignInFacts>) => {
      const seen: unknown[] = []
      for (let i = 0; i < 8; i += 1) {
        const error = await refusal(() => fail({ ...facts, ip: elsewhere(i) }))
        const minutes = Math.ceil((error?.retryAfterSeconds ?? 0) / 60)
        seen.push(error && { ...error.quota, resetSeconds: minutes * 60, message: error.message })
      }
      t.deepEqual(
        seen.map((one) => one !== undefined),
        [...Array(5).fill(false), true, true, true],
      )
      return seen
    }
    t.deepEqual(
      await answers({ account: 'nobody', userId: undefined }),
      await answers({ account: 'ada', userId: ada.id }),
    )
  })

  test(`${store}: spellings of one account → they share its failures`, async (t) => {
    const { fail } = guessing(await openThrottle(t, store))
    const spellings = ['Ada', 'ADA', ' ada ', 'ａｄａ', 'aDa', 'ada', 'AdA', 'adA']
    t.is(await letThrough(8, async (i) => fail({ account: spellings[i] ?? '' })), 5)
  })

  test(`${store}: strangers are locked out → a known device still signs in, also from a blocked network`, async (t) => {
    const { fail, succeed, wait } = guessing(await openThrottle(t, store))
    const signedIn = await succeed()
    const deviceToken = signedIn?.deviceToken
    for (let i = 0; i < 5; i += 1) await fail()
    t.true((await wait()) > 0)
    await letThrough(120, (i) => fail({ account: `somebody-${i}` }))
    t.true((await wait({ account: 'somebody-else', userId: undefined })) > 0, 'the IP is blocked')
    const again = await succeed({ deviceToken })
    t.is(again?.person, ada)
    t.truthy(await succeed({ deviceToken, account: 'ada@mail.example' }), 'by each of her names')
    t.truthy(await succeed({ deviceToken: again?.deviceToken }))
    t.true((await wait()) > 0, 'the strangers stay out')
  })

  test(`${store}: failures on a known device → delays on that device only`, async (t) => {
    const { fail, succeed } = guessing(await openThrottle(t, store))
    const stolen = (await succeed())?.deviceToken
    const other = (await succeed())?.deviceToken
    t.is(await letThrough(50, () => fail({ deviceToken: stolen })), 5)
    t.is(await letThrough(50, () => fail({ deviceToken: other })), 5)
    t.is(await letThrough(50, () => fail()), 5)
  })

  test(`${store}: a device token that is forged, foreign, expired or truncated → the device is unknown`, async (t) => {
    const opened = await openThrottle(t, store)
    const { fail, succeed, wait } = guessing(opened)
    const own = (await succeed())?.deviceToken ?? ''
    const bobs = (await succeed({ account: 'bob', userId: bob.id }, bob))?.deviceToken ?? ''
    const bytes = Buffer.from(own.slice(4), 'base64url')
    const forged = [0, 20, 34, 40, 67].map((at) => {
      const changed = Buffer.from(bytes)
      changed[at] = (changed[at] ?? 0) ^ 1
      return `sdt_${changed.toString('base64url')}`
    })
    const bobsAsAdas = Buffer.from(bobs.slice(4), 'base64url')
    bytes.copy(bobsAsAdas, 0, 0, 16)
    forged.push(`sdt_${bobsAsAdas.toString('base64url')}`, bobs, own.slice(0, -4), 'sdt_', '', 'ü')
    for (let i = 0; i < 5; i += 1) await fail()
    for (const deviceToken of forged) t.true((await wait({ deviceToken })) > 0, deviceToken)
    t.is(await wait({ deviceToken: own }), 0)
    t.true((await wait({ deviceToken: own, userId: undefined })) > 0)
    opened.clock.advance({ days: 89, hours: 23 })
    t.is(await wait({ deviceToken: own }), 0)
    opened.clock.advance({ hours: 1 })
    t.true((await wait({ deviceToken: own })) > 0)
  })

  test(`${store}: a sign-in → forgets the failures of the account on this device, not those of the IP`, async (t) => {
    const opened = await openThrottle(t, store)
    const { fail, succeed, wait } = guessing(opened)
    for (let i = 0; i < 20; i += 1) {
      for (let n = 0; n < 4; n += 1) await fail()
      t.truthy(await succeed())
    }
    t.is(await letThrough(50, (i) => fail({ account: `somebody-${i}` })), 20)
    t.true((await wait({ account: 'one more' })) > 0)
  })

  test(`${store}: a sign-in during the delays → they end`, async (t) => {
    const opened = await openThrottle(t, store)
    const { fail, succeed } = guessing(opened)
    for (let i = 0; i < 5; i += 1) await fail()
    await opened.age(60)
    t.truthy(await succeed())
    t.is(await letThrough(20, (i) => fail({ ip: elsewhere(i) })), 5)
  })

  test(`${store}: 120 right passwords from one IP → none is refused`, async (t) => {
    const { succeed } = guessing(await openThrottle(t, store))
    for (let i = 0; i < 120; i += 1) t.truthy(await succeed({ account: `person-${i % 7}` }))
  })

  test(`${store}: a password that could not be checked → no failure is counted`, async (t) => {
    const opened = await openThrottle(t, store)
    const { fail, wait } = guessing(opened)
    const overloaded = (facts: Partial<SignInFacts> = {}) =>
      tryPassword(opened.guesses, { ...stranger, ...facts }, async () => {
        throw new Error('overloaded')
      })
    for (let i = 0; i < 110; i += 1) await t.throwsAsync(overloaded, { message: 'overloaded' })
    for (let i = 0; i < 4; i += 1) await fail()
    await t.throwsAsync(overloaded, { message: 'overloaded' }, 'the last free turn, given back')
    await fail()
    t.is(await wait(), 1)
    await opened.age(60)
    await t.throwsAsync(overloaded, { message: 'overloaded' }, 'a delayed turn, given back')
    await fail()
    t.is(await wait(), 2)
  })

  test(`${store}: a guess that was refused unchecked → the limit of the IP is unchanged`, async (t) => {
    const { fail } = guessing(await openThrottle(t, store))
    t.is(await letThrough(120, () => fail()), 5)
    t.is(await letThrough(100, (i) => fail({ account: `somebody-${i}` })), 95)
  })

  test(`${store}: an administrator unlocks every name and every device of a person`, async (t) => {
    const { guesses } = await openThrottle(t, store)
    const { fail, succeed, wait } = guessing({ guesses })
    const deviceToken = (await succeed())?.deviceToken
    const origins = [{}, { account: 'ada@mail.example' }, { deviceToken }]
    for (const origin of origins) {
      for (let i = 0; i < 5; i += 1) await fail(origin)
      t.is(await wait(origin), 1)
    }
    await guesses.unlock(ada.id, ['ada', 'ada@mail.example'])
    for (const origin of origins) t.is(await letThrough(20, () => fail(origin)), 5)
  })

  test(`${store}: a device token without a sign-in, as after a reset by mail → the device is known`, async (t) => {
    const { guesses } = await openThrottle(t, store)
    const { fail, succeed } = guessing({ guesses })
    for (let i = 0; i < 5; i += 1) await fail()
    t.truthy(await succeed({ deviceToken: guesses.deviceTokenFor(ada.id) }))
  })

  test(`${store}: failures are 100 an hour for an IP and 1000 for its network`, async (t) => {
    const opened = await openThrottle(t, store)
    const { fail, wait } = guessing(opened)
    const from = (ip: string, count: number) =>
      letThrough(count, (i) => fail({ ip, account: `${ip}-${i}`, userId: undefined }))
    t.is(await from('192.0.2.1', 130), 100)
    t.is(await from('::ffff:192.0.2.1', 5), 0, 'IPv4 in IPv6 clothes')
    for (let host = 2; host <= 10; host += 1) t.is(await from(`192.0.2.${host}`, 101), 100)
    t.is(await from('192.0.2.99', 10), 0)
    t.is(await from('192.0.3.99', 10), 10)
    t.true((await wait({ ip: '192.0.2.99' })) > 50)
    await opened.age(3600)
    t.is(await from('192.0.2.99', 10), 10)
  })
}

test('postgres: a success waits to forget the last of its counters → until then it forgets none', async (t) => {
  const { guesses, postgres } = await openThrottle(t, 'postgres')
  const { fail, wait } = guessing({ guesses })
  for (let i = 0; i < 4; i += 1) await fail({ ip: elsewhere(i) })
  const right = await guesses.reserve(stranger)
  const lock = await postgres.db.transaction()
  await lock('throttle').where('key', 'like', 'throttle:sign-in-gate:%').forUpdate()
  const forgotten = right.succeeded(ada.id)
  await eventually(async () => {
    const { rows } = await postgres.db.raw(
      `SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
    )
    return rows.length > 0
  }, 'it waits for the counter')
  const { count } = (await postgres.db('throttle').count().first()) ?? {}
  await lock.rollback()
  await forgotten
  // Free guesses, level and gate of the account; the address and the network of each guess.
  t.is(Number(count), 3 + 5 + 5)
  t.is(await wait(), 0)
})

test('RFC 6749 §4.3.2: 5 failures are free, then 1 second, up to 15 minutes, for a day', (t) => {
  t.deepEqual(delayLimits, {
    freeFailures: 5,
    firstDelaySeconds: 1,
    longestDelaySeconds: 900,
    forgetSeconds: 86_400,
  })
})
