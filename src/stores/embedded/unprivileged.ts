import { execFileSync, type SpawnOptions } from 'node:child_process'
import { readFile, realpath, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { OperatorError } from '../../errors.ts'

/**
 * PostgreSQL refuses to run as root, so a root Signet (a container, typically) lends its programs
 * another account; an ordinary user's Signet starts them as itself.
 */
export interface Launcher {
  /** Who the cluster must belong to; undefined when that is simply who we are. */
  readonly account: Account | undefined
  command(file: string, args: readonly string[]): Command
}

export interface Account {
  readonly uid: number
  readonly gid: number
}

export interface Command {
  readonly file: string
  readonly args: readonly string[]
  readonly options: SpawnOptions
}

/** Nothing of our environment (it may hold master keys) is any business of the database's. */
const env = { PATH: process.env.PATH ?? '/usr/bin:/bin', LC_ALL: 'C' }

export interface LauncherOptions {
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
    'PostgreSQL refuses to run as root, and this system has neither a user postgres nor nobody: ' +
      'run Signet as an ordinary user, or set DATABASE_URL',
  )
}

/** What the account lacks to reach the programs and the folder: typically a clone in /root (0700). */
async function missingCapability(
  account: Account,
  { folder, programs }: LauncherOptions,
): Promise<string | undefined> {
  const own = Number.parseInt(/CapEff:\s*\w{8}(\w{8})/.exec(await status())?.[1] ?? '0', 16)
  for (const path of programs) {
    // Searching folders is not enough to execute a file that npm unpacked under umask 077.
    if (!(await mayEnter(account, path))) return 'dac_override'
  }
  for (const path of [folder, ...programs.map(dirname)]) {
    // Docker grants dac_override by default and dac_read_search not.
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
 * The one capability is all that is left of root. Without no_setuid_fixup access(2), which initdb
 * asks whether it can find its own programs, would not count it.
 */
const setprivArguments = ({ uid, gid }: Account, capability: string) => [
  ...['--reuid', String(uid), '--regid', String(gid), '--clear-groups', '--no-new-privs'],
  ...['--securebits', '+no_setuid_fixup', '--bounding-set', `-all,+${capability}`],
  ...['--inh-caps', `-all,+${capability}`, '--ambient-caps', `-all,+${capability}`],
]

function checkSetpriv(prefix: readonly string[], folder: string): void {
  try {
    execFileSync('setpriv', [...prefix, 'test', '-d', folder], { env, stdio: 'pipe' })
  } catch (cause) {
    const { code, stderr } = cause as { code?: string; stderr?: Buffer }
    const why = code === 'ENOENT' ? 'there is no setpriv (util-linux)' : `setpriv failed: ${stderr}`
    throw new OperatorError(
      `PostgreSQL refuses to run as root, and another user cannot reach ${folder} or node_modules, ` +
        `because a folder above is closed to others; ${why.trim()}. Move this folder elsewhere ` +
        '(not below /root), run Signet as an ordinary user, or set DATABASE_URL',
      { cause },
    )
  }
}
