import { spawnSync } from 'node:child_process'
import { accessSync, constants, existsSync, rmSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'

const names = ['redis-server', 'valkey-server']

/** The path of a Redis (or Valkey) server on this machine; as root on Debian it is installed first. */
export function redisProgram(say: (line: string) => void): string {
  const found = onPath(names)
  if (found) return found
  if (process.getuid?.() === 0 && onPath(['apt-get'])) {
    say('Redis: no redis-server on the PATH, so apt-get installs one')
    installWithApt()
    const installed = onPath(names)
    if (installed) return installed
  }
  throw new Error(
    'The tests need a Redis: install redis-server or valkey-server (apt-get install redis-server, ' +
      'brew install redis), or set REDIS_URL to one that the tests may flush',
  )
}

function onPath(programs: readonly string[]): string | undefined {
  const folders = (process.env.PATH ?? '').split(delimiter).filter(Boolean)
  const paths = programs.flatMap((program) => folders.map((folder) => join(folder, program)))
  return paths.find((path) => {
    try {
      accessSync(path, constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}

/** Only the program is wanted: policy-rc.d keeps dpkg from starting the system's service with it. */
function installWithApt(): void {
  const policy = '/usr/sbin/policy-rc.d'
  const ours = !existsSync(policy)
  if (ours) writeFileSync(policy, '#!/bin/sh\nexit 101\n', { mode: 0o755 })
  try {
    apt(['update', '-q'])
    apt(['install', '-q', '-y', '--no-install-recommends', 'redis-server'])
  } finally {
    if (ours) rmSync(policy)
  }
}

function apt(args: readonly string[]): void {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  const { status, stdout, stderr } = spawnSync('apt-get', args, { env, encoding: 'utf8' })
  if (status === 0) return
  const tail = `${stdout}${stderr}`.trim().split('\n').slice(-8).join('\n  ')
  throw new Error(`apt-get ${args.join(' ')} failed:\n  ${tail}\nInstall redis-server by hand.`)
}
