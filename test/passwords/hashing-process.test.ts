import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { type Hashing, hashingHere } from '../../src/passwords/hashing.ts'
import { HashingProcess, HashingUnavailableError } from '../../src/passwords/hashing-process.ts'
import { whyGuessable } from '../../src/passwords/password-strength.ts'
import { isUnavailable } from '../../src/stores/unavailable.ts'
import { openLog } from '../../src/telemetry/log.ts'
import { eventually } from '../../tools/eventually.ts'
import { ada } from '../../tools/fixtures.ts'
import { isGone } from '../support/server/process.ts'
import { emptyFolder } from '../support/server/signet.ts'
import { startServer } from '../support/server/start-server.ts'

const cheap = { memoryKib: 8192, passes: 1, lanes: 1 }
const password = 'a password that nobody logs'

interface Beginning {
  /** Code of another program, run for each message. The file `began` gets a line at each start. */
  readonly does?: string
  readonly program?: string
  readonly answerSeconds?: number
}

/** A hashing process that ends with the test, and its log. */
async function begin(t: ExecutionContext, { does, ...options }: Beginning = {}) {
  const folder = await emptyFolder(t)
  const began = join(folder, 'began')
  if (does !== undefined) {
    const code = `
      import { appendFileSync, readlinkSync } from 'node:fs'
      const { pid, execArgv, env } = process
      appendFileSync(${JSON.stringify(began)}, JSON.stringify({ pid, execArgv, env }) + '\\n')
      process.on('message', async (asked) => { const { id, job } = asked; ${does} })`
    await writeFile(join(folder, 'program.mjs'), code)
  }
  const program = does === undefined ? {} : { program: join(folder, 'program.mjs') }
  const lines: string[] = []
  const log = openLog({ level: 'trace', format: 'json', to: (line) => lines.push(line) })
  const hashing = new HashingProcess({ concurrency: 2, log, ...program, ...options })
  t.teardown(() => hashing.close())
  const logged = () => lines.map((line) => JSON.parse(line))
  const starts = async () => {
    const text = await readFile(began, 'utf8')
    return text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
  }
  return { hashing, lines, logged, starts }
}

test('each hash format → the same result in the hashing process as in this one', async (t) => {
  const { hashing, logged } = await begin(t)
  t.deepEqual(logged(), [], 'it is not started before there is a password')
  const made = await hashing.hash(password, cheap)
  t.regex(made, /^\$argon2id\$v=19\$m=8192,t=1,p=1\$/)
  const old = 'the old password'
  const hashes = [
    [password, made],
    [old, '$2b$05$abcdefghijklmnopqrstuu5fSCHhsfzfFnNvbUX2feibCYCQ6YPSq'],
    [old, 'pbkdf2_sha256$1000$NaClNaClNaCl12$8YBC8KBZ5s/xtToz1Kw8kE9s6Qb90KnTcRZi27Hmefs='],
    [
      old,
      '$scrypt$ln=10,r=8,p=1$8PHy8/T19vf4+fr7/P3+/w$4F4zzppsdFjx5bFSemhColGkdwgwwNfMjjx8d2W/1ps',
    ],
  ] as const
  for (const [right, hash] of hashes) {
    const [same, other] = await Promise.all([
      hashing.verify(hash, right, cheap),
      hashing.verify(hash, `${right} `, cheap),
    ])
    t.deepEqual([same, other], [true, false], hash)
  }
  for (const odd of ['\ud800 half a pair', 'a\0b', '"},{"\u2028', '']) {
    const hash = await hashing.hash(odd, cheap)
    t.true(await hashingHere.verify(hash, odd, cheap), JSON.stringify(odd))
    t.true(await hashing.verify(hash, odd, cheap), JSON.stringify(odd))
  }
  t.is(logged().length, 1, 'one process for all of it')
  t.is(hashing.deaths, 0)
})

test('a job that fails → an error without secrets, and the next job is answered', async (t) => {
  const { hashing, lines } = await begin(t)
  const impossible = '$argon2id$v=19$m=1,t=1,p=1$c2FsdHNhbHRzYWx0c2FsdA$x+I+U1deK0c1FGsx+w1jhS2f'
  const error = await t.throwsAsync(hashing.verify(impossible, password, cheap))
  t.regex(String(error?.message), /^a password could not be checked: \w+$/)
  t.false(isUnavailable(error), 'that would be the same at the next time')
  t.true(await hashing.verify(await hashing.hash(password, cheap), password, cheap))
  t.is(hashing.deaths, 0)
  t.false(lines.join().includes('c2Fsd'))
})

test('ASVS 16.2.5: a process that always dies → each job is tried twice, once a second, no password is logged', async (t) => {
  const crash = 'process.stderr.write(JSON.stringify(asked)); process.exit(7)'
  const { hashing, lines, logged, starts } = await begin(t, { does: crash })
  const hash = await hashingHere.hash(password, cheap)
  const beganAt = performance.now()
  const all = await Promise.allSettled(
    Array.from({ length: 50 }, () => hashing.verify(hash, password, cheap)),
  )
  for (const one of all) {
    const { reason } = one as PromiseRejectedResult
    t.true(reason instanceof HashingUnavailableError)
    t.true(isUnavailable(reason))
    t.false(`${reason.stack}${JSON.stringify(reason)}`.includes(password))
  }
  t.is(hashing.deaths, 2)
  t.is((await starts()).length, 2)
  const deaths = logged().filter(({ level }) => level === 50)
  t.is(deaths.length, 2)
  t.like(deaths[0], { why: 'exit code 7', underWay: 50 })
  t.false(lines.join().includes(password))
  t.false(lines.join().includes(hash.slice(-20)))
  t.true(performance.now() - beganAt >= 990, 'not more than one in a second')
})

test('a missing program → handled as a process that dies', async (t) => {
  const { hashing, logged } = await begin(t, { program: '/nowhere/at-all.js' })
  await t.throwsAsync(hashing.hash(password, cheap), { instanceOf: HashingUnavailableError })
  t.is(hashing.deaths, 2)
  t.is(logged().filter(({ level }) => level === 50).length, 2)
})

test('a process that does not answer → killed and replaced', async (t) => {
  const { hashing, logged } = await begin(t, { does: '', answerSeconds: 0.3 })
  await t.throwsAsync(hashing.hash(password, cheap), { instanceOf: HashingUnavailableError })
  t.is(hashing.deaths, 2)
  const deaths = logged().filter(({ level }) => level === 50)
  t.deepEqual(
    deaths.map(({ why }) => why),
    ['it gave no answer for 0.3 s', 'it gave no answer for 0.3 s'],
  )
  for (const { pid } of deaths) await eventually(() => isGone(pid), 'it has ended')
})

test('the hashing process → has no secret, no debugger and no terminal of the server', async (t) => {
  process.env.MASTER_KEYS = 'a secret of the server'
  process.env.NODE_OPTIONS = '--max-http-header-size=16384'
  process.execArgv.push('--max-http-header-size=16384')
  t.teardown(() => {
    for (const name of ['MASTER_KEYS', 'NODE_OPTIONS']) delete process.env[name]
    process.execArgv.pop()
  })
  const result = `[0, 1, 2].map((fd) => readlinkSync('/proc/self/fd/' + fd)).join()`
  const { hashing, starts } = await begin(t, {
    does: `process.send({ kind: 'done', id, result: ${result} })`,
  })
  t.is(await hashing.hash(password, cheap), '/dev/null,/dev/null,/dev/null')
  const [{ env, execArgv }] = await starts()
  t.deepEqual(execArgv, [])
  const mayHave = /^(PATH|LD_LIBRARY_PATH|LD_PRELOAD|GLIBC_TUNABLES|OPENSSL_CONF)$/
  const others = Object.keys(env).filter((name) => !mayHave.test(name) && !/^NODE_CH/.test(name))
  t.deepEqual(others, ['UV_THREADPOOL_SIZE'])
  t.is(env.UV_THREADPOOL_SIZE, '2', 'a thread for each check')
  t.regex(env.GLIBC_TUNABLES, /^glibc\.malloc\.hugetlb=1:/, 'huge pages, where there are any')
})

test('the system refuses the lower priority → one warning, and passwords are checked', async (t) => {
  const { hashing, logged } = await begin(t, {
    does: `
      process.send({ kind: 'ready', priorityRefused: 'EPERM' })
      if (job.password === 'die') process.exit(0)
      process.send({ kind: 'done', id, result: 'made' })`,
  })
  t.is(await hashing.hash(password, cheap), 'made')
  await t.throwsAsync(hashing.hash('die', cheap))
  t.is(await hashing.hash(password, cheap), 'made')
  const warnings = logged().filter(({ level }) => level === 40)
  t.is(warnings.length, 1)
  t.like(warnings[0], { why: 'EPERM' })
})

test('the hashing process does not stay up → sign-ins are 503 with Retry-After', async (t) => {
  const { hashing } = await begin(t, {
    does: `if (job.password !== 'right') process.exit(1)
      process.send({ kind: 'done', id, result: true })`,
  })
  const lines: string[] = []
  const environment = { PASSWORD_CONCURRENCY: '2' }
  const logTo = (line: string) => void lines.push(line)
  const server = await startServer(t, { hashing, environment, logTo })
  for (const { status, headers, body } of await Promise.all([server.signIn(), server.signIn()])) {
    t.is(status, 503)
    t.regex(headers.get('retry-after') ?? '', /^[1-9]\d*$/)
    t.is(body.error, 'temporarily_unavailable')
  }
  t.is((await server.clientCredentials()).status, 200)
  t.true(lines.some((line) => line.includes('no process checks passwords: an earlier line')))
  t.false(lines.join().includes(ada.password))
  t.is((await server.signIn({ password: 'right' })).status, 200)
})

test('many jobs → at most one more than there are threads is in flight', async (t) => {
  const { hashing } = await begin(t, {
    does: `
      globalThis.held = [...globalThis.held ?? [], id]
      if (held.length > 1) return
      const rest = () => new Promise((resolve) => setTimeout(resolve, 500))
      for (let rests = 0; rests < 20 && held.length < 3 && !globalThis.first; rests += 1) await rest()
      await rest()
      globalThis.first ??= held.length
      for (const id of held.splice(0)) process.send({ kind: 'done', id, result: first === 3 })`,
  })
  const environment = { PASSWORD_CONCURRENCY: '2' }
  const server = await startServer(t, { hashing, environment })
  const answers = await Promise.all(Array.from({ length: 4 }, () => server.signIn()))
  t.deepEqual(
    answers.map(({ status }) => status),
    [200, 200, 200, 200],
  )
})

test('the server stops → waiting jobs are rejected', async (t) => {
  const { hashing, logged } = await begin(t, { does: '' })
  const waiting = hashing.hash(password, cheap)
  const refused = t.throwsAsync(waiting, { instanceOf: HashingUnavailableError })
  await hashing.close()
  await refused
  await t.throwsAsync(hashing.hash(password, cheap), { instanceOf: HashingUnavailableError })
  const [{ pid }] = logged()
  t.true(await isGone(pid))
  t.is(hashing.deaths, 0, 'that is not a death')
})

test('ASVS 1.3.12: eight costly passwords chosen at once → the process for passwords assesses them', async (t) => {
  const { hashing } = await begin(t, { answerSeconds: 120 })
  const costly = 'p@55w0rd!1|'.repeat(6).slice(0, 64)
  const personal = ['grace', 'signet']
  t.is(await hashing.whyGuessable('password1', personal), await whyGuessable('password1', personal))
  t.is(await hashing.whyGuessable('harbour lamps in the fog', personal), undefined)

  const asked: string[] = []
  const watched: Hashing = {
    ahead: hashing.ahead,
    deaths: 0,
    verify: (...check) => hashing.verify(...check),
    hash: (...job) => hashing.hash(...job),
    whyGuessable(text, words) {
      asked.push(text)
      return hashing.whyGuessable(text, words)
    },
  }
  const environment = { PASSWORD_QUEUE_SECONDS: '60' }
  const server = await startServer(t, { hashing: watched, environment })
  const answers = await Promise.all(
    Array.from({ length: 8 }, (_, index) =>
      server.request('/api/v1/auth/register', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ email: `grace${index}@people.example`, password: costly }),
      }),
    ),
  )
  const expected = (await whyGuessable(costly, ['signet'])) === undefined ? 201 : 422
  for (const { status } of answers) t.is(status, expected)
  t.deepEqual(asked, Array(8).fill(costly))
  const { bulkhead } = server.services
  t.deepEqual([bulkhead.running, bulkhead.waiting], [0, 0])
})
