import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import {
  chmod,
  chown,
  link,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  writeFile,
} from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { OperatorError } from '../../errors.ts'
import type { PostgresBinaries } from './postgres-binaries.ts'
import type { Launcher } from './unprivileged.ts'

const run = promisify(execFile)

export interface ClusterOptions {
  /** The data directory of PostgreSQL. */
  readonly cluster: string
  readonly password: string
  readonly binaries: PostgresBinaries
  readonly launcher: Launcher
  readonly notify: (line: string) => void
}

/** Makes the cluster unless it is there, and checks that these binaries can serve it. */
export async function prepareCluster(options: ClusterOptions): Promise<void> {
  const { cluster, binaries } = options
  if (!(await exists(cluster))) await createCluster(options)
  await removeUnfinished(cluster)
  const major = (await readFile(join(cluster, 'PG_VERSION'), 'utf8')).trim()
  if (major !== binaries.major) {
    throw new OperatorError(
      `${cluster} was made by PostgreSQL ${major} and this release of Signet brings ` +
        `${binaries.major}: dump it with the release that made it (pg_dump), move the folder away, ` +
        'start Signet and restore the dump; or set DATABASE_URL',
    )
  }
  await belongTo(cluster, options.launcher)
}

/**
 * Built next to its place and renamed into it, so that a kill -9 leaves no half cluster. Of two first
 * starts at once one wins the rename (a folder with content is never replaced) and the other uses it.
 */
async function createCluster({ cluster, password, ...options }: ClusterOptions): Promise<void> {
  options.notify(`Creating a PostgreSQL ${options.binaries.major} database in ${cluster}`)
  const staging = await mkdtemp(`${cluster}.unfinished-`)
  try {
    const { account } = options.launcher
    await writeFile(join(staging, 'password'), password, { mode: 0o600 })
    if (account) await chown(join(staging, 'password'), account.uid, account.gid)
    if (account) await chown(staging, account.uid, account.gid)
    await initdb(staging, options)
    await rename(join(staging, 'cluster'), cluster)
  } catch (error) {
    if (!(await exists(cluster))) throw error
  } finally {
    await discard(staging)
  }
}

async function initdb(
  staging: string,
  { binaries, launcher }: Pick<ClusterOptions, 'binaries' | 'launcher'>,
): Promise<void> {
  const { file, args, options } = launcher.command(binaries.initdb, [
    ...['--pgdata', join(staging, 'cluster'), '--pwfile', join(staging, 'password')],
    ...['--username', 'signet', '--auth', 'scram-sha-256', '--encoding', 'UTF8'],
    // The locale of the system would tie sort orders, and so the indexes, to its libc.
    ...['--locale', 'C', '--locale-provider', 'builtin', '--builtin-locale', 'C.UTF-8'],
    ...['--set', 'timezone=UTC', '--set', 'log_timezone=UTC'],
  ])
  try {
    await run(file, args, { ...options, cwd: '/' })
  } catch (cause) {
    const { stderr, message } = cause as { stderr?: string; message: string }
    throw new OperatorError(`initdb of PostgreSQL failed: ${stderr?.trim() || message}`, { cause })
  }
}

/** What an initdb that was killed, or lost the race above, has left. */
async function removeUnfinished(cluster: string): Promise<void> {
  const folder = dirname(cluster)
  for (const name of await readdir(folder)) {
    if (name.startsWith(`${basename(cluster)}.unfinished-`)) await discard(join(folder, name))
  }
}

/** Its initdb may still be writing: what cannot be removed now is removed by the next start. */
const discard = (folder: string) =>
  rm(folder, { recursive: true, force: true }).catch(() => undefined)

/** A folder that was copied or restored has lost the owner and mode on which PostgreSQL insists. */
async function belongTo(cluster: string, { account }: Launcher): Promise<void> {
  const { uid, mode } = await stat(cluster)
  if (account && uid !== account.uid) {
    await run('chown', ['-R', `${account.uid}:${account.gid}`, cluster])
  }
  if (mode & 0o077) await chmod(cluster, 0o700)
}

/** The password of the database, made once; of two makers at once, both get the same. */
export async function keptPassword(file: string): Promise<string> {
  if (!(await exists(file))) {
    const password = randomBytes(24).toString('base64url')
    const own = `${file}.${randomBytes(6).toString('hex')}`
    await writeFile(own, password, { mode: 0o600 })
    await link(own, file).catch((error) => {
      if (error.code !== 'EEXIST') throw error
    })
    await rm(own)
  }
  const password = await readFile(file, 'utf8').catch((cause) => {
    if (cause.code !== 'EACCES') throw cause
    const notify = `${file} belongs to another user: start Signet as that user, or set DATABASE_URL`
    throw new OperatorError(notify, { cause })
  })
  return password.trim()
}

/** As root, the folder must let PostgreSQL's account through, but shows it nothing. */
export async function openFolder(folder: string): Promise<void> {
  const root = process.getuid?.() === 0
  await mkdir(folder, { recursive: true, mode: root ? 0o711 : 0o700 })
  const { mode, uid } = await stat(folder)
  if (root && uid === 0 && (mode & 0o011) !== 0o011) await chmod(folder, mode | 0o011)
}

const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    (error) => {
      if (error.code === 'ENOENT') return false
      throw error
    },
  )
