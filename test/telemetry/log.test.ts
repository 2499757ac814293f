// Alone: it measures the memory of the process.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import test, { type ExecutionContext } from 'ava'
import { openLog } from '../../src/telemetry/log.ts'
import { ada, app, masterKeyText, production } from '../../tools/fixtures.ts'
import { basic, HttpClient } from '../../tools/http-client.ts'
import { root } from '../../tools/root.ts'
import { administer } from '../../tools/template.ts'
import { emptyFolder, serve } from '../support/server/signet.ts'
import { copyTemplate } from '../support/server/start-server.ts'

async function start(t: ExecutionContext<unknown>) {
  const url = await copyTemplate(t)
  const cwd = await emptyFolder(t)
  const env = { ...production(url), LOG_LEVEL: 'trace', JANITOR_SECONDS: '1' }
  const serving = await serve(t, { cwd, env })
  /** Everything it has said, when it has ended. */
  const ended = async () => {
    serving.signal('SIGTERM')
    t.is(await serving.exited, 0)
    t.is(serving.stderr(), '', 'in production every line is in the log')
    return serving.stdout().trimEnd().split('\n')
  }
  return { server: new HttpClient(serving.url), url, ended }
}

test('ASVS 16.2.5: every endpoint with every kind of secret → none is logged', async (t) => {
  const { server, url, ended } = await start(t)
  const wrong = { id: app.id, secret: 'scs_a secret that is wrong' }
  const password = 'a password that is wrong'
  const signedIn = (await server.signIn()).body
  const refreshed = (await server.refresh(signedIn.refresh_token)).body
  await server.signIn({ password })
  await server.signIn({ username: password, password: '' })
  await server.clientCredentials({}, wrong)
  await server.clientCredentials({ client_id: app.id, client_secret: wrong.secret }, null)
  const assertion = `${signedIn.access_token}.assertion`
  const type = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'
  await server.clientCredentials(
    { client_id: app.id, client_assertion_type: type, client_assertion: assertion },
    null,
  )
  await server.introspect(signedIn.access_token)
  await server.introspect(refreshed.refresh_token)
  await server.introspect(signedIn.access_token, wrong)
  await server.revoke(refreshed.access_token)
  await server.revoke(refreshed.refresh_token)
  await server.refresh(signedIn.refresh_token)
  await server.refresh(refreshed.refresh_token)
  const query = new URLSearchParams({ access_token: signedIn.access_token, password: ada.password })
  for (const path of ['/oauth/token', '/.well-known/jwks.json', '/nowhere', '/health/ready']) {
    await server.get(`${path}?${query}`, { authorization: `Bearer ${refreshed.access_token}` })
  }
  await server.request(`/oauth/token?${query}`, { method: 'POST', body: query })
  await server.get('/.well-known/oauth-authorization-server')
  const lines = await ended()

  const secrets = {
    ...{ password: ada.password, wrongPassword: password, masterKey: masterKeyText },
    ...{ secret: app.secret, wrongSecret: wrong.secret, basic: basic(app).slice(6), assertion },
    ...{ access: signedIn.access_token, refresh: signedIn.refresh_token },
    ...{ access2: refreshed.access_token, refresh2: refreshed.refresh_token },
    signature: signedIn.access_token.split('.')[2],
    databasePassword: `:${new URL(url).password}@127.0.0.1`,
  }
  const log = lines.join('\n')
  t.true(lines.length > 15)
  for (const [name, secret] of Object.entries(secrets)) {
    t.true(secret.length > 10, name)
    for (const form of [secret, encodeURIComponent(secret), JSON.stringify(secret).slice(1, -1)]) {
      t.false(log.includes(form), name)
    }
  }
  for (const line of lines) t.regex(JSON.parse(line).time, /Z$/)
})

test('ASVS 16.5.1: a bug → a generic answer, and one complete log line with the request id', async (t) => {
  const { server, url, ended } = await start(t)
  await administer(url, 'ALTER TABLE users RENAME TO gone')
  const answer = await server.signIn()
  t.is(answer.status, 500)
  t.deepEqual(answer.body, {
    error: 'server_error',
    error_description: 'the server met an unexpected condition',
  })
  const id = answer.headers.get('x-request-id')
  const lines = (await ended()).map((line) => JSON.parse(line))
  const own = lines.filter(({ requestId }) => requestId === id)
  t.is(own.length, 2, 'the bug, and the request')
  t.like(own[0], { level: 50, err: { code: '42P01' } })
  t.regex(own[0].err.stack, /relation "users" does not exist\n +at /)
  t.like(own[1], { level: 50, msg: 'request', status: 500 })
  t.is(lines.filter((line) => 'err' in line).length, 1)
})

test('a violated constraint → the row that PostgreSQL quotes is not logged', async (t) => {
  const { server, url, ended } = await start(t)
  await administer(url, 'ALTER TABLE refresh_families ADD CHECK (generation > 0) NOT VALID')
  t.is((await server.signIn()).status, 500)
  const log = (await ended()).join('\n')
  t.regex(log, /violates check constraint/)
  t.regex(log, /"detail":"\[redacted\]"/)
  t.notRegex(log, /Failing row contains/)
})

test('secrets that are logged by mistake → redacted', (t) => {
  const lines: string[] = []
  const log = openLog({ level: 'trace', format: 'json', to: (line) => lines.push(line) })
  for (const name of ['authorization', 'password', 'client_secret', 'refresh_token', 'token']) {
    log.info({ [name]: 'hunter2', body: { [name]: 'hunter2' } }, 'oops')
  }
  t.is(lines.length, 5)
  for (const line of lines) {
    t.notRegex(line, /hunter2/)
    t.is(line.match(/\[redacted\]/g)?.length, 2)
  }
})

test('ASVS 16.4.1: control characters from callers → neither break a log line nor move the cursor', async (t) => {
  const cwd = await emptyFolder(t)
  const env = { ...production(await copyTemplate(t)), LOG_FORMAT: 'pretty' }
  const serving = await serve(t, { cwd, env })
  const evil = 'x\r\n[00:00:00] FATAL: forged\u001b[2J\u009b2J'
  const server = new HttpClient(serving.url)
  await server.clientCredentials({}, { id: evil, secret: evil })
  await server.token({ client_id: evil }, null)
  serving.signal('SIGTERM')
  t.is(await serving.exited, 0)
  t.notRegex(serving.stdout(), /^\[00:00:00\] FATAL/m)
  t.notRegex(serving.stdout().replaceAll('\n', ''), /\p{Cc}/u)
})

/** Logs 400,000 lines, says on the other output how much memory that took, and ends on request. */
const chatterbox = `
  const { openLog, droppedLines } = await import(process.argv[1])
  const log = openLog({ level: 'info', format: 'json' })
  const before = process.memoryUsage().rss
  for (let batch = 0; batch < 400; batch += 1) {
    for (let line = 0; line < 1000; line += 1) log.info({ fill: 'x'.repeat(100) }, 'line')
    await new Promise(setImmediate)
  }
  const grownMib = (process.memoryUsage().rss - before) / 1024 / 1024
  console.error(JSON.stringify({ grownMib, dropped: droppedLines() }))
  process.stdin.resume().once('end', () => undefined)
`

test('a log that is not read → stays bounded, and reports missing lines later', async (t) => {
  const module = join(root, 'dist', 'src', 'telemetry', 'log.js')
  const child = spawn(process.execPath, ['--input-type=module', '-e', chatterbox, module])
  t.teardown(() => child.kill('SIGKILL'))
  const [said] = await once(child.stderr, 'data')
  const { grownMib, dropped } = JSON.parse(String(said))
  t.true(grownMib < 60, `${Math.round(grownMib)} MiB more`)
  t.true(dropped > 100_000)
  const read = text(child.stdout)
  child.stdin.end()
  const lines = (await read).trimEnd().split('\n')
  const written = lines.map((line) => JSON.parse(line))
  const [missing] = written.filter(({ msg }) => msg.startsWith('lines were dropped'))
  t.like(missing, { level: 40, lines: dropped })
  t.is(written.filter(({ msg }) => msg === 'line').length + dropped, 400_000)
})
