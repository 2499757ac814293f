import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { freePort } from '../../src/stores/embedded/postmaster.ts'
import { eventually } from '../../tools/eventually.ts'
import { orders } from '../../tools/fixtures.ts'
import type { Closing } from '../support/server/closing.ts'
import { apache, apacheModules, python } from './packages.ts'

/** A service that verifies tokens by itself, in a process of its own. */
export interface Service {
  /** The status that it answers with; undefined: without a token. */
  ask(token: string | undefined): Promise<number>
}

export interface Program {
  readonly command: string
  readonly args: readonly string[]
  readonly folder: string
  readonly port: number
  readonly path?: string
  readonly env?: Readonly<Record<string, string>>
}

/** Starts a program and waits until it answers. */
export async function startService(program: Program, closing: Closing): Promise<Service> {
  const { command, args, folder: cwd, port, path = '/', env = {} } = program
  const { PATH = '' } = process.env
  const child = spawn(command, args, {
    ...{ cwd, stdio: ['ignore', 'pipe', 'pipe'], env: { PATH, ...env, PORT: String(port) } },
  })
  let said = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk) => {
      said = (said + chunk).slice(-4000)
    })
  }
  closing.add(() => end(child))
  process.once('exit', () => child.kill('SIGKILL'))
  const url = `http://127.0.0.1:${port}${path}`
  const ask = async (token: string | undefined) => {
    const headers: Record<string, string> =
      token === undefined ? {} : { authorization: `Bearer ${token}` }
    // An app that signs people in answers with a redirect.
    const answer = await fetch(url, {
      headers,
      redirect: 'manual',
      signal: AbortSignal.timeout(20_000),
    })
    await answer.text()
    return answer.status
  }
  const answers = () =>
    ask(undefined).then(
      () => true,
      () => child.exitCode !== null,
    )
  await eventually(answers, `${command} answers`).catch((error) => {
    throw new Error(`${error.message}\n${said}`)
  })
  if (child.exitCode !== null) throw new Error(`${command} has ended:\n${said}`)
  return { ask }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exit = once(child, 'exit')
  child.kill('SIGTERM')
  const late = setTimeout(() => child.kill('SIGKILL'), 5000)
  await exit
  clearTimeout(late)
}

/** The service of docs/recipes/python.md, beside whatever modules it is given. */
export async function startPython(
  folder: string,
  files: Readonly<Record<string, string>>,
  env: Readonly<Record<string, string>>,
  closing: Closing,
): Promise<Service> {
  await write(folder, files)
  // -E and -B: nothing of the developer's own environment, and no __pycache__.
  const args = ['-E', '-B', 'service.py']
  const port = await freePort()
  return startService(
    { command: python, args, folder, port, env: { AUDIENCE: orders, ...env } },
    closing,
  )
}

const loaded = ['mpm_event', 'authn_core', 'authz_core', 'authz_user', 'headers', 'auth_openidc']

interface Site {
  readonly port?: number
  /** Variables that the configuration names. */
  readonly env?: Readonly<Record<string, string>>
}

/** Apache in the foreground with one site: the configuration of a recipe and little else. */
export async function startApache(
  folder: string,
  configuration: string,
  closing: Closing,
  site: Site = {},
): Promise<Service> {
  const port = site.port ?? (await freePort())
  const lines = [
    ...loaded.map((name) => `LoadModule ${name}_module ${apacheModules}/mod_${name}.so`),
    `ServerRoot ${folder}`,
    'ServerName localhost',
    `Listen 127.0.0.1:${port}`,
    ...(process.getuid?.() === 0 ? ['User www-data', 'Group www-data'] : []),
    `PidFile ${folder}/apache.pid`,
    `DefaultRuntimeDir ${folder}`,
    `ErrorLog ${folder}/error.log`,
    `DocumentRoot ${folder}/site`,
    'StartServers 1',
    configuration,
  ]
  await write(folder, {
    'apache.conf': lines.join('\n'),
    'site/orders': 'orders',
    'site/signed-out': 'signed out',
  })
  for (const shared of [folder, `${folder}/site`]) await chmod(shared, 0o755)
  const args = ['-f', join(folder, 'apache.conf'), '-D', 'FOREGROUND']
  return startService(
    { command: apache, args, folder, port, path: '/orders', env: site.env ?? {} },
    closing,
  )
}

export async function write(
  folder: string,
  files: Readonly<Record<string, string>>,
): Promise<void> {
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder, name)), { recursive: true })
    await writeFile(join(folder, name), text)
  }
}
