import test from 'ava'
import { limits } from '../../src/throttle/limits.ts'
import { guess, letThrough, openThrottle, refusal, stores } from './open-throttle.ts'

const ip = '192.0.2.7'
const person = '01890a5d-ac96-774b-bcce-b302099a8057'

for (const store of stores) {
  test(`${store}, ASVS 2.4.1: a limit holds exactly for 100 attempts at once on two instances`, async (t) => {
    const { throttle, beside } = await openThrottle(t, store)
    const instances = [throttle, (await beside()).throttle]
    for (const round of [1, 2, 3]) {
      const facts = { ip: `192.0.${round}.1` }
      const passed = await letThrough(100, async (i) =>
        instances[i % 2]?.attempt('registration', facts),
      )
      t.is(passed, 20)
    }
  })

  test(`${store}: the end of a window → a new window begins`, async (t) => {
    const { throttle, age } = await openThrottle(t, store)
    const create = () => throttle.attempt('apiKeyCreation', { person })
    t.is(await letThrough(30, create), 20)
    await age(3590)
    const error = await refusal(create)
    t.true(error && error.retryAfterSeconds <= 10 && error.retryAfterSeconds >= 1)
    await age(10)
    t.is(await letThrough(30, create), 20)
  })

  test(`${store}: an attempt → returns the limit that is nearest to its end`, async (t) => {
    const { throttle } = await openThrottle(t, store)
    const ask = () => throttle.attempt('passwordReset', { ip, email: 'ada@mail.example' })
    const quota = { policy: 'password-reset', limit: 3, windowSeconds: 3600 }
    t.like(await ask(), { ...quota, remaining: 2 })
    t.like(await ask(), { ...quota, remaining: 1 })
    t.like(await ask(), { ...quota, remaining: 0 })
    const error = await refusal(ask)
    t.like(error?.quota, { ...quota, remaining: 0 })
    t.true(error && error.retryAfterSeconds > 3590 && error.retryAfterSeconds <= 3600)
  })

  test(`${store}: resets are 3 an hour for an address however it is spelled, and 30 for an IP`, async (t) => {
    const { throttle } = await openThrottle(t, store)
    const ask = (email: string, from = ip) => throttle.attempt('passwordReset', { ip: from, email })
    const spellings = [
      'ada@mail.example',
      'ADA@mail.example',
      ' ada@mail.example',
      'Ada@Mail.Example',
    ]
    t.is(await letThrough(4, async (i) => ask(spellings[i] ?? '', `198.51.100.${i}`)), 3)
    t.is(await letThrough(40, (i) => ask(`${i}@mail.example`)), 30)
  })

  test(`${store}: a refused IP → the limit of an email address is unchanged`, async (t) => {
    const { throttle } = await openThrottle(t, store)
    const ask = (email: string, from = ip) => throttle.attempt('passwordReset', { ip: from, email })
    await letThrough(30, (i) => ask(`${i}@mail.example`))
    t.is(await letThrough(10, () => ask('ada@mail.example')), 0)
    t.is(await letThrough(10, () => ask('ada@mail.example', '198.51.100.1')), 3)
  })

  test(`${store}: a network has its own limit → refused attempts do not use it up`, async (t) => {
    const { throttle } = await openThrottle(t, store)
    const register = (host: number) => throttle.attempt('registration', { ip: `192.0.2.${host}` })
    t.is(await letThrough(300, () => register(1)), 20)
    t.is(await letThrough(300, (i) => register(2 + (i % 100))), 180)
    t.is((await refusal(() => register(250)))?.quota.policy, 'registration-network')
    t.is(await refusal(() => throttle.attempt('registration', { ip: '192.0.3.1' })), undefined)
  })

  test(`${store}, ASVS 6.6.3: attempts with one-time tokens → limited`, async (t) => {
    const { throttle } = await openThrottle(t, store)
    t.is(await letThrough(60, () => throttle.countFailure('oneTimeToken', { ip })), 30)
  })

  test(`${store}: one person reaches their limits → other people are not affected`, async (t) => {
    const { throttle } = await openThrottle(t, store)
    const other = person.replace('8057', '8058')
    t.is(await letThrough(10, () => throttle.attempt('emailChange', { person })), 5)
    t.is(await letThrough(10, () => throttle.attempt('emailChange', { person: other })), 5)
    t.is(await letThrough(10, () => throttle.attempt('verification', { ip, person })), 3)
  })

  test(`${store}: confirmations with the right password → no points are used`, async (t) => {
    const { throttle } = await openThrottle(t, store)
    const confirm = (right: boolean) =>
      guess(throttle, 'passwordConfirmation', { person }, async () => right || undefined)
    for (let i = 0; i < 25; i += 1) t.true(await confirm(true))
    let checked = 0
    const guessWrong = () =>
      guess(throttle, 'passwordConfirmation', { person }, async () => {
        checked += 1
        return undefined
      })
    t.is(await letThrough(50, guessWrong), 10)
    t.is(checked, 10)
    t.is((await refusal(() => confirm(true)))?.quota.policy, 'password-confirmation')
  })

  test(`${store}: failures of clients → limited to 30 per client and 300 per address`, async (t) => {
    const { throttle, beside } = await openThrottle(t, store)
    const instances = [throttle, (await beside()).throttle]
    const fail = (client: string, i = 0, from = ip) =>
      instances[i % 2]?.countFailure('clientAuthentication', { client, ip: from }) as Promise<void>
    t.is(await letThrough(310, (i) => fail('stale', i)), 30)
    t.is(await refusal(() => fail('good')), undefined, 'its neighbour has all of its own')
    t.is(await letThrough(300, (i) => fail(`client-${i}`, i)), 269)
    t.is(await refusal(() => fail('stale', 0, '192.0.2.8')), undefined)
  })
}

test('ASVS 6.1.1: each policy has one name, whole seconds and at least one point', (t) => {
  const all = Object.values(limits).flat()
  t.is(new Set(all.map(({ policy }) => policy)).size, all.length)
  for (const { policy, points, windowSeconds } of all) {
    t.regex(policy, /^[a-z-]+$/)
    t.true(Number.isInteger(points) && points > 0)
    t.true(Number.isInteger(windowSeconds) && windowSeconds > 0)
  }
})
