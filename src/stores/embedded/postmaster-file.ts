import { execFile } from 'node:child_process'
import { readFile, rename, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

/** The main process of a running PostgreSQL, from its postmaster.pid. */
interface RunningPostmaster {
  readonly pid: number
  readonly port: number
}

/** Finds the process that serves the cluster, and moves a stale lock file aside. */
export async function findPostmaster(cluster: string): Promise<RunningPostmaster | undefined> {
  const file = join(cluster, 'postmaster.pid')
  const content = await readFile(file, 'utf8').catch((error) => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })
  if (content === undefined) return undefined
  const [pid, folder, , port] = content.split('\n')
  if (!port) {
    await moveAsideIfOld(file, content)
    return undefined
  }
  const command = await commandOf(Number(pid))
  if (command && (await serves(command, folder ?? '', cluster))) {
    return { pid: Number(pid), port: Number(port) }
  }
  // PostgreSQL ignores the number of no process. It refuses to start when another program has the number,
  // as after a reboot, or a zombie.
  if (command !== undefined) await moveAside(file, content)
  return undefined
}

/** In doubt it counts as alive: starting beside a live postmaster would corrupt the data. */
async function serves(command: string, folder: string, cluster: string): Promise<boolean> {
  if (!/^(.*\/)?(postgres|postmaster)( -|$)/.test(command)) return false
  const named = / -D (\/.+?)( -|$)/.exec(command)?.[1]
  if (named !== undefined && named !== folder) return false
  // The copy of a live PostgreSQL's folder names that one. In a moved folder the old path is gone.
  const [theirs, ours] = await Promise.all([identity(folder), identity(cluster)])
  return theirs === undefined || theirs === ours
}

const identity = (path: string): Promise<string | undefined> =>
  stat(path).then(
    ({ dev, ino }) => `${dev}:${ino}`,
    () => undefined,
  )

/** The command line of a process; empty for a zombie, undefined when there is no such process. */
export async function commandOf(pid: number): Promise<string | undefined> {
  try {
    process.kill(pid, 0)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return undefined
  }
  if (process.platform === 'linux') {
    const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => undefined)
    return command?.replaceAll('\0', ' ').trim()
  }
  const ps = ['-ww', '-o', 'command=', '-p', String(pid)]
  const answer = await promisify(execFile)('ps', ps).catch(() => undefined)
  return answer?.stdout.trim()
}

async function moveAsideIfOld(file: string, content: string): Promise<void> {
  const { mtimeMs } = await stat(file)
  // PostgreSQL writes the file shortly after creating it, or not at all on a full disk.
  if (Date.now() - mtimeMs > 5_000) await moveAside(file, content)
}

/** Moves the file and reads it again, because a rival may have replaced it with a valid one. */
async function moveAside(file: string, content: string): Promise<void> {
  const aside = `${file}.stale`
  await rename(file, aside).catch(() => undefined)
  const moved = await readFile(aside, 'utf8').catch(() => content)
  if (moved !== content) await rename(aside, file)
}
