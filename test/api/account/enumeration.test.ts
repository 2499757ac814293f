// Alone: it compares how long answers take.
import test, { type ExecutionContext } from 'ava'
import type { Answer } from '../../../tools/http-client.ts'
import { accountApi, goodPassword } from '../../support/people/account-api.ts'
import { compareTimes } from '../../support/people/distributions.ts'
import { startServer, type TestServer } from '../../support/server/start-server.ts'

/** Each address is used once. */
const people = 2000

/** Hundreds of people with one password, with verified or unverified addresses. */
async function populate({ db, services }: TestServer): Promise<void> {
  const { id } = await services.users.create({ username: 'model', password: goodPassword })
  const row = `password_hash, password_changed_at, roles, created_at`
  for (const [name, verified] of [
    ['known', 'created_at'],
    ['waiting', 'NULL'],
  ] as const) {
    await db.raw(
      `INSERT INTO users (id, email, email_verified_at, ${row})
       SELECT gen_random_uuid(), ? || i || '@people.example', ${verified}, ${row}
         FROM users, generate_series(0, ?) i WHERE id = ?`,
      [name, people, id],
    )
  }
}

/** Each call comes from another address, so that only the lookup of the email address affects the time. */
function fromEverywhere(server: TestServer) {
  const api = accountApi(server)
  let calls = 0
  return (path: string, body: object): Promise<Answer> => {
    calls += 1
    const address = `10.${calls >> 8}.${calls & 255}.1`
    return api.post(path, body, { 'x-forwarded-for': address })
  }
}

const environment = { TRUSTED_PROXIES: 'loopback', ARGON2_MEMORY_KIB: '19456' }

interface Endpoint {
  readonly path: string
  readonly status: number
  /** Its state: a verified person, or one who has not verified the address. */
  readonly somebody: 'known' | 'waiting'
  readonly body?: object
  /** The faster an operation is, the smaller a difference can be noticed. */
  readonly samples: number
}

const endpoints: Endpoint[] = [
  {
    path: 'login',
    status: 401,
    somebody: 'known',
    body: { password: 'not the password' },
    samples: 60,
  },
  {
    path: 'register',
    status: 201,
    somebody: 'known',
    body: { password: goodPassword },
    samples: 60,
  },
  { path: 'password/reset/request', status: 202, somebody: 'known', samples: 250 },
  { path: 'email/verification/request', status: 202, somebody: 'waiting', samples: 250 },
]

/** Everything that a caller sees, except for what differs between any two answers. */
function seen({ status, headers, text }: Answer): string {
  const kept = [...headers].filter(([name]) => !['date', 'x-request-id'].includes(name))
  const same = text
    .replace(/[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}/g, 'an id')
    .replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'a time')
    .replace(/(known|nobody)\d+@/, 'name@')
  return JSON.stringify([status, kept.filter(([name]) => name !== 'content-length'), same])
}

for (const { path, status, somebody, body, samples } of endpoints) {
  const ask = (post: ReturnType<typeof fromEverywhere>, name: string) =>
    post(path, { email: `${name}@people.example`, ...body })

  test(`ASVS 6.3.8: ${path} for a known and an unknown address → the same answer`, async (t) => {
    const server = await startServer(t, { environment })
    await populate(server)
    const post = fromEverywhere(server)
    const known = await ask(post, `${somebody}1`)
    t.is(known.status, status, known.text)
    // One name is longer than the other.
    const other = somebody === 'waiting' ? 'known1' : 'nobody1'
    t.is(seen(await ask(post, other)), seen(known))
    t.is(seen(await ask(post, 'nobody2')), seen(known))
  })

  test.serial(
    `ASVS 6.3.8: ${path} for a known and an unknown address → the same time`,
    async (t) => {
      const server = await startServer(t, { environment })
      await populate(server)
      const post = fromEverywhere(server)
      let next = 0
      const sample = (name: string) => async () => {
        next += 1
        const answer = await ask(post, `${name}${next}`)
        if (answer.status !== status) throw new Error(`${answer.status} ${answer.text}`)
      }
      await warmUp(sample)
      await looksAlike(t, [sample(somebody), sample('nobody')], samples)
    },
  )
}

async function warmUp(sample: (name: string) => () => Promise<void>): Promise<void> {
  for (let round = 0; round < 10; round += 1) await sample('stranger')()
}

/** A run that another process slowed down is repeated with more samples. */
async function looksAlike(
  t: ExecutionContext<unknown>,
  kinds: readonly [() => Promise<unknown>, () => Promise<unknown>],
  samples: number,
): Promise<void> {
  let compared = await compareTimes(kinds, samples)
  if (!compared.alike) compared = await compareTimes(kinds, 2 * samples)
  const { alike, superiority, medians } = compared
  const [known, unknown] = medians.map((milliseconds) => milliseconds.toFixed(1))
  t.log(
    `known ${known} ms, unknown ${unknown} ms, the known is slower in ${superiority.toFixed(2)}`,
  )
  t.true(alike)
}
