import { readdir, readFile } from 'node:fs/promises'
import { getPriority } from 'node:os'
import test, { type ExecutionContext } from 'ava'
import pg from 'pg'
import { eventually } from '../../tools/eventually.ts'
import { ada, production } from '../../tools/fixtures.ts'
import { HttpClient } from '../../tools/http-client.ts'
import { isGone } from '../support/server/process.ts'
import { emptyFolder, type Serving, serve } from '../support/server/signet.ts'
import { copyTemplate } from '../support/server/start-server.ts'
import { startWorkers } from '../support/server/workers.ts'

const beginning = 'passwords are checked by a process of their own'

// biome-ignore lint/suspicious/noExplicitAny: lines of a log
const logged = ({ stdout }: Pick<Serving, 'stdout'>): any[] =>
  stdout()
    .split('\n')
    .filter((line) => line.endsWith('}'))
    .map((line) => JSON.parse(line))

/** The processes that have checked passwords, the newest last. */
const pidsOf = (serving: Pick<Serving, 'stdout'>): number[] =>
  logged(serving)
    .filter(({ msg }) => msg === beginning)
    .map(({ pid }) => Number(pid))

async function start(t: ExecutionContext) {
  const databaseUrl = await copyTemplate(t)
  const env = { ...production(databaseUrl), PASSWORD_CONCURRENCY: '1' }
  const serving = await serve(t, { cwd: await emptyFolder(t), env })
  const measured = async (name: string) => {
    const text = await (await fetch(serving.metricsUrl)).text()
    return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1])
  }
  const checking = async () => (await measured('signet_password_checks_running')) === 1
  const newest = () => {
    const pid = pidsOf(serving).at(-1)
    // A signal to process 0 would be one to this test.
    if (!pid) throw new Error('no process checks passwords')
    return pid
  }
  return {
    ...serving,
    databaseUrl,
    browser: new HttpClient(serving.url),
    measured,
    checking,
    newest,
  }
}

/** Field 19 of each thread: on Linux every one has its own. */
async function nicenessOf(pid: number): Promise<Set<number>> {
  const threads = await readdir(`/proc/${pid}/task`)
  const stats = threads.map((thread) => readFile(`/proc/${pid}/task/${thread}/stat`, 'utf8'))
  return new Set(
    (await Promise.all(stats)).map((stat) => Number(stat.split(') ').pop()?.split(' ')[16])),
  )
}

test('password checks → in a separate process without secrets and with a lower priority', async (t) => {
  const server = await start(t)
  const { browser, newest } = server
  t.is((await browser.clientCredentials()).status, 200)
  t.deepEqual(pidsOf(server), [], 'who never has a password has no such process')
  t.is((await browser.signIn()).status, 200)
  t.is(pidsOf(server).length, 1)
  const pid = newest()

  const lowest = Math.min(19, getPriority(server.pid) + 10)
  t.deepEqual([...(await nicenessOf(pid))], [lowest])
  t.false((await nicenessOf(server.pid)).has(lowest))
  const environment = await readFile(`/proc/${pid}/environ`, 'utf8')
  for (const [name, value] of Object.entries(production(server.databaseUrl))) {
    t.false(environment.includes(name), name)
    if (value.length > 8) t.false(environment.includes(value), name)
  }
  t.regex(await readFile(`/proc/${pid}/cmdline`, 'utf8'), /^signet-passwords/)

  const wrong = [
    await browser.signIn({ password: 'wrong password' }),
    await browser.signIn({ username: 'nobody at all' }),
  ]
  for (const { status, body } of wrong) t.deepEqual([status, body], [400, wrong[0]?.body])
  const database = new pg.Client({ connectionString: server.databaseUrl })
  await database.connect()
  const bcrypt = '$2b$05$abcdefghijklmnopqrstuu5fSCHhsfzfFnNvbUX2feibCYCQ6YPSq'
  await database.query('UPDATE users SET password_hash = $1', [bcrypt])
  t.is((await browser.signIn({ password: 'the old passwors' })).status, 400)
  t.is((await browser.signIn({ password: 'the old password' })).status, 200)
  const { rows } = await database.query('SELECT password_hash FROM users')
  await database.end()
  t.regex(rows[0].password_hash, /^\$argon2id\$/)
  t.deepEqual(pidsOf(server), [pid], 'one for all of them')
  server.signal('SIGTERM')
  t.is(await server.exited, 0, server.stderr())
  t.true(await isGone(pid))
})

test('that process killed during a sign-in → another one answers it', async (t) => {
  const server = await start(t)
  const { browser, newest } = server
  t.is((await browser.signIn()).status, 200)
  const killed = newest()
  process.kill(killed, 'SIGSTOP')
  const answer = browser.signIn()
  await eventually(server.checking, 'its password is being checked, there')
  t.is((await browser.clientCredentials()).status, 200)
  process.kill(killed, 'SIGKILL')
  t.is((await answer).status, 200)
  t.is((await browser.signIn()).status, 200)
  t.is(pidsOf(server).length, 2)
  t.is(await server.measured('signet_password_process_deaths_total'), 1)
  const death = logged(server).find(({ level }) => level === 50)
  t.like(death, { pid: killed, why: 'SIGKILL', underWay: 1 })

  // A terminal sends it to all; this one cannot hear it before it goes on.
  const pid = newest()
  process.kill(pid, 'SIGSTOP')
  const last = browser.signIn()
  await eventually(server.checking, 'another check is running')
  server.signal('SIGINT')
  await eventually(() => /stopping: /.test(server.stdout()), 'it stops')
  process.kill(pid, 'SIGCONT')
  const answered = await last
  t.is(answered.status, 200, answered.text)
  t.is(answered.headers.get('connection'), 'close')
  t.is(await server.exited, 0, server.stderr())
  t.true(await isGone(pid))
  t.is(pidsOf(server).length, 2, 'it was not started again')
  t.false((server.stdout() + server.stderr()).includes(ada.password))
})

test('each worker → its own process, which ends with the worker, even if killed', async (t) => {
  const server = await startWorkers(t)
  t.is((await server.browser.signIn()).status, 200)
  const [{ pid, worker }] = logged(server).filter(({ msg }) => msg === beginning)
  const owner = logged(server).find(
    (line) => line.msg === 'a worker answers' && line.worker === worker,
  )
  t.false(await isGone(pid))
  process.kill(owner.pid, 'SIGKILL')
  await eventually(() => isGone(pid), 'it has gone with its worker')
  t.is((await server.browser.signIn()).status, 200, 'another worker has another')
})
