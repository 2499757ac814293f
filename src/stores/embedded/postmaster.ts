import { spawn } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { open, readFile } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { OperatorError } from '../../errors.ts'
import type { PostgresBinaries } from './postgres-binaries.ts'
import { commandOf, findPostmaster } from './postmaster-file.ts'
import type { Launcher } from './unprivileged.ts'

export interface PostmasterOptions {
  readonly cluster: string
  readonly logFile: string
  readonly binaries: PostgresBinaries
  readonly launcher: Launcher
  /** Further `-c` flags. */
  readonly settings: Readonly<Record<string, string>>
}

/** A PostgreSQL that this process launched. */
export interface LaunchedPostmaster {
  readonly exited: () => boolean
  /** The log since its launch. */
  readonly log: () => Promise<string>
  readonly stop: () => void
}

/**
 * Launches PostgreSQL in its own session, so that Ctrl-C in the terminal ends the server first, and the
 * database only when the server has stopped.
 */
export async function launchPostmaster(
  { cluster, logFile, binaries, launcher, settings }: PostmasterOptions,
  port: number,
): Promise<LaunchedPostmaster> {
  const output = await open(logFile, 'a', 0o600)
  const { size } = await output.stat()
  const flags = { listen_addresses: '127.0.0.1', port, unix_socket_directories: '', ...settings }
  const { file, args, options } = launcher.command(binaries.postgres, [
    '-D',
    cluster,
    ...Object.entries(flags).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
  ])
  const stdio: ['ignore', number, number] = ['ignore', output.fd, output.fd]
  const child = spawn(file, args, { ...options, cwd: '/', detached: true, stdio })
  child.unref()
  let ended: string | undefined
  child.once('error', (error) => {
    ended = error.message
  })
  child.once('exit', () => {
    ended ??= ''
  })
  await output.close()
  return {
    exited: () => ended !== undefined,
    log: async () => (await readFile(logFile)).subarray(size).toString() + (ended ?? ''),
    stop: () => child.kill('SIGINT'),
  }
}

/** Describes a failed start by the last lines of the log, with advice. */
export function startFailure(logFile: string, log: string): OperatorError {
  const hint = hints.find(([pattern]) => pattern.test(log))?.[1]
  const tail = log.trim().split('\n').slice(-8).join('\n  ')
  const lines = [`PostgreSQL did not start (${logFile}):`, `  ${tail || 'it logged nothing'}`]
  return new OperatorError([...lines, ...(hint ? [hint] : [])].join('\n'))
}

const hints: readonly (readonly [RegExp, string])[] = [
  [/No space left on device|Disk quota exceeded/i, 'The disk is full: free space on it.'],
  [/could not bind/i, 'No free port on 127.0.0.1.'],
  [
    /Permission denied|wrong ownership/i,
    'Its files belong to another user: start Signet as that user.',
  ],
  [/Cannot allocate memory|shared memory/i, 'The machine has too little free (shared) memory.'],
  [/could not locate a valid checkpoint|PANIC/i, 'The data is damaged: restore a backup.'],
]

/** True if a new attempt is useful: a rival was faster, or an earlier PostgreSQL is still stopping. */
export const isPassing = (log: string): boolean =>
  /lock file "postmaster\.pid" (already exists|is empty)|is still in use|could not bind|database system is shut down/.test(
    log,
  )

/** Shuts down fast: ends sessions and writes everything committed. @returns false when it takes longer */
export async function stopPostmaster(
  cluster: string,
  pid: number,
  seconds: number,
): Promise<boolean> {
  process.kill(pid, 'SIGINT')
  for (const deadline = Date.now() + seconds * 1000; Date.now() < deadline; await sleep(20)) {
    if ((await findPostmaster(cluster))?.pid !== pid && !(await commandOf(pid))) return true
  }
  return false
}

/** Below the ports that systems give to outgoing connections, of which any may be taken at any moment. */
const [lowestPort, highestPort] = [15_000, 32_000]

/**
 * A loopback port that is free now. Another program may still take it before it is used, but hardly will: it is
 * chosen at random among ports that no system hands out.
 */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < 20; tries += 1) {
    const port = await listenedPort(randomInt(lowestPort, highestPort))
    if (port !== undefined) return port
  }
  return (await listenedPort(0)) as number
}

/** @returns the port, free again; undefined if it is in use */
async function listenedPort(wanted: number): Promise<number | undefined> {
  const server = createServer().listen(wanted, '127.0.0.1')
  const isFree = await once(server, 'listening').then(
    () => true,
    () => false,
  )
  if (!isFree) return undefined
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}
