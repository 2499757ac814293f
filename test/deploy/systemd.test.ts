import { spawnSync } from 'node:child_process'
import { cp, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseEnv } from 'node:util'
import test, { type ExecutionContext } from 'ava'
import { createProgram } from '../../src/cli/program.ts'
import { ConfigError, readConfig } from '../../src/config/config.ts'
import { fileVariables } from '../../src/config/secret-files.ts'
import { debianProgram } from '../../tools/debian-program.ts'
import { production } from '../../tools/fixtures.ts'
import { root } from '../../tools/root.ts'
import { emptyFolder } from '../support/server/signet.ts'
import { copyTemplate } from '../support/server/start-server.ts'

const units = [
  'signet.service',
  'signet-migrate.service',
  'signet-journal.service',
  'signet-backup.service',
  'signet-audit.service',
] as const
const timers = ['signet-journal.timer', 'signet-backup.timer', 'signet-audit.timer'] as const
const folder = 'deploy/systemd'

const unit = (name: string) => readFile(join(folder, name), 'utf8')

/** The values of a setting, in their order. */
const settings = (text: string, name: string): string[] =>
  [...text.matchAll(new RegExp(`^${name}=(.*)$`, 'gm'))].map(([, value = '']) => value)

const environmentOf = (text: string) => parseEnv(settings(text, 'Environment').join('\n'))

/** A machine with the units, a node and the targets that every systemd has, as folders. */
async function machine(t: ExecutionContext<unknown>): Promise<string> {
  const home = await emptyFolder(t)
  const system = join(home, 'etc/systemd/system')
  await mkdir(system, { recursive: true })
  await mkdir(join(home, 'usr/bin'), { recursive: true })
  await writeFile(join(home, 'usr/bin/node'), '#!/bin/sh\n', { mode: 0o755 })
  for (const target of [
    ...['sysinit', 'basic', 'multi-user', 'network-online', 'network', 'shutdown', 'timers'],
    'time-set',
    'time-sync',
  ])
    await writeFile(join(system, `${target}.target`), '[Unit]\nDescription=of the test\n')
  for (const name of [...units, ...timers]) await cp(join(folder, name), join(system, name))
  return home
}

function analyze(...args: string[]) {
  const program = debianProgram('systemd-analyze')
  const { status, stdout, stderr } = spawnSync(program, args, { encoding: 'utf8' })
  return { status, stdout, stderr }
}

test('the units → systemd-analyze verify finds no error and no unknown setting', async (t) => {
  const home = await machine(t)
  const verified = analyze('verify', '--man=no', `--root=${home}`, ...units, ...timers)
  t.deepEqual(verified, { status: 0, stdout: '', stderr: '' })
})

for (const name of units) {
  test(`${name} → systemd-analyze security: an exposure of at most 1.5`, async (t) => {
    const home = await machine(t)
    const path = join(home, 'etc/systemd/system', name)
    const args = ['--offline=true', '--no-pager', '--threshold=15', path]
    const { status, stdout, stderr } = analyze('security', ...args)
    t.is(status, 0, stdout.split('\n').slice(-3).join('\n') + stderr)
    t.regex(stdout, /Overall exposure level .*: [01]\.\d/)
  })

  test(`${name} → each secret is a credential, which a _FILE variable names`, async (t) => {
    const text = await unit(name)
    const environment = environmentOf(text)
    const credentials = settings(text, 'LoadCredential').map((line) => line.split(':')[0] ?? '')
    // A unit does not start without its credentials, and few installations have this one.
    const required = fileVariables.filter((name) => name !== 'OTEL_EXPORTER_OTLP_HEADERS_FILE')
    t.deepEqual(
      required.map((variable) => environment[variable]),
      credentials.map((credential) => `%d/${credential}`),
    )
    t.notRegex(text, /^(Environment|SetCredential)=(DATABASE_URL|REDIS_URL|MASTER_KEYS|SMTP_URL)=/m)
  })

  test(`${name} → runs a command of the signet that package.json installs`, async (t) => {
    const [line = ''] = settings(await unit(name), 'ExecStart')
    const [node, program, command] = line.split(' ')
    t.is(node, '/usr/bin/node')
    const { bin } = JSON.parse(await readFile('package.json', 'utf8'))
    t.is(program, bin.signet)
    const { commands } = await createProgram()
    t.true(commands.some((one) => one.name() === command))
  })
}

test('signet.service → stops no earlier than the server itself', async (t) => {
  const text = await unit('signet.service')
  const { SHUTDOWN_DELAY_SECONDS, SHUTDOWN_SECONDS } = readConfig({
    SHUTDOWN_DELAY_SECONDS: environmentOf(text).SHUTDOWN_DELAY_SECONDS,
  })
  const [stop = '0'] = settings(text, 'TimeoutStopSec')
  t.true(SHUTDOWN_DELAY_SECONDS >= 3)
  t.true(Number(stop) > SHUTDOWN_DELAY_SECONDS + SHUTDOWN_SECONDS)
})

test('signet.env with its placeholders → every one is named; without them → a configuration for production', async (t) => {
  const text = await unit('signet.env')
  const { ISSUER, ...secrets } = production('postgres://db.internal/signet?sslmode=verify-full')
  const problems = t.throws(() => readConfig({ ...secrets, ...parseEnv(text) }), {
    instanceOf: ConfigError,
  })?.problems
  t.deepEqual(problems, [
    'ISSUER still has the placeholder REPLACE_HOST of deploy/',
    'MAIL_FROM still has the placeholder REPLACE_HOST of deploy/',
    'TRUSTED_PROXIES still has the placeholder REPLACE_PROXY of deploy/',
  ])
  const replaced = text
    .replaceAll('REPLACE_HOST', 'login.acme.test')
    .replaceAll('REPLACE_PROXY', '10.0.0.5')
  const config = readConfig({ ...secrets, ...parseEnv(replaced) })
  t.is(config.issuer, 'https://login.acme.test')
  t.is(config.MAIL_FROM, 'Signet <no-reply@login.acme.test>')
})

test('the signet command of the kit → runs with the configuration of the service', async (t) => {
  const home = await emptyFolder(t)
  const { DATABASE_URL, REDIS_URL, MASTER_KEYS, SMTP_URL, ...open } = production(
    await copyTemplate(t),
  )
  const secrets = { DATABASE_URL, REDIS_URL, MASTER_KEYS, SMTP_URL }
  await mkdir(join(home, 'secrets'))
  for (const [name, value] of Object.entries(secrets)) {
    const file = name.toLowerCase().replaceAll('_', '-')
    await writeFile(join(home, 'secrets', file), `${value}\n`, { mode: 0o600 })
  }
  const lines = Object.entries(open).map(([name, value]) => `${name}="${value}"\n`)
  await writeFile(join(home, 'signet.env'), lines.join(''))
  const script = (await unit('signet'))
    .replaceAll('/etc/signet', home)
    .replaceAll('/opt/signet', root)
    .replaceAll('/usr/bin/node', process.execPath)
  await writeFile(join(home, 'signet'), script)
  const { PATH = '' } = process.env
  const options = { env: { PATH }, encoding: 'utf8' } as const
  const ran = spawnSync('sh', [join(home, 'signet'), 'doctor', '--json'], options)
  const { findings } = JSON.parse(ran.stdout) as {
    findings: { check: string; state: string; message: string }[]
  }
  const good = findings.filter(({ state }) => state === 'ok').map(({ message }) => message)
  t.true(good.includes('production, issuer https://signet.example'), ran.stdout)
  t.true(good.some((message) => message.startsWith('1 in MASTER_KEYS')))
  t.true(good.includes('matches this release'), 'the database of the secret file')
})
