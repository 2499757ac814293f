import { spawn } from 'node:child_process'
import { once } from 'node:events'
import test, { type ExecutionContext } from 'ava'
import { eventually } from '../../tools/eventually.ts'
import { production } from '../../tools/fixtures.ts'
import { emptyFolder, program, type RunOptions, serve, signet } from '../support/server/signet.ts'
import { startServer } from '../support/server/start-server.ts'

/** A running server, and the command beside it on the same database. */
async function beside(t: ExecutionContext<unknown>) {
  const server = await startServer(t)
  const cwd = await emptyFolder(t)
  const env = { ...production(server.databaseUrl), REDIS_KEY_PREFIX: server.keyPrefix }
  const run = (args: readonly string[], input = '') => signet(args, { cwd, env, input })
  return { server, run, cwd, env }
}

test('users create with a password on standard input → the person can sign in', async (t) => {
  const { server, run } = await beside(t)
  const args = ['users', 'create', '--role', 'auditor,admin', 'grace', '--password-stdin', '--json']
  const created = await run(args, 'amazing grace\n')
  t.is(created.code, 0, created.stderr)
  t.like(created.json(), { username: 'grace', roles: ['auditor', 'admin'] })
  t.notRegex(created.stdout, /amazing|argon2/)
  t.is((await server.signIn({ username: 'grace', password: 'amazing grace' })).status, 200)

  const again = await run(['users', 'create', 'GRACE', '--generate'])
  t.like(again, { code: 1, stdout: '' })
  t.regex(again.stderr, /^signet: There is already a user GRACE\.$/m)
})

test('users create --generate → prints the password once, and the list has no secret', async (t) => {
  const { server, run } = await beside(t)
  const created = await run(['users', 'create', 'grace', '--generate'])
  const [, password = ''] = /^password {2}(\S{24})$/m.exec(created.stdout) ?? []
  t.is((await server.signIn({ username: 'grace', password })).status, 200)
  const listed = await run(['users', 'list'])
  t.regex(
    listed.stdout,
    /^ID +USERNAME +ROLES +CREATED +STATE\n.* grace +- .* active\n.* ada +admin/,
  )
  const { stdout } = await run(['users', 'list', '--json'])
  t.notRegex(stdout, /argon2|password_hash/i)
})

test('users set-password → ends every session; users disable → refuses every sign-in', async (t) => {
  const { server, run } = await beside(t)
  const { body } = await server.signIn()
  const set = await run(['users', 'set-password', 'ada', '--password-stdin'], 'a new password')
  t.regex(set.stdout, /^Set a new password for ada\. Sessions ended: 1\.$/m)
  t.is((await server.refresh(body.refresh_token)).status, 400)
  t.is((await server.signIn()).status, 400)
  const again = await server.signIn({ password: 'a new password' })
  t.is(again.status, 200)

  t.like((await run(['users', 'disable', 'ada', '--json'])).json(), { sessions: 1 })
  t.is((await server.signIn({ password: 'a new password' })).status, 400)
  const { access_token: token } = again.body
  await eventually(async () => !(await server.introspect(token)).body.active, 'it is revoked')
  t.regex((await run(['users', 'list'])).stdout, / ada .* disabled 20/)
})

test('a wrong users command → a sentence, exit 1, and JSON with --json', async (t) => {
  const { run } = await beside(t)
  const cases: [string[], string, RegExp][] = [
    [
      ['users', 'create', 'x y', '--generate'],
      '',
      /A username must be 1 to 200 characters without spa/,
    ],
    [['users', 'create', 'x', '--role', 'a/b', '--generate'], '', /A role must be 1 to 64 letters/],
    [['users', 'create', 'x', '--password-stdin'], 'short', /at least 8 characters/],
    [['users', 'create', 'x', '--password-stdin'], '', /at least 8 characters/],
    [['users', 'create', 'x'], '', /no terminal .*--password-stdin or --generate/],
    [['users', 'set-password', 'nobody', '--generate'], '', /no person nobody.*signet users list/],
    [['users', 'disable', 'nobody'], '', /no person nobody.*signet users list/],
  ]
  for (const [args, input, expected] of cases) {
    const { code, stderr, json } = await run([...args, '--json'], input)
    t.is(code, 1)
    t.regex(stderr, expected)
    t.regex(json().error, expected)
  }
})

test('a password as an option → refused', async (t) => {
  const { run } = await beside(t)
  const { code, stderr } = await run(['users', 'create', 'x', '--password', 'hunter22'])
  t.is(code, 1)
  t.regex(stderr, /unknown option '--password'/)
})

test('a terminal → prompts for the password twice without an echo', async (t) => {
  const { server, cwd, env } = await beside(t)
  const typed = (username: string, ...keys: string[]) =>
    onTerminal(`users create ${username}`, keys, { cwd, env })
  const good = await typed('grace', 'amazing grace\r', 'amazing grace\r')
  t.regex(good.screen, /^Password: \r\nRepeat: \r\nCreated grace: /)
  t.is(good.code, 0)
  t.is((await server.signIn({ username: 'grace', password: 'amazing grace' })).status, 200)
  const different = await typed('mary', 'one password\r', 'other password\r')
  t.regex(different.screen, /The passwords do not match\. Nothing was changed\./)
  t.is(different.code, 1)
  const interrupted = await typed('jane', 'one pass\u0003')
  t.regex(interrupted.screen, /No password was entered\. Nothing was changed\./)
  t.is(interrupted.code, 1)
  const people = await server.services.users.page({}, 100)
  t.deepEqual(people.map(({ username }) => username).sort(), ['ada', 'grace'])
})

/** Runs the command on a terminal of its own and answers each of its questions when it is asked. */
async function onTerminal(words: string, answers: readonly string[], options: RunOptions) {
  const command = `"${process.execPath}" "${program}" ${words}`
  const linux = ['--quiet', '--return', '--command', command, '/dev/null']
  const args = process.platform === 'linux' ? linux : ['-q', '/dev/null', 'sh', '-c', command]
  const { PATH = '', TMPDIR = '' } = process.env
  const env = { PATH, TMPDIR, TERM: 'xterm', ...options.env }
  const terminal = spawn('script', args, { cwd: options.cwd, env, stdio: 'pipe' })
  let screen = ''
  terminal.stdout.on('data', (chunk) => {
    screen += chunk
  })
  const exited = once(terminal, 'close')
  for (const [number, answer] of answers.entries()) {
    const asked = () => (screen.match(/: /g) ?? []).length > number
    await eventually(() => asked() || terminal.exitCode !== null, 'it asks')
    terminal.stdin.write(answer)
  }
  const [code] = await exited
  return { code: code as number, screen }
}

test('a running server in the same folder → commands need no configuration', async (t) => {
  const home = await emptyFolder(t)
  const serving = await serve(t, { cwd: home })
  const created = await signet(['users', 'create', 'grace', '--generate', '--json'], { cwd: home })
  t.is(created.code, 0, created.stderr)
  serving.signal('SIGTERM')
  t.is(await serving.exited, 0)
  const listed = await signet(['users', 'list', '--json'], { cwd: home })
  t.deepEqual(
    listed.json().map((user: { username: string }) => user.username),
    ['grace', 'admin'],
  )
})

test('users list → filters and pages; users delete → refused without --yes', async (t) => {
  const { server, run } = await beside(t)
  for (const username of ['anna', 'annika', 'bob']) await server.services.users.create({ username })
  const names = async (...args: string[]) =>
    (await run(['users', 'list', '--json', ...args]))
      .json()
      .map(({ username }: { username: string }) => username)
  t.deepEqual(await names('--text', 'ANN'), ['annika', 'anna'])
  t.deepEqual(await names('--role', 'admin'), ['ada'])
  const [last] = (await run(['users', 'list', '--limit', '1', '--json'])).json()
  t.is(last.username, 'bob')
  t.deepEqual(await names('--limit', '1', '--after', last.id), ['annika'])
  const refused = await run(['users', 'delete', 'bob'])
  t.is(refused.code, 1)
  t.regex(refused.stderr, /--yes/)
  t.like((await run(['users', 'delete', 'bob', '--yes', '--json'])).json(), { sessions: 0 })
  t.deepEqual(await names('--text', 'bob'), [])
})
