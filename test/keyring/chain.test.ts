import test from 'ava'
import type { Knex } from 'knex'
import { RotationError } from '../../src/keyring/rotation-plan.ts'
import { keyState } from '../../src/keyring/signing-key.ts'
import type { StoredKey } from '../../src/keyring/signing-keys.ts'
import { fullRereadSeconds, propagationSeconds } from '../../src/keyring/timing.ts'
import type { Clock } from '../support/server/start-server.ts'
import { History } from './history.ts'
import { day, emptyKeyTable, fakeKey, Instance, timing } from './instances.ts'

/** mulberry32: small, seeded, good enough to choose the next operation. */
function dice(seed: number) {
  let state = seed
  return (sides: number): number => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * sides)
  }
}

const rounds = 24
const steps = 40
const firstSeed = Number(process.env.KEYRING_SEED ?? 1)

for (let lane = 0; lane < 2; lane += 1) {
  test(`random operations at random times → one key signs, one follows, and no valid token is refused (${lane + 1})`, async (t) => {
    const { db, clock } = await emptyKeyTable(t)
    let lived = 0
    const from = firstSeed + lane * (rounds / 2)
    for (let seed = from; seed < from + rounds / 2; seed += 1) {
      const story: string[] = []
      await live(db, clock, dice(seed), story).then(
        () => (lived += 1),
        (error) => t.fail(`KEYRING_SEED=${seed}: ${error.message}\n${story.join('\n')}`),
      )
    }
    t.is(lived, rounds / 2)
  })
}

/** One installation from its first start on: two instances, and an operator who tries everything. */
async function live(db: Knex, clock: Clock, roll: (sides: number) => number, story: string[]) {
  await db('signing_keys').delete()
  const history = new History()
  const instances = [new Instance(db, clock), new Instance(db, clock)] as const
  await Promise.all(instances.map((instance) => instance.tend()))
  for (const key of await instances[0].signingKeys.all()) {
    if (keyState(key, clock.now()) === 'active') history.allowHurry(key.kid)
  }
  const observe = async () => {
    await Promise.all(instances.map((instance) => instance.tend()))
    const stored = await instances[0].signingKeys.all()
    for (const { keyring } of instances) {
      history.inspect(stored, keyring.current, clock.now(), timing)
      history.sign(keyring.current, stored, clock.now(), timing)
    }
    return stored
  }

  for (let step = 0; step < steps; step += 1) {
    const stored = await observe()
    const seconds = pause(roll, stored, clock.now())
    clock.advance({ seconds })
    // The installation may have been off for long: it signs nothing before an instance has tended the keys.
    await observe()
    const what = await act(instances[roll(2) as 0 | 1], roll, history).catch((error) => {
      if (error instanceof RotationError) return `refused: ${error.message}`
      throw error
    })
    story.push(`${step}: after ${Math.round(seconds)} s, ${what}`)
    // An instance that has not reread the keys goes on with the old ones for a while.
    const stale = instances.map(({ keyring }) => keyring.current)
    clock.advance({ seconds: (roll(100) / 100) * fullRereadSeconds(timing) })
    const now = await instances[0].signingKeys.all()
    for (const keyring of stale) history.sign(keyring, now, clock.now(), timing)
  }
  await observe()
}

/** From seconds to three months, often to just before or after the next change. */
function pause(roll: (sides: number) => number, stored: readonly StoredKey[], now: Date): number {
  const changes = stored
    .flatMap((key) => [key.signsFrom, key.signsUntil, key.publishedUntil])
    .flatMap((at) => (at && at > now ? (at.getTime() - now.getTime()) / 1000 : []))
  const near = (changes[roll(changes.length)] ?? 10) + roll(40) - 20
  const choices = [roll(20), roll(600), propagationSeconds + roll(3), near, near, roll(40 * day)]
  return Math.max(0, [...choices, 90 * day][roll(choices.length + 1)] ?? 0)
}

async function act(
  { rotation, signingKeys, now }: Instance,
  roll: (n: number) => number,
  history: History,
) {
  const inState = async (...states: string[]) =>
    (await signingKeys.all()).filter((key) => states.includes(keyState(key, now())))
  const revoke = async (...states: string[]) => {
    const keys = await inState(...states)
    const key = keys[roll(keys.length)]
    if (!key) return `no key is ${states}`
    history.allowHurry((await rotation.revoke(key.kid)).signer)
    return `revoked ${key.kid}, ${states}`
  }
  switch (roll(9)) {
    case 0:
      return `rotated: ${JSON.stringify(await rotation.rotate({ emergency: false }))}`
    case 1:
      return `rotated at once: ${JSON.stringify(await rotation.rotate({ emergency: true }))}`
    case 2: {
      const plan = await rotation.rotate({ emergency: true, acceptTooSoon: true })
      history.allowHurry(plan.to)
      return `rotated too soon: ${JSON.stringify(plan)}`
    }
    case 3:
      return revoke('active')
    case 4:
      return revoke('upcoming')
    case 5:
      return revoke('retiring', 'retired')
    case 6: {
      for (const key of await inState('active', 'upcoming')) {
        history.allowHurry((await rotation.revoke(key.kid)).signer)
      }
      return 'revoked all'
    }
    case 7:
      return `imported, signs ${(await rotation.import(await fakeKey())).toISOString()}`
    default:
      return 'nothing'
  }
}
