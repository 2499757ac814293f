import { hash } from 'argon2'
import test from 'ava'
import { Bulkhead } from '../../src/passwords/bulkhead.ts'
import { PasswordError } from '../../src/passwords/password-policy.ts'
import { Passwords } from '../../src/passwords/passwords.ts'
import { ada } from '../../tools/fixtures.ts'
import { checked, disable, setPassword } from '../support/people/administer-people.ts'
import { startServer } from '../support/server/start-server.ts'

const cheap = { memoryKib: 8192, timeCost: 1 }

/** Passwords behind a bulkhead that counts. */
function countedPasswords() {
  let checks = 0
  class Counter extends Bulkhead {
    override run<T>(job: () => Promise<T>): Promise<T> {
      checks += 1
      return super.run(job)
    }
  }
  const passwords = new Passwords(new Counter({ concurrency: 2, queueSeconds: 60 }), cheap)
  return { passwords, checks: () => checks }
}

test('ASVS 6.2.1, 6.2.9: 8 to 128 characters, as people count them → accepted', async (t) => {
  const { passwords } = countedPasswords()
  for (const length of [8, 64, 128]) {
    for (const letter of ['a', 'é', '密', '🦊']) {
      const first = letter.codePointAt(0) ?? 0
      const points = Array.from({ length }, (_, i) => first + ((i * 7) % 23))
      const password = String.fromCodePoint(...points)
      t.true(await passwords.matches(password, await passwords.hash(password)), password)
    }
  }
  for (const password of ['', 'a'.repeat(7), '🦊'.repeat(7), 'a'.repeat(129), '🦊'.repeat(129)]) {
    await t.throwsAsync(async () => passwords.hash(password), { instanceOf: PasswordError })
  }
})

test('ASVS 6.2.8: a password that differs in one character → does not match', async (t) => {
  const { passwords } = countedPasswords()
  const password = `Pässwörd ${'x'.repeat(100)} end`
  const made = await passwords.hash(password)
  t.true(await passwords.matches(password, made))
  for (const other of [
    password.toLowerCase(),
    `${password} `,
    ` ${password}`,
    password.slice(0, -1),
    password.slice(0, 72),
    `${password}\0`,
    password.replace('ä', 'a'),
    '',
  ]) {
    t.false(await passwords.matches(other, made), JSON.stringify(other))
  }
})

test('one password in two Unicode forms → both match (NFKC)', async (t) => {
  const { passwords } = countedPasswords()
  const composed = 'caf\u00e9 \u212bngstr\u00f6m \uff11\uff12'
  const decomposed = 'cafe\u0301 A\u030angstro\u0308m 12'
  t.true(await passwords.matches(decomposed, await passwords.hash(composed)))
  t.true(await passwords.matches(composed, await passwords.hash(decomposed)))
})

test('the longest password of combining characters → signs in', async (t) => {
  const { passwords } = countedPasswords()
  // Four code points become one, so 512 are sent for a length of 128.
  const vowels = Array.from({ length: 128 }, (_, i) => 'αηω'[(i * i + (i >> 2)) % 3])
  const decomposed = vowels.map((vowel) => `${vowel}\u0313\u0300\u0345`).join('')
  t.is([...decomposed.normalize('NFKC')].length, 128)
  t.true(await passwords.matches(decomposed, await passwords.hash(decomposed)))
})

test('ASVS 6.3.8: an unknown person → one password check, as for a known one', async (t) => {
  const { passwords, checks } = countedPasswords()
  const made = await passwords.hash(ada.password)
  const costs: number[] = []
  for (const [password, against] of [
    [ada.password, made],
    ['wrong password', made],
    ['wrong password', undefined],
    ['x'.repeat(100_000), undefined],
    ['x'.repeat(100_000), made],
  ] as const) {
    const before = checks()
    await passwords.matches(password, against)
    costs.push(checks() - before)
  }
  t.deepEqual(costs, [1, 1, 1, 1, 1])
})

test('a hash of the empty text, from another system → no password that is too long matches it', async (t) => {
  const { passwords } = countedPasswords()
  const empty = await hash('', { memoryCost: 8192, timeCost: 1, parallelism: 1 })
  t.false(await passwords.matches('x'.repeat(100_000), empty))
  t.true(await passwords.matches('', empty))
})

test('ASVS 11.2.2: a hash that differs in one parameter → outdated', async (t) => {
  const bulkhead = () => new Bulkhead({ concurrency: 2, queueSeconds: 60 })
  const made = await new Passwords(bulkhead(), cheap).hash(ada.password)
  for (const [different, isOutdated] of [
    [{}, false],
    [{ memoryKib: 9216 }, true],
    [{ timeCost: 2 }, true],
  ] as const) {
    const passwords = new Passwords(bulkhead(), { ...cheap, ...different })
    t.is(passwords.isOutdated(made), isOutdated, JSON.stringify(different))
  }
})

test('an unknown person, a wrong password and a disabled person → one answer over HTTP', async (t) => {
  const server = await startServer(t)
  const answers = [
    await server.signIn({ password: 'wrong password' }),
    await server.signIn({ username: 'nobody' }),
  ]
  await disable(server, 'ada')
  answers.push(await server.signIn())
  for (const { status, body, headers } of answers) {
    t.is(status, 400)
    t.deepEqual(body, answers[0]?.body)
    t.is(headers.get('content-length'), answers[0]?.headers.get('content-length') ?? null)
  }
})

test('ASVS 11.2.2: a hash with other parameters → renewed at the next sign-in', async (t) => {
  const server = await startServer(t, {
    environment: { ARGON2_MEMORY_KIB: '9216', ARGON2_TIME_COST: '2' },
  })
  const stored = async () => (await server.db('users').first()).password_hash
  const before = await stored()
  t.regex(before, /^\$argon2id\$v=19\$m=8192,t=1,p=1\$/)
  t.is((await server.signIn({ password: 'wrong password' })).status, 400)
  t.is(await stored(), before, 'only who knows the password renews it')
  const [one, two] = await Promise.all([server.signIn(), server.signIn()])
  t.deepEqual([one.status, two.status], [200, 200])
  const renewed = await stored()
  t.regex(renewed, /^\$argon2id\$v=19\$m=9216,t=2,p=1\$/)
  t.is((await server.signIn()).status, 200)
  t.is(await stored(), renewed, 'and once')
})

test('the password changes during a renewal → the new password stays', async (t) => {
  const server = await startServer(t, { environment: { ARGON2_TIME_COST: '2' } })
  for (let round = 0; round < 10; round += 1) {
    const old = await hash(ada.password, { memoryCost: 8192, timeCost: 1, parallelism: 1 })
    await server.db('users').update({ password_hash: old })
    await Promise.all([
      checked(server, 'ada', ada.password),
      setPassword(server, 'ada', 'another long password'),
    ])
    t.is(await checked(server, 'ada', ada.password), undefined)
    t.truthy(await checked(server, 'ada', 'another long password'))
  }
})
