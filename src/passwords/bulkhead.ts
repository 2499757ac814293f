import { FairQueue } from '../throttle/fair-queue.ts'
import { addressOf } from '../throttle/networks.ts'
import { Admission } from './admission.ts'

/** Too many password checks are waiting; the caller should retry after `retryAfterSeconds`. */
export class OverloadedError extends Error {
  override readonly name = 'OverloadedError'
  readonly retryAfterSeconds: number

  constructor(retryAfterSeconds: number) {
    super('too many password checks are waiting')
    this.retryAfterSeconds = retryAfterSeconds
  }
}

interface Options {
  /** Number of jobs that run at once. */
  readonly concurrency: number
  /** A job that would wait longer than this is refused. */
  readonly queueSeconds: number
}

interface Waiting {
  start(): void
  giveUp(): void
}

/** Bounds the queue however quick jobs seem to be: 1000 a second for each place. */
const leastJobSeconds = 0.001

/**
 * This much work is admitted however late it is: it waits for itself and not for a flood. Otherwise one
 * stall of the machine would refuse a handful of callers who retry at once, again and again.
 */
const leastAdmitted = 16

/**
 * Isolates costly work: a bounded number of jobs at once, a bounded wait, and beyond that a refusal.
 * Memory stays bounded, and cheap work is never starved by costly work. Each address has a queue of
 * its own and the queues are served in turn, so that no flood takes the places of other callers.
 */
export class Bulkhead {
  readonly #options: Options
  readonly #queue = new FairQueue<Waiting>()
  readonly #admission: Admission
  #running = 0
  #refusals = 0
  /** Moving average of a job's duration, to refuse at once a job that could only time out. */
  #jobSeconds = 0.02

  constructor(options: Options) {
    this.#options = options
    this.#admission = new Admission({
      targetSeconds: options.queueSeconds,
      least: Math.max(leastAdmitted, 2 * options.concurrency),
    })
  }

  get running(): number {
    return this.#running
  }

  get waiting(): number {
    return this.#queue.size
  }

  /**
   * Admits work that will lead to a job later, only if that job has a chance: a caller who would be
   * refused anyway is refused before anything was looked up, so that a flood costs next to nothing.
   * Disposing of the admission ends the work.
   * @throws OverloadedError
   */
  enter(ip?: string): Disposable {
    const { concurrency, queueSeconds } = this.#options
    const admission = this.#admission
    const isLong = this.#secondsFor(admission.running - concurrency + 1) > queueSeconds
    if (admission.isFull || isLong) {
      if (!this.#queue.mayDisplace(sourceOf(ip))) throw this.#overloaded()
    }
    const beganAt = performance.now() / 1000
    admission.began()
    return { [Symbol.dispose]: () => admission.ended(beganAt, performance.now() / 1000) }
  }

  /**
   * @param ip the caller; callers without an address share a queue
   * @throws OverloadedError when the job would wait, or has waited, longer than `queueSeconds`, or when
   *   it gave way to an address with fewer waiting jobs
   */
  async run<T>(job: () => Promise<T>, ip?: string): Promise<T> {
    if (this.#running >= this.#options.concurrency) await this.#wait(sourceOf(ip))
    else this.#running += 1
    const startedAt = performance.now()
    try {
      return await job()
    } finally {
      const seconds = (performance.now() - startedAt) / 1000
      this.#jobSeconds += (Math.max(leastJobSeconds, seconds) - this.#jobSeconds) / 16
      // The place passes straight to the next job, so that no other can slip in between.
      const next = this.#queue.shift()
      if (next) next.start()
      else this.#running -= 1
    }
  }

  async #wait(source: string): Promise<void> {
    const { queueSeconds } = this.#options
    if (this.#secondsFor(this.#queue.size + 1) > queueSeconds) {
      const displaced = this.#queue.displace(source)
      if (!displaced) throw this.#overloaded()
      displaced.giveUp()
    }
    return new Promise((resolve, reject) => {
      const giveUp = () => {
        clearTimeout(deadline)
        reject(this.#overloaded())
      }
      const start = () => {
        clearTimeout(deadline)
        resolve()
      }
      const waiting: Waiting = { start, giveUp }
      const deadline = setTimeout(() => {
        this.#queue.remove(source, waiting)
        giveUp()
      }, queueSeconds * 1000)
      this.#queue.push(source, waiting)
    })
  }

  #secondsFor(jobs: number): number {
    return (jobs * this.#jobSeconds) / this.#options.concurrency
  }

  /** Spreads the retries of callers who are refused together. */
  #overloaded(): OverloadedError {
    const seconds = Math.max(1, Math.ceil(this.#options.queueSeconds))
    this.#refusals += 1
    return new OverloadedError(seconds + (this.#refusals % (seconds + 1)))
  }
}

const sourceOf = (ip: string | undefined): string => (ip === undefined ? '' : addressOf(ip))
