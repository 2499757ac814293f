import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { UnavailableError } from '../errors.ts'
import type { Log } from '../telemetry/log.ts'
import type { Argon2Parameters } from './hash-formats.ts'
import type { Hashing } from './hashing.ts'

export type Job =
  | {
      readonly kind: 'verify'
      readonly passwordHash: string
      readonly password: string
      readonly own: Argon2Parameters
    }
  | { readonly kind: 'hash'; readonly password: string; readonly cost: Argon2Parameters }
  | {
      readonly kind: 'strength'
      readonly password: string
      readonly personal: readonly string[]
    }

/** A request to the process that checks passwords. */
export interface JobRequest {
  readonly id: number
  readonly job: Job
}

/** JSON has no undefined: `null` means that the password is strong enough. */
export type Result = boolean | string | null

/** A message of that process. Reasons are for the log and contain nothing of a password or a hash. */
export type ChildMessage =
  | { readonly kind: 'ready'; readonly priorityRefused?: string }
  | { readonly kind: 'not ready'; readonly reason: string }
  | { readonly kind: 'done'; readonly id: number; readonly result: Result }
  | { readonly kind: 'failed'; readonly id: number; readonly reason: string }

interface Options {
  /** Number of jobs that run at once, each on a thread. */
  readonly concurrency: number
  /** Another program, for a test. */
  readonly program?: string
  readonly log: Log
  /** A job without an answer for this long means that the process hangs. Far beyond the cost of any hash. */
  readonly answerSeconds?: number
}

/** The process that checks passwords is down; callers get 503. */
export class HashingUnavailableError extends UnavailableError {
  override readonly name = 'HashingUnavailableError'

  constructor(reason: string) {
    super(`no process checks passwords: ${reason}`, {
      advice: 'no process checks passwords: an earlier line says why',
    })
  }
}

interface Waiting {
  readonly request: JobRequest
  readonly resolve: (result: Result) => void
  readonly reject: (error: Error) => void
  deaths: number
  late?: NodeJS.Timeout
}

/** A process that always dies at once must not keep the machine busy with restarts. */
const leastLifeMilliseconds = 1_000

/**
 * Computes costly hashes in a process of its own, which has a lower priority than the server (ADR 21).
 * It starts with the first password. When it dies, its unfinished jobs are retried once in a new one.
 */
export class HashingProcess implements Hashing {
  /** One more job than there are threads, so that no core idles while messages travel. */
  readonly ahead = 1
  readonly #options: Options
  readonly #waiting = new Map<number, Waiting>()
  #child: ChildProcess | undefined
  #startedAt = Number.NEGATIVE_INFINITY
  #start: NodeJS.Timeout | undefined
  #lastId = 0
  #deaths = 0
  #isClosed = false
  #hasWarnedOfPriority = false

  constructor(options: Options) {
    this.#options = options
  }

  get deaths(): number {
    return this.#deaths
  }

  async verify(passwordHash: string, password: string, own: Argon2Parameters): Promise<boolean> {
    return (await this.#run({ kind: 'verify', passwordHash, password, own })) === true
  }

  async hash(password: string, cost: Argon2Parameters): Promise<string> {
    return String(await this.#run({ kind: 'hash', password, cost }))
  }

  async whyGuessable(password: string, personal: readonly string[]): Promise<string | undefined> {
    const why = await this.#run({ kind: 'strength', password, personal })
    return typeof why === 'string' ? why : undefined
  }

  /** Rejects the jobs that still wait; after a drain there are none. */
  async close(): Promise<void> {
    this.#isClosed = true
    clearTimeout(this.#start)
    const child = this.#child
    this.#child = undefined
    for (const waiting of this.#waiting.values()) this.#reject(waiting, 'the server stops')
    if (child?.pid === undefined) return
    const exit = once(child, 'exit')
    child.kill('SIGKILL')
    await exit
  }

  #run(job: Job): Promise<Result> {
    return new Promise((resolve, reject) => {
      this.#lastId += 1
      const request = { id: this.#lastId, job }
      const waiting: Waiting = { request, resolve, reject, deaths: 0 }
      this.#waiting.set(request.id, waiting)
      if (this.#isClosed) this.#reject(waiting, 'the server stops')
      else if (this.#child) this.#send(this.#child, waiting)
      else this.#startSoon()
    })
  }

  #startSoon(): void {
    if (this.#start) return
    const milliseconds = this.#startedAt + leastLifeMilliseconds - performance.now()
    if (milliseconds <= 0) this.#startNow()
    else this.#start = setTimeout(() => this.#startNow(), milliseconds)
  }

  #startNow(): void {
    this.#start = undefined
    this.#startedAt = performance.now()
    try {
      this.#child = launch(this.#options)
      this.#listen(this.#child)
    } catch (error) {
      this.#ended(this.#child, nameOf(error as Error))
    }
  }

  #listen(child: ChildProcess): void {
    let reason: string | undefined
    child.on('error', (error) => this.#ended(child, nameOf(error)))
    child.once('exit', (code, signal) =>
      this.#ended(child, reason ?? signal ?? `exit code ${code}`),
    )
    child.on('message', (message: ChildMessage) => {
      if (message.kind === 'not ready') reason = message.reason
      else if (this.#child === child) this.#receive(message)
    })
    // Without a pid it never started: the error event follows and says why.
    if (child.pid === undefined) return
    this.#options.log.info({ pid: child.pid }, 'passwords are checked by a process of their own')
    for (const waiting of this.#waiting.values()) this.#send(child, waiting)
  }

  #send(child: ChildProcess, waiting: Waiting): void {
    const { answerSeconds = 30 } = this.#options
    const late = () => this.#ended(child, `it gave no answer for ${answerSeconds} s`)
    waiting.late = setTimeout(late, answerSeconds * 1000)
    child.send(waiting.request, undefined, undefined, (error) => {
      if (error) this.#ended(child, nameOf(error))
    })
  }

  #receive(message: ChildMessage): void {
    if (message.kind === 'ready' && message.priorityRefused && !this.#hasWarnedOfPriority) {
      this.#hasWarnedOfPriority = true
      this.#options.log.warn(
        { why: message.priorityRefused },
        'the process that checks passwords keeps the usual priority: a flood of sign-ins will slow down everything else',
      )
    }
    if (message.kind !== 'done' && message.kind !== 'failed') return
    const waiting = this.#remove(message.id)
    if (message.kind === 'done') waiting?.resolve(message.result)
    else waiting?.reject(new Error(`a password could not be checked: ${message.reason}`))
  }

  #remove(id: number): Waiting | undefined {
    const waiting = this.#waiting.get(id)
    clearTimeout(waiting?.late)
    this.#waiting.delete(id)
    return waiting
  }

  #reject({ request: { id } }: Waiting, why: string): void {
    this.#remove(id)?.reject(new HashingUnavailableError(why))
  }

  /** Several events may report one death, and the process may still be alive after all of them. */
  #ended(child: ChildProcess | undefined, why: string): void {
    if (this.#child !== child || this.#isClosed) return
    this.#child = undefined
    if (child?.pid !== undefined) child.kill('SIGKILL')
    this.#deaths += 1
    const facts = { pid: child?.pid, why, underWay: this.#waiting.size }
    this.#options.log.error(facts, `the process that checks passwords has died: ${advice(why)}`)
    for (const waiting of this.#waiting.values()) {
      clearTimeout(waiting.late)
      waiting.deaths += 1
      if (waiting.deaths > 1) this.#reject(waiting, why)
    }
    if (this.#waiting.size > 0) this.#startSoon()
  }
}

const builtChild = fileURLToPath(
  new URL(`hashing-child${import.meta.url.slice(-3)}`, import.meta.url),
)

/** The only variables that it inherits: how to find and run a program. No secret is among them. */
const inherited = ['PATH', 'LD_LIBRARY_PATH', 'LD_PRELOAD', 'GLIBC_TUNABLES', 'OPENSSL_CONF']

const mebibyte = 2 ** 20

/**
 * argon2id reads 19 MiB at random, which takes 6 % less time in pages of 2 MiB than in pages of 4 KiB.
 * glibc asks the kernel for huge pages only where all threads share one heap, and with these thresholds
 * keeps memory for the next check. Another libc ignores them, and an operator may set others.
 */
const hugePages = Object.entries({
  hugetlb: 1,
  arena_max: 1,
  mmap_threshold: 32 * mebibyte,
  trim_threshold: 256 * mebibyte,
})
  .map(([name, value]) => `glibc.malloc.${name}=${value}`)
  .join(':')

function launch({ concurrency, program = builtChild }: Options): ChildProcess {
  const given = inherited.map((name) => [name, process.env[name]])
  const env = Object.fromEntries(given.filter(([, value]) => value !== undefined))
  return fork(program, {
    env: { GLIBC_TUNABLES: hugePages, ...env, UV_THREADPOOL_SIZE: String(concurrency) },
    // A debugger or profiler of the server must not see passwords; tsx runs TypeScript.
    execArgv: program.endsWith('.ts') ? ['--import', import.meta.resolve('tsx')] : [],
    // A process that crashes may print what it holds in memory.
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
  })
}

const nameOf = ({ name, code }: NodeJS.ErrnoException): string => code ?? name

/** A sentence for the operator about a death. */
function advice(why: string): string {
  if (why === 'SIGKILL')
    return 'it was killed, or the machine ran out of memory; a new one takes over'
  return 'a new one takes over; if that one dies too, see docs/operations.md'
}
