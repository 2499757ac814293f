import { execFileSync, type SpawnOptions } from 'node:child_process'
import { readFile, realpath, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { OperatorError } from '../../errors.ts'

/**
 * Starts the programs of PostgreSQL, which refuses to run as root: a Signet that runs as root (typically in
 * a container) starts them with another account, any other Signet with its own.
 */
export interface Launcher {
  /** The owner of the cluster; undefined when it is the user of this process. */
  readonly account: Account | undefined
  command(file: string, args: readonly string[]): Command
}

interface Account {
  readonly uid: number
  readonly gid: number
}

interface Command {
  readonly file: string
  readonly args: readonly string[]
  readonly options: SpawnOptions
}

/** PostgreSQL does not get the environment of this process, which may contain master keys. */
const env = { PATH: process.env.PATH ?? '/usr/bin:/bin', LC_ALL: 'C' }

interface LauncherOptions {
  readonly cluster: string
  readonly folder: string
  readonly programs: readonly string[]
}

export async function createLauncher(options: LauncherOptions): Promise<Launcher> {
  const account = process.getuid?.() === 0 ? await otherAccount(options.cluster) : undefined
  const capability = account && (await missingCapability(account, options))
  if (!account || !capability) {
    return { account, command: (file, args) => ({ file, args, options: { env, ...account } }) }
  }
  const prefix = setprivArguments(account, capability)
  checkSetpriv(prefix, options.folder)
  return {
    account,
    command: (file, args) => ({
      file: 'setpriv',
      args: [...prefix, file, ...args],
      options: { env },
    }),
  }
}

async function otherAccount(cluster: string): Promise<Account> {
  const owner = await stat(cluster).catch(() => undefined)
  if (owner && owner.uid !== 0) return { uid: owner.uid, gid: owner.gid }
  const passwd = await readFile('/etc/passwd', 'utf8')
  for (const name of ['postgres', '_postgres', 'nobody']) {
    const [, uid, gid] = new RegExp(`^${name}:[^:]*:(\\d+):(\\d+):`, 'm').exec(passwd) ?? []
    if (Number(uid) > 0) return { uid: Number(uid), gid: Number(gid) }
  }
  throw new OperatorError(
    'PostgreSQL refuses to run as root, and this system has no user postgres or nobody: ' +
      'run Signet as an ordinary user, or set DATABASE_URL',
  )
}

/** The capability that the account needs to reach programs and folder, typically in /root (0700). */
async function missingCapability(
  account: Account,
  { folder, programs }: LauncherOptions,
): Promise<string | undefined> {
  const own = Number.parseInt(/CapEff:\s*\w{8}(\w{8})/.exec(await status())?.[1] ?? '0', 16)
  for (const path of programs) {
    // Searching folders does not allow executing a file that npm unpacked under umask 077.
    if (!(await mayEnter(account, path))) return 'dac_override'
  }
  for (const path of [folder, ...programs.map(dirname)]) {
    // Docker grants dac_override by default, but not dac_read_search.
    if (!(await mayReach(account, path))) return own & 4 ? 'dac_read_search' : 'dac_override'
  }
  return undefined
}

const status = () => readFile('/proc/self/status', 'utf8').catch(() => '')

async function mayReach(account: Account, path: string): Promise<boolean> {
  for (let folder = await realpath(path); ; folder = dirname(folder)) {
    if (!(await mayEnter(account, folder))) return false
    if (folder === dirname(folder)) return true
  }
}

async function mayEnter({ uid, gid }: Account, path: string): Promise<boolean> {
  const { mode, ...owner } = await stat(path)
  if (owner.uid === uid) return (mode & 0o100) !== 0
  return (mode & (owner.gid === gid ? 0o010 : 0o001)) !== 0
}

/**
 * Drops all privileges of root except one capability. Without no_setuid_fixup, access(2) would ignore it,
 * which initdb uses to find its own programs.
 */
const setprivArguments = ({ uid, gid }: Account, capability: string) => [
  `--reuid=${uid}`,
  `--regid=${gid}`,
  '--clear-groups',
  '--no-new-privs',
  '--securebits=+no_setuid_fixup',
  `--bounding-set=-all,+${capability}`,
  `--inh-caps=-all,+${capability}`,
  `--ambient-caps=-all,+${capability}`,
]

function checkSetpriv(prefix: readonly string[], folder: string): void {
  try {
    execFileSync('setpriv', [...prefix, 'test', '-d', folder], { env, stdio: 'pipe' })
  } catch (cause) {
    const { code, stderr } = cause as { code?: string; stderr?: Buffer }
    const reason =
      code === 'ENOENT' ? 'setpriv (util-linux) is missing' : `setpriv failed: ${stderr}`
    throw new OperatorError(
      `PostgreSQL refuses to run as root, and another user cannot reach ${folder} or node_modules, ` +
        `because a folder above it is closed to other users; ${reason.trim()}. Move this folder elsewhere ` +
        '(not below /root), run Signet as an ordinary user, or set DATABASE_URL',
      { cause },
    )
  }
}
