import cluster, { type Worker } from 'node:cluster'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Config } from '../../config/config.ts'
import type { Log } from '../../telemetry/log.ts'
import { StartError } from '../explain.ts'
import { aborted, type StoppedError, type StopSignals } from '../stop-signals.ts'
import { Heartbeat, usualSilentSeconds } from './heartbeat.ts'
import type { FromPrimary, FromWorker } from './messages.ts'
import { replacement, shareOf, threadsFor } from './shares.ts'
import { workerVariable } from './worker.ts'

export interface FlockOptions {
  readonly count: number
  readonly config: Config
  readonly databaseUrl: string
  readonly log: Log
  readonly stop: StopSignals
  /** A worker that says nothing for so long is ended and replaced. */
  readonly silentSeconds?: number | undefined
}

/** Beyond all times that a worker keeps for its own end. */
const patienceSeconds = 15

/** The workers of one server: started together, replaced when they die, stopped together. */
export class WorkerPool {
  readonly #options: FlockOptions
  readonly #workers = new Map<number, Worker>()
  readonly #stopping = new AbortController()
  readonly #pending = new Set<Promise<void>>()
  readonly #heartbeat: Heartbeat
  #isUp = false
  #replaced = 0
  #onExit: (worker: Worker) => void = () => undefined

  constructor(options: FlockOptions) {
    this.#options = options
    const { log, silentSeconds = usualSilentSeconds } = options
    this.#heartbeat = new Heartbeat({ log, silentSeconds })
    // A worker that dies takes no connection with it that waits to be accepted: they have one queue.
    cluster.schedulingPolicy = cluster.SCHED_NONE
    cluster.setupPrimary({ serialization: 'advanced' })
  }

  get workers(): readonly Worker[] {
    return [...this.#workers.values()]
  }

  get replaced(): number {
    return this.#replaced
  }

  /** Workers that said nothing and were ended: they are among those that were replaced. */
  get hung(): number {
    return this.#heartbeat.ended
  }

  /** Password checks at once, in all workers. */
  get checks(): number {
    const numbers = Array.from({ length: this.#options.count }, (_, index) => index + 1)
    return numbers.reduce((sum, number) => sum + this.#checksOf(number), 0)
  }

  /** Tells whoever counts with them that one has gone. */
  onExit(listener: (worker: Worker) => void): void {
    this.#onExit = listener
  }

  /**
   * @returns where they answer
   * @throws StartRefused when one of them does not come up: the others would not either
   */
  async start(): Promise<string> {
    this.#heartbeat.start()
    const ready = Array.from({ length: this.#options.count }, (_, index) => this.#spawn(index + 1))
    const { requested } = this.#options.stop
    const stopped = aborted(requested).then(() => Promise.reject(requested.reason))
    const [url = ''] = await Promise.race([Promise.all(ready), stopped])
    // One that answered may be gone again by the time that the last one does.
    if (this.#workers.size < this.#options.count) throw notStarted()
    this.#isUp = true
    return url
  }

  /** As a single process stops: requests under way are answered; a second signal does not wait. */
  async stop(): Promise<void> {
    const { config, stop } = this.#options
    this.#stopping.abort()
    this.#heartbeat.stop()
    const signal =
      (stop.requested.reason as StoppedError | undefined)?.message ?? 'the start has failed'
    this.#tell({ signet: 'stop', signal })
    void aborted(stop.insisted).then(() => this.#tell({ signet: 'insist', signal }))
    const seconds = config.SHUTDOWN_DELAY_SECONDS + config.SHUTDOWN_SECONDS
    const most = seconds + 2 * config.DATABASE_TIMEOUT_SECONDS + patienceSeconds
    const late = setTimeout(() => this.#kill(), most * 1000)
    await Promise.all([...this.#pending, ...this.workers.map(gone)])
    clearTimeout(late)
  }

  /** Resolves with its URL as soon as it answers. */
  #spawn(number: number, failures = 0): Promise<string> {
    const startedAt = performance.now()
    const worker = cluster.fork(this.#environmentOf(number))
    this.#workers.set(number, worker)
    return new Promise((resolve, reject) => {
      worker.on('message', (message: FromWorker) => {
        // What is read of one that has ended already says nothing about the next.
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
        // Where nobody waits for the start any more, this is heard by nobody.
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
    const again = async () => {
      await sleep(delaySeconds * 1000, undefined, { signal }).catch(() => undefined)
      if (signal.aborted) return
      this.#replaced += 1
      // What ends it again is seen by its exit.
      this.#spawn(number, failures).catch(() => undefined)
    }
    const pending = again().finally(() => this.#pending.delete(pending))
    this.#pending.add(pending)
  }

  #environmentOf(number: number): NodeJS.ProcessEnv {
    const { databaseUrl, count } = this.#options
    return {
      [workerVariable]: String(number),
      DATABASE_URL: databaseUrl,
      MIGRATE_ON_START: 'false',
      PASSWORD_CONCURRENCY: String(this.#checksOf(number)),
      UV_THREADPOOL_SIZE: String(threadsFor(count)),
    }
  }

  #checksOf(number: number): number {
    return shareOf(this.#options.config.PASSWORD_CONCURRENCY, this.#options.count, number)
  }

  #tell(message: FromPrimary): void {
    for (const worker of this.workers) {
      if (worker.isConnected()) worker.send(message, undefined, () => undefined)
    }
  }

  #kill(): void {
    for (const worker of this.workers) worker.process.kill('SIGKILL')
  }
}

const notStarted = () => new StartError('A worker did not start: its reason stands above.')

const gone = (worker: Worker): Promise<void> =>
  new Promise((resolve) => {
    if (worker.isDead()) resolve()
    else worker.once('exit', () => resolve())
  })
