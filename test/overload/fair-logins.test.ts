// Alone: it measures how long answers take under load.
import test from 'ava'
import { type Hashing, hashingHere } from '../../src/passwords/hashing.ts'
import { eventually } from '../../tools/eventually.ts'
import { ada, app } from '../../tools/fixtures.ts'
import { basic } from '../../tools/http-client.ts'
import { startServer, type TestServer } from '../support/server/start-server.ts'

test('ASVS 6.3.1: one address sends many sign-ins → another address still signs in', async (t) => {
  const many = 40
  const { hashing, allow } = countedChecks()
  const environment = {
    TRUSTED_PROXIES: 'loopback',
    PASSWORD_CONCURRENCY: '1',
    PASSWORD_QUEUE_SECONDS: '60',
  }
  const server = await startServer(t, { environment, unthrottled: true, hashing })
  await addPeople(server, many)
  const { bulkhead } = server.services
  const crowd = Array.from({ length: many }, (_, n) => signIn(server, `ada${n + 1}`, '203.0.113.7'))
  await eventually(() => bulkhead.waiting === many - 1, 'the crowd is waiting')
  const alone = signIn(server, 'ada', '198.51.100.1')
  await eventually(() => bulkhead.waiting === many, 'the one who comes last is waiting')
  // The running check, the next one of the crowd, and then that of the other address.
  allow(3)
  t.is(await alone, 200)
  t.is(bulkhead.running + bulkhead.waiting, many - 2)
  allow(many)
  t.deepEqual(await Promise.all(crowd), Array(many).fill(200))
})

test('ASVS 6.3.1: one address floods one account with sign-ins → other people still sign in', async (t) => {
  const others = 10
  const { hashing, allow } = countedChecks('flooded')
  const environment = {
    TRUSTED_PROXIES: 'loopback',
    PASSWORD_CONCURRENCY: '8',
    PASSWORD_QUEUE_SECONDS: '3',
  }
  const server = await startServer(t, { environment, unthrottled: true, hashing })
  await addPeople(server, others)
  const { services } = server
  const flood = () => {
    const answers = Array.from({ length: 100 }, () =>
      signIn(server, ada.username, '203.0.113.7', 'flooded').then((status) =>
        answered.push(status),
      ),
    )
    const answered: number[] = []
    return { answered, all: Promise.all(answers) }
  }
  // The first attempts wait in line for too long, which must not make the server look late.
  const first = flood()
  await eventually(() => first.answered.length >= 90, 'those in line were refused')
  t.teardown(() => allow(1000))
  const second = flood()
  await eventually(() => second.answered.length >= 36, 'the line is full again')
  t.true(services.bulkhead.running <= 4, 'no more of one account are under way')
  t.deepEqual(
    await Promise.all(
      Array.from({ length: others }, (_, n) =>
        signIn(server, `ada${n + 1}`, `198.51.100.${n + 1}`),
      ),
    ),
    Array(others).fill(200),
  )
  allow(1000)
  await Promise.all([first.all, second.all])
  t.false([...first.answered, ...second.answered].includes(503), 'the line is 429')
})

async function addPeople(server: TestServer, count: number): Promise<void> {
  await server.db.raw(
    `INSERT INTO users (id, username, password_hash, password_changed_at, roles, created_at)
     SELECT gen_random_uuid(), 'ada' || n, password_hash, password_changed_at, roles, created_at
       FROM users, generate_series(1, ?::int) AS n WHERE username = 'ada'`,
    [count],
  )
}

async function signIn(
  server: TestServer,
  username: string,
  from: string,
  password = ada.password,
): Promise<number> {
  const { status } = await server.request('/oauth/token', {
    method: 'POST',
    headers: { authorization: basic(app), 'x-forwarded-for': from },
    body: new URLSearchParams({ grant_type: 'password', username, password }),
  })
  return status
}

/** Checks as many passwords as are allowed so far. @param only checks of other passwords run at once */
function countedChecks(only?: string) {
  let allowed = 0
  const held: (() => void)[] = []
  const goOn = () => {
    for (; allowed > 0 && held.length > 0; allowed -= 1) held.shift()?.()
  }
  const hashing: Hashing = {
    ...hashingHere,
    async verify(...check) {
      if (only !== undefined && check[1] !== only) return hashingHere.verify(...check)
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
