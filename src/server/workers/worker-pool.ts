import cluster, { type Worker } from 'node:cluster'
import { availableParallelism } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Config } from '../../config/config.ts'
import { OperatorError } from '../../errors.ts'
import type { Log } from '../../telemetry/log.ts'
import { aborted, type StoppedError, type StopSignals } from '../stop-signals.ts'
import { Heartbeat, usualSilentSeconds } from './heartbeat.ts'
import { type FromPrimary, type FromWorker, workerVariable } from './messages.ts'

interface WorkerPoolOptions {
  readonly count: number
  readonly config: Config
  /** The URL of an embedded PostgreSQL, which only the first process opens. */
  readonly embeddedUrl: string | undefined
  readonly log: Log
  readonly stop: StopSignals
  /** A worker that is silent for this long is killed and replaced. */
  readonly silentSeconds?: number | undefined
}

/** Added to the time limits that a worker has for its own shutdown. */
const patienceSeconds = 15

/** The workers of one server: started together, replaced when they end, stopped together. */
export class WorkerPool {
  readonly #options: WorkerPoolOptions
  readonly #workers = new Map<number, Worker>()
  readonly #stopping = new AbortController()
  readonly #pending = new Set<Promise<void>>()
  readonly #heartbeat: Heartbeat
  #isUp = false
  #replaced = 0
  #onExit: (worker: Worker) => void = () => undefined

  constructor(options: WorkerPoolOptions) {
    this.#options = options
    const { log, silentSeconds = usualSilentSeconds } = options
    this.#heartbeat = new Heartbeat({ log, silentSeconds })
    // Workers share one accept queue, so a worker that dies loses no connection that waits in it.
    cluster.schedulingPolicy = cluster.SCHED_NONE
    cluster.setupPrimary({ serialization: 'advanced' })
  }

  get workers(): readonly Worker[] {
    return [...this.#workers.values()]
  }

  get replaced(): number {
    return this.#replaced
  }

  /** Workers that were killed because they were silent; `replaced` includes them. */
  get hung(): number {
    return this.#heartbeat.killed
  }

  /** Concurrent password checks of all workers. */
  get checks(): number {
    const numbers = Array.from({ length: this.#options.count }, (_, index) => index + 1)
    return numbers.reduce((sum, number) => sum + this.#checksOf(number), 0)
  }

  /** Sets the one listener for workers that end. */
  onExit(listener: (worker: Worker) => void): void {
    this.#onExit = listener
  }

  /**
   * @returns the URL of the server
   * @throws OperatorError when a worker does not start: the others would not either
   */
  async start(): Promise<string> {
    this.#heartbeat.start()
    const ready = Array.from({ length: this.#options.count }, (_, index) => this.#spawn(index + 1))
    const { requested } = this.#options.stop
    const stopped = aborted(requested).then(() => Promise.reject(requested.reason))
    const [url = ''] = await Promise.race([Promise.all(ready), stopped])
    // A worker that was ready may have ended before the last one was ready.
    if (this.#workers.size < this.#options.count) throw notStarted()
    this.#isUp = true
    return url
  }

  /** Stops like a single process: finishes requests in progress, unless a second signal comes. */
  async stop(): Promise<void> {
    const { config, stop } = this.#options
    this.#stopping.abort()
    this.#heartbeat.stop()
    const signal =
      (stop.requested.reason as StoppedError | undefined)?.message ?? 'the start failed'
    this.#broadcast({ signet: 'stop', signal })
    void aborted(stop.insisted).then(() => this.#broadcast({ signet: 'insist', signal }))
    const seconds = config.SHUTDOWN_DELAY_SECONDS + config.SHUTDOWN_SECONDS
    const most = seconds + 2 * config.DATABASE_TIMEOUT_SECONDS + patienceSeconds
    const late = setTimeout(() => this.#kill(), most * 1000)
    await Promise.all([...this.#pending, ...this.workers.map(exited)])
    clearTimeout(late)
  }

  /** Resolves with the worker's URL as soon as it is ready. */
  #spawn(number: number, failures = 0): Promise<string> {
    const startedAt = performance.now()
    const worker = cluster.fork(this.#environmentOf(number))
    this.#workers.set(number, worker)
    return new Promise((resolve, reject) => {
      worker.on('message', (message: FromWorker) => {
        // A late message of an ended worker says nothing about its successor.
        if (this.#workers.get(number) === worker) this.#heartbeat.heard(number, worker)
        if (message.signet !== 'ready') return
        const facts = { worker: number, pid: worker.process.pid }
        this.#options.log.info(facts, 'a worker answers')
        resolve(message.url)
      })
      worker.once('exit', (code, signal) => {
        this.#workers.delete(number)
        const hung = this.#heartbeat.gone(number, worker)
        this.#onExit(worker)
        reject(notStarted())
        if (this.#stopping.signal.aborted || !this.#isUp) return
        const why = hung ? 'it hung' : (signal ?? `exit code ${code}`)
        const livedSeconds = (performance.now() - startedAt) / 1000
        this.#replace(number, { failures, livedSeconds, why })
      })
    })
  }

  #replace(number: number, end: { failures: number; livedSeconds: number; why: string }): void {
    const { delaySeconds, failures } = replacement(end)
    const facts = { worker: number, why: end.why, delaySeconds }
    this.#options.log.error(facts, 'a worker has ended and is replaced')
    const { signal } = this.#stopping
    const restart = async () => {
      await sleep(delaySeconds * 1000, undefined, { signal }).catch(() => undefined)
      if (signal.aborted) return
      this.#replaced += 1
      // A failure is handled by its exit event.
      this.#spawn(number, failures).catch(() => undefined)
    }
    const pending = restart().finally(() => this.#pending.delete(pending))
    this.#pending.add(pending)
  }

  #environmentOf(number: number): NodeJS.ProcessEnv {
    const { embeddedUrl, count } = this.#options
    return {
      [workerVariable]: String(number),
      // Any other database is in the environment that they inherit, or in a file that it names.
      ...(embeddedUrl !== undefined && { DATABASE_URL: embeddedUrl }),
      MIGRATE_ON_START: 'false',
      PASSWORD_CONCURRENCY: String(this.#checksOf(number)),
      UV_THREADPOOL_SIZE: String(threadsFor(count)),
    }
  }

  #checksOf(number: number): number {
    return shareOf(this.#options.config.PASSWORD_CONCURRENCY, this.#options.count, number)
  }

  #broadcast(message: FromPrimary): void {
    for (const worker of this.workers) {
      if (worker.isConnected()) worker.send(message, undefined, () => undefined)
    }
  }

  #kill(): void {
    for (const worker of this.workers) worker.process.kill('SIGKILL')
  }
}

const notStarted = () => new OperatorError('A worker did not start; the reason is above.')

const exited = (worker: Worker): Promise<void> =>
  new Promise((resolve) => {
    if (worker.isDead()) resolve()
    else worker.once('exit', () => resolve())
  })

/** Divides the password checks of the whole server among its workers; each gets at least one. */
export function shareOf(total: number, workers: number, number: number): number {
  const isAmongFirst = number <= total % workers
  return Math.max(1, Math.floor(total / workers) + (isAmongFirst ? 1 : 0))
}

/** The size of a worker's thread pool: as in main.cts, for its share of the cores. */
export const threadsFor = (workers: number, cores = availableParallelism()): number =>
  Math.min(1024, Math.max(4, Math.ceil(cores / workers) + 2))

/** A worker that lived this long started well, so its end is not a failure to start. */
const wellSeconds = 30
const longestDelaySeconds = 30

/**
 * The delay before a worker is replaced: none for its first failure, then longer each time that it
 * ends right after its start, so that it neither burns a core nor floods the log.
 */
export function replacement(end: { readonly failures: number; readonly livedSeconds: number }) {
  const before = end.livedSeconds >= wellSeconds ? 0 : end.failures
  const delaySeconds = before === 0 ? 0 : Math.min(longestDelaySeconds, 2 ** (before - 1))
  return { delaySeconds, failures: before + 1 }
}
