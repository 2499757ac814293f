import { FairQueue } from '../throttle/fair-queue.ts'
import { addressOf } from '../throttle/networks.ts'
import { Admission } from './admission.ts'

/** Too many at once: the caller should come back in so many seconds. */
export class OverloadedError extends Error {
  override readonly name = 'OverloadedError'
  readonly retryAfterSeconds: number

  constructor(retryAfterSeconds: number) {
    super('too many password checks are waiting')
    this.retryAfterSeconds = retryAfterSeconds
  }
}

export interface BulkheadOptions {
  /** How many jobs run at once. */
  readonly concurrency: number
  /** A job that would wait longer than this is refused, in seconds. */
  readonly queueSeconds: number
}

interface Waiting {
  start(): void
  giveUp(): void
}

/** However quick jobs are thought to be, the queue has a bound: 1000 a second for each place. */
const leastJobSeconds = 0.001

/**
 * So few under way are let in however late they are: they wait for each other and not for a flood. One
 * stall of the machine would else refuse a handful of callers who ask again at once, again and again.
 */
const leastUnderWay = 16

/**
 * A wall around costly work: a bounded number at once, a bounded wait, and beyond that a refusal.
 * Memory stays bounded, and what is not costly is never starved by what is. Each address has a line
 * of its own and they are served in turn, so that nobody's flood takes the places of the others.
 */
export class Bulkhead {
  readonly #options: BulkheadOptions
  readonly #queue = new FairQueue<Waiting>()
  readonly #admission: Admission
  #running = 0
  #refusals = 0
  /** How long a job takes, in seconds: a moving average, to refuse at once what could only time out. */
  #jobSeconds = 0.02

  constructor(options: BulkheadOptions) {
    this.#options = options
    this.#admission = new Admission({
      targetSeconds: options.queueSeconds,
      least: Math.max(leastUnderWay, 2 * options.concurrency),
    })
  }

  get running(): number {
    return this.#running
  }

  get waiting(): number {
    return this.#queue.size
  }

  /** Jobs and work that were refused, since the beginning. */
  get refusals(): number {
    return this.#refusals
  }

  /**
   * Work that will come to a job later, let in only if that has a chance: who would be refused anyway
   * learns it before anything was looked up for them, so that a flood costs next to nothing.
   * @throws Overloaded
   */
  async admit<T>(work: () => Promise<T>, ip?: string): Promise<T> {
    const { concurrency, queueSeconds } = this.#options
    const admission = this.#admission
    const isLong = this.#secondsFor(admission.underWay - concurrency + 1) > queueSeconds
    if (admission.isFull || isLong) {
      if (!this.#queue.mayDisplace(sourceOf(ip))) throw this.#overloaded()
    }
    const beganAt = performance.now() / 1000
    admission.began()
    try {
      return await work()
    } finally {
      admission.ended(beganAt, performance.now() / 1000)
    }
  }

  /**
   * @param ip who asks; those without an address share a line
   * @throws Overloaded when the job would wait, or has waited, longer than `queueSeconds`, or when it
   *   gave way to an address that waits for less
   */
  async run<T>(job: () => Promise<T>, ip?: string): Promise<T> {
    if (this.#running >= this.#options.concurrency) await this.#turn(sourceOf(ip))
    else this.#running += 1
    const startedAt = performance.now()
    try {
      return await job()
    } finally {
      const seconds = (performance.now() - startedAt) / 1000
      this.#jobSeconds += (Math.max(leastJobSeconds, seconds) - this.#jobSeconds) / 16
      // The place passes straight to the next in line, so that nobody can slip in between.
      const next = this.#queue.shift()
      if (next) next.start()
      else this.#running -= 1
    }
  }

  async #turn(source: string): Promise<void> {
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

  /** Not everybody at the same moment: those who are refused together come back apart. */
  #overloaded(): OverloadedError {
    const seconds = Math.max(1, Math.ceil(this.#options.queueSeconds))
    this.#refusals += 1
    return new OverloadedError(seconds + (this.#refusals % (seconds + 1)))
  }
}

const sourceOf = (ip: string | undefined): string => (ip === undefined ? '' : addressOf(ip))
