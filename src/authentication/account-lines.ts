import { FairQueue } from '../throttle/fair-queue.ts'
import { addressOf } from '../throttle/networks.ts'
import type { ThrottledError } from '../throttle/throttled.ts'

/** Fewer than the failures that cost no delay, so that right passwords alone never meet one. */
const concurrentAttempts = 4

/** A caller is refused at once when this many already wait for one account. */
const maxWaitingPerAccount = 64

/** When this many wait in all lines, the address with the most of them gives up one, or gets no more. */
const maxWaiting = 1024

interface Waiting {
  /** The delay that this attempt met: it continues only after a success, which forgets all failures. */
  readonly metDelay: ThrottledError | undefined
  start(): void
  refuse(error?: ThrottledError): void
}

interface Line {
  running: number
  successes: number
  readonly waiting: Waiting[]
}

interface Options {
  /** How long a caller waits at most. */
  readonly waitSeconds: number
  readonly isDelay: (error: unknown) => error is ThrottledError
  /** The error for a caller who cannot wait, or has waited too long. */
  readonly busy: () => ThrottledError
}

/** A place among the running attempts of one account. Disposing of it lets the next attempt in. */
export interface Turn extends Disposable {
  /** The password was right, so the failures of the account are forgotten. */
  succeeded(): void
  /**
   * After a delay: returns when the success of another attempt has ended that delay, so that this
   * attempt can be made again.
   * @throws the error that it was given, unless it is a delay that can still end so
   */
  retryAfter(error: unknown): Promise<void>
}

/**
 * Makes attempts of one account wait for each other, within one instance. Each attempt counts as a
 * failure until its password was right, so of many right ones at once the later ones would be refused
 * as guesses. Waiting lets no guess through: an attempt that met a delay is made again only after a
 * success, and when all running attempts have failed, all waiting ones are refused.
 */
export class AccountLines {
  readonly #options: Options
  readonly #lines = new Map<string, Line>()
  /** All waiting attempts of all lines, by address. */
  readonly #waiting = new FairQueue<Waiting>()

  constructor(options: Options) {
    this.#options = options
  }

  /** Number of attempts that wait in all lines. */
  get waiting(): number {
    return this.#waiting.size
  }

  /**
   * Waits for a place among the attempts of an account.
   * @param ip the caller; no address keeps the waiting places from the others
   * @throws ThrottledError when there is no place to wait, or none became free in time
   */
  async enter(key: string, ip: string): Promise<Turn> {
    const source = addressOf(ip)
    const line = this.#lines.get(key) ?? { running: 0, successes: 0, waiting: [] }
    this.#lines.set(key, line)
    if (line.running < concurrentAttempts && line.waiting.length === 0) line.running += 1
    else await this.#wait(line, source)
    let { successes } = line
    let hasSucceeded = false
    let delay: ThrottledError | undefined
    return {
      succeeded() {
        hasSucceeded = true
      },
      retryAfter: async (error) => {
        const { isDelay } = this.#options
        if (!isDelay(error)) throw error
        delay = error
        if (line.successes === successes) {
          // No other attempt is left whose success could end the delay.
          if (line.running === 1) throw error
          await this.#stepBack(line, source, error).catch((refusal) => {
            delay = refusal
            throw refusal
          })
        }
        delay = undefined
        successes = line.successes
      },
      [Symbol.dispose]: () => this.#leave(key, line, hasSucceeded, delay),
    }
  }

  async #stepBack(line: Line, source: string, metDelay: ThrottledError): Promise<void> {
    line.running -= 1
    try {
      await this.#wait(line, source, metDelay)
    } catch (error) {
      line.running += 1
      throw error
    }
  }

  /** The caller of `start` has already counted this attempt as running. */
  async #wait(line: Line, source: string, metDelay?: ThrottledError): Promise<void> {
    const { waitSeconds, busy } = this.#options
    const isFull = line.waiting.length >= maxWaitingPerAccount
    if (isFull || !this.#makeRoom(source)) throw metDelay ?? busy()
    return new Promise((resolve, reject) => {
      const end = () => {
        clearTimeout(deadline)
        line.waiting.splice(line.waiting.indexOf(waiting), 1)
        this.#waiting.remove(source, waiting)
      }
      const start = () => {
        end()
        resolve()
      }
      const refuse = (error = metDelay ?? busy()) => {
        end()
        reject(error)
      }
      const waiting: Waiting = { metDelay, start, refuse }
      const deadline = setTimeout(refuse, waitSeconds * 1000)
      if (metDelay) line.waiting.unshift(waiting)
      else line.waiting.push(waiting)
      this.#waiting.push(source, waiting)
    })
  }

  #makeRoom(source: string): boolean {
    if (this.#waiting.size < maxWaiting) return true
    const displaced = this.#waiting.displace(source)
    // It has left the queue of its address; this takes it out of its line.
    displaced?.refuse()
    return displaced !== undefined
  }

  #leave(key: string, line: Line, hasSucceeded: boolean, delay: ThrottledError | undefined): void {
    line.running -= 1
    if (hasSucceeded) line.successes += 1
    const metDelay = hasSucceeded ? undefined : (delay ?? line.waiting[0]?.metDelay)
    if (!metDelay) this.#startNext(line)
    else if (line.running === 0) for (const one of [...line.waiting]) one.refuse(metDelay)
    if (line.running > 0 || line.waiting.length > 0) return
    // An attempt that was refused while it waited leaves later, and may find another line under its key.
    if (this.#lines.get(key) === line) this.#lines.delete(key)
  }

  #startNext(line: Line): void {
    while (line.running < concurrentAttempts) {
      const next = line.waiting[0]
      if (!next) return
      line.running += 1
      next.start()
    }
  }
}
