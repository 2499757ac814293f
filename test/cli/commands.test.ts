// Alone: it awaits before it declares its tests.
import { readFile, writeFile } from 'node:fs/promises'
import test from 'ava'
import type { Command } from 'commander'
import { createProgram } from '../../src/cli/program.ts'
import { production } from '../../tools/fixtures.ts'
import { administer } from '../../tools/template.ts'
import { emptyFolder, signet } from '../support/server/signet.ts'
import { copyTemplate } from '../support/server/start-server.ts'

/** Every command that does something, with the words before it. */
function leaves(command: Command, words: readonly string[] = []): [string[], Command][] {
  const below = command.commands.filter((one) => one.name() !== 'help')
  if (below.length === 0) return [[[...words], command]]
  return below.flatMap((one) => leaves(one, [...words, one.name()]))
}

const commands = leaves(await createProgram())
const names = commands.map(([words]) => words.join(' '))

test('signet --help → lists the commands', (t) => {
  for (const name of ['serve', 'migrate', 'doctor', 'keys list', 'users create', 'clients list']) {
    t.true(names.includes(name), name)
  }
  t.true(names.length >= 15, names.join(', '))
})

for (const [words, command] of commands) {
  const name = words.join(' ')
  test(`signet ${name} --help → shows the usage and an example`, (t) => {
    let help = ''
    command.configureOutput({
      writeOut(text) {
        help += text
      },
    })
    command.outputHelp()
    t.regex(help, new RegExp(`^Usage: signet ${name}`))
    t.regex(help, new RegExp(`\\nExample:\\n.*signet ${name}`, 's'))
    t.is(/--json/.test(help), name !== 'serve')
  })
}

test('an unknown or incomplete command → exit 1 with a hint', async (t) => {
  const cwd = await emptyFolder(t)
  const unknown = await signet(['user', 'list'], { cwd })
  t.like(unknown, { code: 1, stdout: '' })
  t.regex(unknown.stderr, /unknown command 'user'.*Did you mean users\?/s)
  t.is((await signet(['users'], { cwd })).code, 1)
  t.is((await signet([], { cwd })).code, 1)
})

test('--version → the version of package.json', async (t) => {
  const { version } = JSON.parse(await readFile('package.json', 'utf8'))
  t.is((await signet(['--version'], { cwd: '/' })).stdout, `${version}\n`)
})

test('a command with a verbose log → standard output has only the result', async (t) => {
  const cwd = await emptyFolder(t)
  const env = { ...production(await copyTemplate(t)), LOG_LEVEL: 'trace' }
  for (const LOG_FORMAT of ['json', 'pretty']) {
    const listed = await signet(['clients', 'list', '--json'], { cwd, env: { ...env, LOG_FORMAT } })
    t.is(listed.json()[0].client_id, 'app')
    // Trace shows that there was something to say.
    t.regex(listed.stderr, /everything is open/)
  }
  const quiet = await signet(['clients', 'list'], { cwd, env: { ...env, LOG_LEVEL: 'info' } })
  t.is(quiet.stderr, '')
})

test('migrate → lists pending migrations, applies them, and then finds none', async (t) => {
  const cwd = await emptyFolder(t)
  const url = await copyTemplate(t)
  await administer(url, 'DROP SCHEMA public CASCADE')
  await administer(url, 'CREATE SCHEMA public')
  const env = production(url)
  const run = (...args: string[]) => signet(['migrate', ...args], { cwd, env })
  const dry = await run('--dry-run', '--json')
  t.true(dry.json().pending.length > 9)
  t.deepEqual((await run('--json')).json().applied, dry.json().pending)
  t.is((await run()).stdout, 'The database is up to date.\n')
  const away = await signet(['migrate', '--json'], {
    cwd,
    env: production('postgres://signet@127.0.0.1:1/signet'),
  })
  t.is(away.code, 1)
  t.regex(away.json().error, /PostgreSQL does not answer/)
})

test('a .env file and the environment → the environment takes precedence', async (t) => {
  const cwd = await emptyFolder(t)
  const database = production(await copyTemplate(t))
  const lines = Object.entries({ ...database, DATABASE_URL: 'postgres://127.0.0.1:1/nowhere' })
  await writeFile(`${cwd}/.env`, lines.map(([name, value]) => `${name}=${value}`).join('\n'))
  t.is((await signet(['users', 'list'], { cwd })).code, 1)
  const env = { DATABASE_URL: database.DATABASE_URL ?? '' }
  const listed = await signet(['users', 'list', '--json'], { cwd, env })
  t.is(listed.json()[0].username, 'ada')
})
