/** Too many at once: the caller should come back in so many seconds. */
export class Overloaded extends Error {
  override readonly name = 'Overloaded'
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

/**
 * A wall around costly work: a bounded number at once, a bounded wait, and beyond that a refusal.
 * Memory stays bounded, and what is not costly is never starved by what is.
 */
export class Bulkhead {
  readonly #options: BulkheadOptions
  readonly #queue: Waiting[] = []
  #running = 0
  /** How long a job takes, in seconds: a moving average, to refuse at once what could only time out. */
  #jobSeconds = 0.02

  constructor(options: BulkheadOptions) {
    this.#options = options
  }

  get running(): number {
    return this.#running
  }

  get waiting(): number {
    return this.#queue.length
  }

  /** @throws Overloaded when the job would wait, or has waited, longer than `queueSeconds` */
  async run<T>(job: () => Promise<T>): Promise<T> {
    if (this.#running >= this.#options.concurrency) await this.#turn()
    else this.#running += 1
    const startedAt = performance.now()
    try {
      return await job()
    } finally {
      this.#jobSeconds += ((performance.now() - startedAt) / 1000 - this.#jobSeconds) / 16
      // The place passes straight to the next in line, so that nobody can slip in between.
      const next = this.#queue.shift()
      if (next) next.start()
      else this.#running -= 1
    }
  }

  #turn(): Promise<void> {
    const { concurrency, queueSeconds } = this.#options
    const expectedSeconds = ((this.#queue.length + 1) * this.#jobSeconds) / concurrency
    if (expectedSeconds > queueSeconds) throw this.#overloaded()
    return new Promise((resolve, reject) => {
      const waiting: Waiting = {
        start: () => {
          clearTimeout(deadline)
          resolve()
        },
        giveUp: () => {
          this.#queue.splice(this.#queue.indexOf(waiting), 1)
          reject(this.#overloaded())
        },
      }
      const deadline = setTimeout(waiting.giveUp, queueSeconds * 1000)
      this.#queue.push(waiting)
    })
  }

  #overloaded(): Overloaded {
    return new Overloaded(Math.max(1, Math.ceil(this.#options.queueSeconds)))
  }
}
