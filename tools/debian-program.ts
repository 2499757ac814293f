import { spawnSync } from 'node:child_process'
import { accessSync, constants, existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'

/** A program under the names that it may have. */
interface Program {
  readonly debianPackage: string
  readonly names: readonly string[]
}

/** Programs that tests run beside PostgreSQL and Redis. */
const others = {
  pgbouncer: { debianPackage: 'pgbouncer', names: ['pgbouncer'] },
  faketime: { debianPackage: 'faketime', names: ['faketime'] },
  // The headless shell is Chromium without its windows, at half the cost.
  chromium: {
    debianPackage: 'chromium-headless-shell',
    names: ['chromium-headless-shell', 'chromium'],
  },
  // 1.21 or newer, for the components of kustomize: Debian has it since 13.
  kubectl: { debianPackage: 'kubernetes-client', names: ['kubectl'] },
  promtool: { debianPackage: 'prometheus', names: ['promtool'] },
  // A server with its own pg_dump and pg_restore, which the embedded one lacks.
  postgres: { debianPackage: 'postgresql', names: ['postgres'] },
  'systemd-analyze': { debianPackage: 'systemd', names: ['systemd-analyze'] },
} as const satisfies Readonly<Record<string, Program>>

/** Before the tests, which run side by side: only one apt-get may run at a time. */
export function installOthers(say: (line: string) => void): void {
  for (const { names, debianPackage } of Object.values(others)) {
    findProgram(names, debianPackage, say)
  }
}

/** The path of a program that `installOthers` has seen to. */
export function debianProgram(name: keyof typeof others): string {
  const { names, debianPackage } = others[name]
  const found = onPath(names)
  if (found) return found
  throw new Error(`This test needs ${name}: install it (apt-get install ${debianPackage})`)
}

/** The first of these programs that is on the PATH; as root on Debian it is installed first. */
export function findProgram(
  names: readonly string[],
  debianPackage: string,
  say: (line: string) => void,
): string | undefined {
  const found = onPath(names)
  if (found || process.getuid?.() !== 0 || !onPath(['apt-get'])) return found
  say(`no ${names[0]} on the PATH, so apt-get installs ${debianPackage}`)
  installWithApt(debianPackage)
  return onPath(names)
}

function onPath(programs: readonly string[]): string | undefined {
  const path = (process.env.PATH ?? '').split(delimiter).filter(Boolean)
  // Some distributions keep servers where only root looks, and Debian has several versions of PostgreSQL.
  const folders = [...path, '/usr/sbin', ...postgresFolders()]
  const paths = programs.flatMap((name) => folders.map((folder) => join(folder, name)))
  return paths.find((path) => {
    try {
      accessSync(path, constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}

/** Debian's folders of PostgreSQL, the newest first. */
function postgresFolders(): string[] {
  const parent = '/usr/lib/postgresql'
  if (!existsSync(parent)) return []
  const versions = readdirSync(parent).sort((a, b) => Number(b) - Number(a))
  return versions.map((version) => join(parent, version, 'bin'))
}

/** Only the program is wanted: policy-rc.d keeps dpkg from starting the system's service with it. */
function installWithApt(debianPackage: string): void {
  const policy = '/usr/sbin/policy-rc.d'
  const ours = !existsSync(policy)
  if (ours) writeFileSync(policy, '#!/bin/sh\nexit 101\n', { mode: 0o755 })
  try {
    apt(['update', '-q'])
    apt(['install', '-q', '-y', '--no-install-recommends', debianPackage])
  } finally {
    if (ours) rmSync(policy)
  }
}

function apt(args: readonly string[]): void {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  const { status, stdout, stderr } = spawnSync('apt-get', args, { env, encoding: 'utf8' })
  if (status === 0) return
  const tail = `${stdout}${stderr}`.trim().split('\n').slice(-8).join('\n  ')
  throw new Error(`apt-get ${args.join(' ')} failed:\n  ${tail}\nInstall ${args.at(-1)} by hand.`)
}
