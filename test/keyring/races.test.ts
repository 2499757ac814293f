import test from 'ava'
import type { StoredKey } from '../../src/keyring/signing-keys.ts'
import { emptyKeyTable, Instance } from './instances.ts'

const rounds = 40

/** Without the lock a decision may be based on rows that have changed since. */
function withoutLock(
  { signingKeys }: Instance,
  db: Awaited<ReturnType<typeof emptyKeyTable>>['db'],
) {
  signingKeys.change = (work) =>
    db.transaction(async (trx) => {
      const keys: StoredKey[] = await signingKeys.all(trx)
      return work(trx, keys)
    })
}

for (const locked of [true, false]) {
  const how = locked ? 'the lock lets one after the other' : 'without the lock the index decides'
  test(`instances that create a successor at the same moment create one: ${how}`, async (t) => {
    const { db, clock } = await emptyKeyTable(t, 12)
    const instances = Array.from({ length: 4 }, () => new Instance(db, clock))
    if (!locked) for (const instance of instances) withoutLock(instance, db)
    const losers: unknown[] = []
    let made = 0
    for (let round = 0; round < rounds; round += 1) {
      if (round % 4 === 0) await db('signing_keys').delete()
      else clock.advance({ days: 30, minutes: 1 })
      const before = await db('signing_keys').pluck('kid')
      const outcomes = await Promise.allSettled(instances.map(({ rotation }) => rotation.ensure()))
      const added = (await db('signing_keys').pluck('kid')).length - before.length
      t.is(added, round % 4 === 0 ? 2 : 1, `round ${round}`)
      made += outcomes.filter((outcome) => outcome.status === 'fulfilled' && outcome.value).length
      losers.push(...outcomes.flatMap((one) => (one.status === 'rejected' ? [one.reason] : [])))
      await t.notThrowsAsync(Promise.all(instances.map((instance) => instance.tend())))
    }
    t.is(made, rounds, 'one instance made it, the others say that they did not')
    if (locked) t.deepEqual(losers, [])
    else t.true(losers.length > 0, 'the index was needed')
    for (const loser of losers) t.like(loser, { code: '23505' })
  })
}

test('of several concurrent emergency rotations exactly one takes effect', async (t) => {
  const { db, clock } = await emptyKeyTable(t, 12)
  const instances = Array.from({ length: 4 }, () => new Instance(db, clock))
  await instances[0]?.tend()
  for (let round = 0; round < 10; round += 1) {
    clock.advance({ hours: 2 })
    const outcomes = await Promise.allSettled(
      instances.map(({ rotation }) => rotation.rotate({ emergency: true })),
    )
    const done = outcomes.filter(({ status }) => status === 'fulfilled')
    t.is(done.length, 1)
    for (const one of outcomes) {
      if (one.status === 'rejected') t.is(one.reason.name, 'RotationError')
    }
  }
  t.is((await db('signing_keys').pluck('kid')).length, 2 + 10)
})

test('a key that several operators revoke at the same time is revoked once', async (t) => {
  const { db, clock } = await emptyKeyTable(t, 12)
  const instances = Array.from({ length: 4 }, () => new Instance(db, clock))
  await Promise.all(instances.map((instance) => instance.tend()))
  for (let round = 0; round < 10; round += 1) {
    const kid = (await instances[0]?.keyring.reread())?.signer(clock.now()).kid ?? ''
    const outcomes = await Promise.allSettled(instances.map(({ rotation }) => rotation.revoke(kid)))
    t.is(outcomes.filter(({ status }) => status === 'fulfilled').length, 1)
  }
  const events = instances.flatMap((instance) => instance.events)
  t.is(events.filter(({ event }) => event === 'key.revoked').length, 10)
  t.is((await db('signing_keys').pluck('kid')).length, 2 + 10)
})
