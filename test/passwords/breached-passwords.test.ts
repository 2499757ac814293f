import test, { type ExecutionContext } from 'ava'
import { BreachedPasswords } from '../../src/passwords/breached-passwords.ts'
import { Bulkhead } from '../../src/passwords/bulkhead.ts'
import { PasswordError } from '../../src/passwords/password-policy.ts'
import { Passwords } from '../../src/passwords/passwords.ts'
import { openLog } from '../../src/telemetry/log.ts'
import { Metrics } from '../../src/telemetry/metrics.ts'
import {
  listing,
  type RangeAnswer,
  sha1,
  startRangeService,
} from '../support/people/breach-ranges.ts'

const stolen = 'marmalade teapot 1987'

async function passwordsBeside(t: ExecutionContext<unknown>, answer: RangeAnswer, wait = 5000) {
  const service = await startRangeService(t, answer)
  const lines: string[] = []
  const log = openLog({ level: 'info', format: 'json', to: (line) => lines.push(line) })
  const metrics = new Metrics()
  const breached = new BreachedPasswords({
    ...{ url: service.url, log, metrics, timeoutMilliseconds: wait },
  })
  const bulkhead = new Bulkhead({ concurrency: 2, queueSeconds: 60 })
  const passwords = new Passwords(bulkhead, { memoryKib: 8192, timeCost: 1 }, { breached })
  const counted = async (outcome: string) => {
    const { values } = await metrics.breachedPasswords.get()
    return values.find(({ labels }) => labels.outcome === outcome)?.value ?? 0
  }
  return { service, lines, passwords, counted }
}

test('ASVS 6.2.12: a breached password → refused with a code', async (t) => {
  const { passwords, counted } = await passwordsBeside(t, listing({ [stolen]: 3 }))
  const refused = await t.throwsAsync(passwords.hash(stolen), { instanceOf: PasswordError })
  t.deepEqual(
    refused.reasons.map(({ code }) => code),
    ['breached'],
  )
  t.regex(refused.message, /stolen/)
  t.is(await counted('breached'), 1)
  t.regex(await passwords.hash('marmalade teapot 1988'), /^\$argon2id\$/)
  t.is(await counted('unknown'), 1)
})

test('a lookup → sends five digits of a digest and requests padding', async (t) => {
  const { passwords, service } = await passwordsBeside(t, listing({}))
  await passwords.hash(stolen)
  const [request] = service.asked
  t.is(request?.url, `/range/${sha1(stolen).slice(0, 5)}`)
  t.is(request?.headers['add-padding'], 'true')
  t.false(JSON.stringify(request?.rawHeaders).includes(sha1(stolen).slice(5)))
  await passwords.assess('12345678')
  t.is(service.asked.length, 1, 'a password that is refused anyway leaves no trace outside')
})

test('an entry with a count of 0 → padding, not a breach', async (t) => {
  const { passwords } = await passwordsBeside(t, listing({ [stolen]: 0 }))
  t.deepEqual(await passwords.assess(stolen), [])
})

test('a lookup → searches the NFKC form and ignores the case of hex digits', async (t) => {
  const lower: RangeAnswer = (response) => response.end(`${sha1(stolen).slice(5).toLowerCase()}:7`)
  const { passwords } = await passwordsBeside(t, lower)
  const wide = stolen.replaceAll('a', 'ａ')
  t.is(wide.normalize('NFKC'), stolen)
  t.deepEqual(
    (await passwords.assess(wide)).map(({ code }) => code),
    ['breached'],
  )
})

const faults: Record<string, RangeAnswer> = {
  'that answers 500': (response) => response.writeHead(500).end('oops'),
  'that answers a page': (response) => response.end('<html>Please sign in to this network</html>'),
  'that answers bytes': (response) => response.end(Buffer.alloc(2000, 0xff)),
  'that hangs up': (response) => response.destroy(),
}

for (const [what, answer] of Object.entries(faults)) {
  test(`a range service ${what} → the password is accepted, the failure logged and counted`, async (t) => {
    const { passwords, lines, counted } = await passwordsBeside(t, answer)
    t.regex(await passwords.hash(stolen), /^\$argon2id\$/)
    t.is(await counted('failed'), 1)
    t.is(lines.length, 1)
    t.regex(lines[0] ?? '', /could not be looked up/)
    t.false(lines[0]?.includes(stolen))
    t.false(lines[0]?.includes(sha1(stolen)))
  })
}

test('an endless answer of the range service → bounded memory', async (t) => {
  let bytes = 0
  const { passwords, counted } = await passwordsBeside(t, (response) => {
    response.on('error', () => undefined)
    const more = () => {
      bytes += 65_536
      if (!response.destroyed) response.write('A'.repeat(65_536), more)
    }
    more()
  })
  t.deepEqual(await passwords.assess(stolen), [])
  t.is(await counted('failed'), 1)
  t.true(bytes < 32 * 1_048_576, `${bytes}`)
})

test('a range service that does not answer in time → the password is accepted', async (t) => {
  const silent: RangeAnswer = () => undefined
  const { passwords, counted } = await passwordsBeside(t, silent, 50)
  t.regex(await passwords.hash(stolen), /^\$argon2id\$/)
  t.is(await counted('failed'), 1)
})

test('a range service that answers byte by byte → abandoned in time', async (t) => {
  const trickling: RangeAnswer = (response) => {
    const timer = setInterval(() => response.write(`${'0'.repeat(35)}:1\r\n`), 10)
    response.on('close', () => clearInterval(timer))
  }
  const { passwords, counted } = await passwordsBeside(t, trickling, 200)
  t.deepEqual(await passwords.assess(stolen), [])
  t.is(await counted('failed'), 1)
})

test('ASVS 15.3.2: a redirect of the range service → not followed', async (t) => {
  const elsewhere = await startRangeService(t, listing({ [stolen]: 3 }))
  const { passwords, counted } = await passwordsBeside(t, (response, prefix) =>
    response.writeHead(302, { location: `${elsewhere.url}${prefix}` }).end(),
  )
  t.deepEqual(await passwords.assess(stolen), [])
  t.is(elsewhere.asked.length, 0)
  t.is(await counted('failed'), 1)
})
