import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort } from '../src/stores/embedded/postmaster.ts'
import { findProgram } from './debian-program.ts'

/** A Redis of one's own, which may be stopped, frozen and flushed without disturbing other tests. */
export interface RedisServer {
  readonly url: string
  readonly port: number
  /** Starts it again on the same port after stop or kill; it has forgotten everything. */
  start(): Promise<void>
  stop(): Promise<void>
  kill(): Promise<void>
  /** SIGSTOP: it accepts connections and never answers. */
  pause(): void
  resume(): void
  flush(): Promise<void>
  /** Stops it for good and removes its folder. */
  close(): Promise<void>
}

export interface RedisServerOptions {
  readonly program?: string
  /** Further settings, for instance `{ requirepass: '…' }`. */
  readonly settings?: Readonly<Record<string, string>>
}

const running = new Set<ChildProcess>()
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})

export async function startRedisServer(options: RedisServerOptions = {}): Promise<RedisServer> {
  const program = options.program ?? process.env.TEST_REDIS_SERVER ?? redisProgram(console.error)
  const folder = await mkdtemp(join(tmpdir(), 'signet-redis-'))
  let port = await freePort()
  let child: ChildProcess | undefined
  const start = async () => {
    child = await launch(program, folder, port, options.settings ?? {})
  }
  const end = async (signal: NodeJS.Signals) => {
    if (!child || child.exitCode !== null || child.signalCode !== null) return
    const exit = once(child, 'exit')
    child.kill(signal)
    child.kill('SIGCONT')
    await exit
  }
  await start().catch(async () => {
    port = await freePort()
    await start()
  })
  return {
    url: `redis://127.0.0.1:${port}`,
    port,
    start,
    stop: () => end('SIGTERM'),
    kill: () => end('SIGKILL'),
    pause: () => void child?.kill('SIGSTOP'),
    resume: () => void child?.kill('SIGCONT'),
    flush: async () => void (await ask(port, 'FLUSHALL')),
    close: async () => {
      await end('SIGKILL')
      await rm(folder, { recursive: true, force: true })
    },
  }
}

async function launch(
  program: string,
  folder: string,
  port: number,
  settings: Readonly<Record<string, string>>,
): Promise<ChildProcess> {
  const flags = { bind: '127.0.0.1', port, dir: folder, save: '', appendonly: 'no', ...settings }
  const args = Object.entries(flags).flatMap(([name, value]) => [`--${name}`, String(value)])
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] })
  running.add(child)
  let log = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk) => {
      log = (log + chunk).slice(-4000)
    })
  }
  let ended = false
  child.once('exit', () => {
    ended = true
    running.delete(child)
  })
  child.once('error', (error) => {
    ended = true
    log += error.message
  })
  for (let tries = 0; tries < 500 && !ended; tries += 1) {
    // Any answer will do: with a password set it is an error.
    if (await ask(port, 'PING').catch(() => '')) return child
    await sleep(20)
  }
  child.kill('SIGKILL')
  throw new Error(`${program} did not start on port ${port}:\n${log}`)
}

/** One inline command, without a client library that would hide what the server does. */
async function ask(port: number, command: string): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  try {
    await once(socket, 'connect')
    socket.write(`${command}\r\n`)
    const [answer] = await once(socket, 'data')
    return String(answer).trim()
  } finally {
    socket.destroy()
  }
}

/** The path of a Redis (or Valkey) server on this machine; as root on Debian it is installed first. */
export function redisProgram(say: (line: string) => void): string {
  const found = findProgram(['redis-server', 'valkey-server'], 'redis-server', say)
  if (found) return found
  throw new Error(
    'The tests need a Redis: install redis-server or valkey-server (apt-get install redis-server, ' +
      'brew install redis), or set REDIS_URL to one that the tests may flush',
  )
}
