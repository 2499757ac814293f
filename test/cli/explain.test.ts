import test, { type ExecutionContext } from 'ava'
import { masterKeyText, orders, testEnvironment } from '../../tools/fixtures.ts'
import { emptyFolder, signet } from '../support/server/signet.ts'
import { startServer } from '../support/server/start-server.ts'

/** A server, and the command beside it. */
async function operator(t: ExecutionContext) {
  const server = await startServer(t)
  const cwd = await emptyFolder(t)
  const env = {
    ...testEnvironment,
    ISSUER: server.url,
    DATABASE_URL: server.databaseUrl,
    MASTER_KEYS: masterKeyText,
    REDIS_URL: 'none',
  }
  const run = (args: readonly string[], input = '') =>
    signet(['explain', ...args], { cwd, env, input })
  return { server, run }
}

test.serial(
  'signet explain - → the checks of a token, exit 0; with --json for programs',
  async (t) => {
    const { server, run } = await operator(t)
    const { body } = await server.signIn()
    const good = await run(['-', '--audience', orders, '--scope', 'read'], `${body.access_token}\n`)
    t.like(good, { code: 0, stderr: '' })
    t.regex(good.stdout, /^access token [\da-f-]{36}\n✔ form +three parts/)
    t.regex(good.stdout, /^✔ time +expires \S+Z, in \d+ min$/m)
    t.regex(good.stdout, /^Every check passes\.\nClocks: it is \S+Z by PostgreSQL, [+-]\d+\.\d s/m)
    const json = (await run(['-', '--json'], body.refresh_token)).json()
    t.like(json, { subject: 'refresh token', ok: true, failed: null })
    t.is(typeof json.clocks.machine_offset_seconds, 'number')
  },
)

test.serial(
  'signet explain of what a check refuses → exit 1, and the first check that failed',
  async (t) => {
    const { server, run } = await operator(t)
    const { body } = await server.signIn()
    await server.revoke(body.refresh_token)
    const { code, stdout, stderr } = await run([body.access_token])
    t.is(code, 1)
    t.regex(stderr, /^A token in an argument stays in the history of the shell/)
    t.regex(stdout, /^✘ revocation +the session \S+ was revoked/m)
    t.regex(stdout, /^Refused. The first check that failed: revocation\./m)
    t.false(stdout.includes(body.access_token))
    const cut = await run(['-', '--json'], body.refresh_token.slice(0, -3))
    t.is(cut.code, 1)
    t.like(cut.json(), { subject: 'refresh token', ok: false, failed: 'form' })
  },
)

test.serial(
  'signet explain of nothing that it knows, or without a database → exit 2',
  async (t) => {
    const { run } = await operator(t)
    t.like(await run(['-'], ''), { code: 2 })
    const unknown = await run(['nothing'])
    t.is(unknown.code, 2)
    t.regex(unknown.stdout, /^This is no token of Signet, and no id/)
    const cwd = await emptyFolder(t)
    const env = {
      ...testEnvironment,
      DATABASE_URL: 'postgres://127.0.0.1:1/x',
      MASTER_KEYS: masterKeyText,
    }
    const away = await signet(['explain', 'app'], { cwd, env })
    t.is(away.code, 2)
    t.regex(away.stderr, /^signet: PostgreSQL does not answer/)
  },
)

test.serial('signet explain --help → says why a token belongs to standard input', async (t) => {
  const { code, stdout } = await signet(['explain', '--help'], { cwd: '/' })
  t.is(code, 0)
  t.regex(stdout.replace(/\s+/g, ' '), /give - and send a token to standard input/)
})
