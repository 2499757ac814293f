import test from 'ava'
import { type Hashing, hashingHere } from '../../src/users/hashing.ts'
import { eventually } from '../support/eventually.ts'
import { ada, app } from '../support/fixtures.ts'
import { basic } from '../support/requests.ts'
import { startServer } from '../support/start-server.ts'

test('ASVS 6.3.1: one address cannot keep others from signing in by signing in much', async (t) => {
  const many = 40
  const { hashing, allow } = countedChecks()
  const environment = {
    ...{ TRUSTED_PROXIES: 'loopback', PASSWORD_CONCURRENCY: '1', PASSWORD_QUEUE_SECONDS: '60' },
  }
  const server = await startServer(t, { environment, unthrottled: true, hashing })
  await server.db.raw(
    `INSERT INTO users (id, username, password_hash, password_changed_at, roles, created_at)
     SELECT gen_random_uuid(), 'ada' || n, password_hash, password_changed_at, roles, created_at
       FROM users, generate_series(1, ?::int) AS n WHERE username = 'ada'`,
    [many],
  )
  const signIn = async (username: string, from: string) => {
    const { password } = ada
    const { status } = await server.request('/oauth/token', {
      method: 'POST',
      headers: { authorization: basic(app), 'x-forwarded-for': from },
      body: new URLSearchParams({ grant_type: 'password', username, password }),
    })
    return status
  }
  const { bulkhead } = server.rooms
  const crowd = Array.from({ length: many }, (_, n) => signIn(`ada${n + 1}`, '203.0.113.7'))
  await eventually(() => bulkhead.waiting === many - 1, 'the crowd is waiting')
  const alone = signIn('ada', '198.51.100.1')
  await eventually(() => bulkhead.waiting === many, 'the one who comes last is waiting')
  // The one under way, the next of the crowd, and then it is the other address's turn.
  allow(3)
  t.is(await alone, 200)
  t.is(bulkhead.running + bulkhead.waiting, many - 2)
  allow(many)
  t.deepEqual(await Promise.all(crowd), Array(many).fill(200))
})

/** Checks so many passwords as are allowed, and the others when more are. */
function countedChecks() {
  let allowed = 0
  const held: (() => void)[] = []
  const goOn = () => {
    for (; allowed > 0 && held.length > 0; allowed -= 1) held.shift()?.()
  }
  const hashing: Hashing = {
    ...hashingHere,
    async verify(...check) {
      await new Promise<void>((resolve) => {
        held.push(resolve)
        goOn()
      })
      return hashingHere.verify(...check)
    },
  }
  const allow = (more: number) => {
    allowed += more
    goOn()
  }
  return { hashing, allow }
}
