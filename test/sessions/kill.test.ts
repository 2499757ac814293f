import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { freePort } from '../../src/stores/embedded/postmaster.ts'
import { eventually } from '../../tools/eventually.ts'
import { masterKeyText, testEnvironment, testRedisUrl } from '../../tools/fixtures.ts'
import { HttpClient } from '../../tools/http-client.ts'
import { program } from '../support/server/signet.ts'
import { copyTemplate } from '../support/server/start-server.ts'

/** A real `signet serve` that can be killed and started again on the same port and database. */
async function serveProcess(t: ExecutionContext) {
  const folder = await mkdtemp(join(tmpdir(), 'signet-serve-'))
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const database = await copyTemplate(t)
  const env = {
    ...testEnvironment,
    PATH: process.env.PATH,
    DATABASE_URL: database,
    REDIS_URL: testRedisUrl(database),
    REDIS_KEY_PREFIX: `${randomUUID()}:`,
    MASTER_KEYS: masterKeyText,
    PORT: String(port),
    ISSUER: url,
    LOG_LEVEL: 'error',
    LOG_FORMAT: 'json',
    SESSIONS_PER_USER: '1000',
    // The machine may be busy, and the time of a restart is not what is tested.
    REFRESH_GRACE_SECONDS: '300',
  }
  const browser = new HttpClient(url)
  const launch = () => {
    const child = spawn(process.execPath, [program, 'serve'], { cwd: folder, env, stdio: 'pipe' })
    let said = ''
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (said += text))
    return { child, said: () => said }
  }
  let running = launch()
  const ready = () =>
    eventually(async () => {
      if (running.child.exitCode !== null) throw new Error(`it ended: ${running.said()}`)
      return (await browser.get('/health/ready').catch(() => undefined))?.status === 200
    }, 'signet serve is ready')
  const kill = async () => {
    if (running.child.exitCode !== null || running.child.signalCode !== null) return
    const exit = once(running.child, 'exit')
    running.child.kill('SIGKILL')
    await exit
  }
  t.teardown(async () => {
    await kill()
    await rm(folder, { recursive: true, force: true })
  })
  await ready()
  const restart = async () => {
    running = launch()
    await ready()
  }
  return { browser, kill, restart }
}

/** Runs a job for each item, a few at a time. */
async function each<T>(items: readonly T[], job: (item: T) => Promise<unknown>): Promise<void> {
  const queue = [...items]
  const work = async () => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) await job(item)
  }
  await Promise.all(Array.from({ length: 20 }, work))
}

test('REF-2: kill -9 during 200 refreshes loses no session and no revocation', async (t) => {
  const { browser, kill, restart } = await serveProcess(t)
  const sessions = Array.from({ length: 200 }, () => ({ refresh: '', spent: '', access: '' }))
  const revoked: string[] = []
  // One after the other: many concurrent sign-ins of one person are treated as guesses.
  for (const session of sessions) {
    const { body } = await browser.signIn()
    Object.assign(session, { refresh: body.refresh_token, access: body.access_token })
  }
  t.true(sessions.every(({ refresh }) => refresh.startsWith('srt_')))

  let answered = 0
  let lost = 0
  let death: Promise<void> | undefined
  await each(sessions, async (session) => {
    try {
      const { status, body } = await browser.refresh(session.refresh)
      t.is(status, 200)
      answered += 1
      Object.assign(session, { refresh: body.refresh_token, spent: session.refresh })
      if (answered === 100) death = kill()
      if (answered % 5 !== 0) return
      if ((await browser.revoke(body.access_token)).status === 200) revoked.push(body.access_token)
    } catch {
      lost += 1
    }
  })
  await death
  t.true(answered >= 100 && lost >= 60, `${answered} answered, ${lost} lost`)
  t.true(revoked.length > 5)

  await restart()
  await each(sessions, async ({ refresh, spent }) => {
    // A client with the response continues from it; one that lost it repeats its token.
    if (spent !== '') {
      const repeated = await browser.refresh(spent)
      t.is(repeated.body?.refresh_token, refresh, 'an acknowledged rotation holds')
    }
    const answer = await browser.refresh(refresh)
    t.is(answer.status, 200, answer.text)
    t.true((await browser.introspect(answer.body.access_token)).body.active)
  })
  for (const token of revoked) t.false((await browser.introspect(token)).body.active)
})
