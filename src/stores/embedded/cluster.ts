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

interface ClusterOptions {
  /** The data directory of PostgreSQL. */
  readonly cluster: string
  readonly password: string
  readonly binaries: PostgresBinaries
  readonly launcher: Launcher
  readonly notify: (line: string) => void
}

/** Creates the cluster if it is missing, and checks that these binaries can run it. */
export async function prepareCluster(options: ClusterOptions): Promise<void> {
  const { cluster, binaries } = options
  if (!(await exists(cluster))) await createCluster(options)
  await removeUnfinished(cluster)
  const major = (await readFile(join(cluster, 'PG_VERSION'), 'utf8')).trim()
  if (major !== binaries.major) {
    throw new OperatorError(
      `${cluster} was created by PostgreSQL ${major}, but this release of Signet includes ` +
        `${binaries.major}. Dump it with the release that created it (pg_dump), move the folder away, ` +
        'start Signet and restore the dump; or set DATABASE_URL',
    )
  }
  await ensureOwner(cluster, options.launcher)
}

/**
 * Creates the cluster next to its final place and renames it, so that a kill -9 leaves no partial cluster.
 * Of two concurrent first starts one wins the rename (which never replaces a folder with content), and
 * the other one uses the result.
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
    `--pgdata=${join(staging, 'cluster')}`,
    `--pwfile=${join(staging, 'password')}`,
    '--username=signet',
    '--auth=scram-sha-256',
    '--encoding=UTF8',
    // The locale of the system would tie sort orders, and so indexes, to its libc.
    '--locale=C',
    '--locale-provider=builtin',
    '--builtin-locale=C.UTF-8',
    '--set=timezone=UTC',
    '--set=log_timezone=UTC',
  ])
  try {
    await run(file, args, { ...options, cwd: '/' })
  } catch (cause) {
    const { stderr, message } = cause as { stderr?: string; message: string }
    throw new OperatorError(`initdb of PostgreSQL failed: ${stderr?.trim() || message}`, { cause })
  }
}

/** Removes leftovers of an initdb that was killed or lost the race above. */
async function removeUnfinished(cluster: string): Promise<void> {
  const folder = dirname(cluster)
  for (const name of await readdir(folder)) {
    if (name.startsWith(`${basename(cluster)}.unfinished-`)) await discard(join(folder, name))
  }
}

/** Its initdb may still be writing; the next start removes what remains. */
const discard = (folder: string) =>
  rm(folder, { recursive: true, force: true }).catch(() => undefined)

/** Restores the owner and mode that PostgreSQL requires, which a copied folder may have lost. */
async function ensureOwner(cluster: string, { account }: Launcher): Promise<void> {
  const { uid, mode } = await stat(cluster)
  if (account && uid !== account.uid) {
    await run('chown', ['-R', `${account.uid}:${account.gid}`, cluster])
  }
  if (mode & 0o077) await chmod(cluster, 0o700)
}

/** The password of the database, created once; concurrent first starts get the same one. */
export async function databasePassword(file: string): Promise<string> {
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
    const message = `${file} belongs to another user: start Signet as that user, or set DATABASE_URL`
    throw new OperatorError(message, { cause })
  })
  return password.trim()
}

/** When run as root, PostgreSQL's account must be able to pass the folder, but not to list it. */
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
