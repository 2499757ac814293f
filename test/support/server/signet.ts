import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import { freePort, stopPostmaster } from '../../../src/stores/embedded/postmaster.ts'
import { findPostmaster } from '../../../src/stores/embedded/postmaster-file.ts'
import { eventually } from '../../../tools/eventually.ts'
import { root } from '../../../tools/root.ts'

type Environment = Readonly<Record<string, string>>

/** The built `signet` command, as somebody who has installed it runs it. */
export const program = join(root, 'dist', 'src', 'main.cjs')

export interface Ran {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
  /** Standard output read as JSON. */
  // biome-ignore lint/suspicious/noExplicitAny: a test looks at whatever was printed
  readonly json: () => any
}

export interface RunOptions {
  readonly cwd: string
  readonly env?: Environment
  readonly input?: string
}

/** A command from its beginning to its end, of this build or of another. */
export async function signet(
  args: readonly string[],
  options: RunOptions,
  main = program,
): Promise<Ran> {
  const child = launch([main, ...args], options)
  child.process.stdin?.end(options.input ?? '')
  // A start that should have been refused would run for ever.
  const late = setTimeout(() => child.process.kill('SIGTERM'), 60_000)
  const [code] = await once(child.process, 'close')
  clearTimeout(late)
  const stdout = child.stdout()
  return { code, stdout, stderr: child.stderr(), json: () => JSON.parse(stdout) }
}

/** A `signet serve` in the background. */
export interface Serving {
  readonly pid: number
  readonly port: number
  readonly url: string
  readonly metricsUrl: string
  readonly stdout: () => string
  readonly stderr: () => string
  /** Seconds from the launch until it said that it is ready. */
  readonly readySeconds: number
  /** To the process and its children, as a terminal does it. */
  signal(signal: NodeJS.Signals): void
  /** The exit code; null when a signal ended it. */
  readonly exited: Promise<number | null>
}

export interface ServeOptions {
  readonly cwd: string
  readonly env?: Environment
  /** Another build than this one. */
  readonly program?: string
}

/** Starts `signet serve` and waits until it is ready; whatever is left of it goes with the test. */
export async function serve(t: ExecutionContext<unknown>, options: ServeOptions): Promise<Serving> {
  const launched = await beginServing(t, options)
  const start = performance.now()
  const isReady = () => /^Signet serves|"msg":"ready"/m.test(launched.stderr() + launched.stdout())
  await eventually(() => isReady() || launched.ended(), 'signet serve is ready')
  if (!isReady()) throw new Error(`signet serve has ended:\n${launched.stderr()}`)
  const said = launched.stderr() + launched.stdout()
  const [metricsUrl = ''] = /http:[^\s"]+\/metrics/.exec(said) ?? []
  return { ...launched, metricsUrl, readySeconds: (performance.now() - start) / 1000 }
}

/** The same for one that is not expected to become ready. */
export async function beginServing(
  t: ExecutionContext<unknown>,
  { cwd, env = {}, program: main = program }: ServeOptions,
) {
  const port = env.PORT ? Number(env.PORT) : await freePort()
  // The machine may be busy.
  const defaults = { PORT: String(port), METRICS_PORT: '0', DATABASE_TIMEOUT_SECONDS: '20' }
  const child = launch([main, 'serve'], { cwd, env: { ...defaults, ...env } })
  const { process: running, stdout, stderr } = child
  const pid = running.pid ?? 0
  const exited = once(running, 'close').then(([code]) => code as number | null)
  const ended = () => running.exitCode !== null || running.signalCode !== null
  const signal = (name: NodeJS.Signals) => void process.kill(-pid, name)
  t.teardown(async () => {
    if (!ended()) signal('SIGKILL')
    await exited
  })
  const url = `http://127.0.0.1:${port}`
  return { pid, port, url, stdout, stderr, signal, exited, ended }
}

/** A folder to run in; an embedded PostgreSQL that is still at work in it is stopped. */
export async function emptyFolder(t: ExecutionContext<unknown>): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'signet-home-'))
  // As root, PostgreSQL runs as somebody else, who must get through.
  await chmod(folder, 0o711)
  t.teardown(async () => {
    const cluster = join(folder, '.data', 'postgres')
    const running = await findPostmaster(cluster)
    if (running) await stopPostmaster(cluster, running.pid, 10)
    await rm(folder, { recursive: true, force: true, maxRetries: 5 })
  })
  return folder
}

const running = new Set<ChildProcess>()
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})

/** Only what is given, so that the developer's own environment changes nothing. */
function launch(args: readonly string[], { cwd, env = {} }: RunOptions) {
  const { PATH = '', HOME = '', TMPDIR = '' } = process.env
  const child: ChildProcess = spawn(process.execPath, args, {
    ...{ cwd, detached: true, stdio: 'pipe', env: { PATH, HOME, TMPDIR, ...env } },
  })
  running.add(child)
  child.once('exit', () => running.delete(child))
  const output = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const) {
    child[name]?.on('data', (chunk) => {
      output[name] += chunk
    })
  }
  return { process: child, stdout: () => output.stdout, stderr: () => output.stderr }
}
