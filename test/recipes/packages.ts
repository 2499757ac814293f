import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, rmSync, writeFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { haproxy, nginx } from '../support/server/proxy-programs.ts'

/** The system's own, which Debian's packages belong to, whatever else is on the PATH. */
export const python = '/usr/bin/python3'
export const apache = '/usr/sbin/apache2'
export const apacheModules = '/usr/lib/apache2/modules'

const imports = (module: string) => () =>
  spawnSync(python, ['-c', `import ${module}`], { stdio: 'ignore' }).status === 0

const wanted: Readonly<Record<string, () => boolean>> = {
  python3: () => existsSync(python),
  'python3-jwt': imports('jwt'),
  'python3-authlib': imports('authlib.jose'),
  'python3-flask': imports('flask'),
  'python3-requests': imports('requests'),
  'python3-cryptography': imports('cryptography'),
  apache2: () => existsSync(apache),
  // The smallest of Debian's builds with TLS.
  'nginx-light': () => existsSync(nginx),
  haproxy: () => existsSync(haproxy),
  'libapache2-mod-auth-openidc': () => existsSync(`${apacheModules}/mod_auth_openidc.so`),
}

const missing = () =>
  Object.entries(wanted)
    .filter(([, isHere]) => !isHere())
    .map(([name]) => name)

/**
 * Python and Apache with their libraries; as root on Debian what is missing is installed.
 * @throws Error that names exactly what to install
 */
export async function needPackages(say: (line: string) => void): Promise<void> {
  const names = missing()
  if (names.length === 0) return
  const byHand = `apt-get install --no-install-recommends ${names.join(' ')}`
  if (process.getuid?.() !== 0 || !existsSync('/usr/bin/apt-get')) {
    throw new Error(`The recipes need more programs: ${byHand}`)
  }
  say(`Not here yet: ${names.join(', ')}`)
  await withoutStarting(async () => {
    if ((await install(names, say)) === undefined) return
    say('apt-get update, since its lists are old')
    await apt(['update', '-q'])
    const problem = await install(names, say)
    if (problem !== undefined) throw new Error(`${byHand} failed:\n${problem}`)
  })
  if (missing().length > 0) throw new Error(`Still not here: ${missing().join(', ')}. ${byHand}`)
}

/** Only the programs are wanted: policy-rc.d keeps dpkg from starting the system's services. */
async function withoutStarting(work: () => Promise<void>): Promise<void> {
  const policy = '/usr/sbin/policy-rc.d'
  const ours = !existsSync(policy)
  if (ours) writeFileSync(policy, '#!/bin/sh\nexit 101\n', { mode: 0o755 })
  try {
    await work()
  } finally {
    if (ours) rmSync(policy)
  }
}

/** @returns what went wrong, if anything did */
function install(names: readonly string[], say: (line: string) => void) {
  let told = -25
  return apt(
    ['install', '-q', '-y', '--no-install-recommends', '-o', 'APT::Status-Fd=3', ...names],
    (line) => {
      const [, percent] = /^pmstatus:[^:]*:([\d.]+):/.exec(line) ?? []
      if (percent === undefined || Number(percent) < told + 25) return
      told = Number(percent)
      say(`installing: ${Math.round(told)} %`)
    },
  )
}

async function apt(args: readonly string[], onStatus = (_line: string): void => undefined) {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  const child = spawn('apt-get', args, { env, stdio: ['ignore', 'pipe', 'pipe', 'pipe'] })
  createInterface({ input: child.stdio[3] as Readable }).on('line', onStatus)
  let said = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (chunk) => {
      said = (said + chunk).slice(-1500)
    })
  }
  const [code] = await once(child, 'close')
  return code === 0 ? undefined : said.trim()
}
