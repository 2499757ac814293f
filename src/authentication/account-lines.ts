import { FairQueue } from '../throttle/fair-queue.ts'
import { addressOf } from '../throttle/networks.ts'
import type { ThrottledError } from '../throttle/throttled.ts'

/** Fewer than the failures that cost no delay, so that right passwords alone never meet one. */
const places = 4

/** Beyond so many for one account a caller is refused at once. */
const longestLine = 64

/** Beyond so many in all lines the address with the most of them gives up one, or gets no more. */
const mostWaiting = 1024

interface Waiting {
  /** The delay that it met: it goes on only after a success, which forgets all failures. */
  readonly met: ThrottledError | undefined
  start(): void
  refuse(error?: ThrottledError): void
}

interface Line {
  underWay: number
  successes: number
  readonly waiting: Waiting[]
}

interface Options {
  readonly waitSeconds: number
  readonly isDelay: (error: unknown) => error is ThrottledError
  /** Said to a caller for whom there is no room or no time. */
  readonly busy: () => ThrottledError
}

/**
 * Attempts of one account wait for each other, in one instance. Each counts as a failure until its
 * password was right, so of many right ones at once the later ones would be refused as guesses. No
 * guess is let through by waiting: an attempt that met a delay is tried again only after a success, and
 * when all that are under way have failed, everybody in line is refused.
 */
export class AccountLines {
  readonly #options: Options
  readonly #lines = new Map<string, Line>()
  /** All that wait in any line, by address. */
  readonly #waiting = new FairQueue<Waiting>()

  constructor(options: Options) {
    this.#options = options
  }

  /** How many attempts wait in all lines. */
  get waiting(): number {
    return this.#waiting.size
  }

  /**
   * @param ip who asks; no address keeps the waiting places from the others
   * @param work throws Throttled while the account has a delay, and may then be called again;
   *   undefined is a failure
   * @throws Throttled
   */
  async attempt<T>(
    key: string,
    ip: string,
    work: () => Promise<T | undefined>,
  ): Promise<T | undefined> {
    const source = addressOf(ip)
    const line = this.#lines.get(key) ?? { underWay: 0, successes: 0, waiting: [] }
    this.#lines.set(key, line)
    if (line.underWay < places && line.waiting.length === 0) line.underWay += 1
    else await this.#wait(line, source)
    let outcome: T | undefined
    let delay: ThrottledError | undefined
    try {
      outcome = await this.#untilNoDelay(line, source, work)
      return outcome
    } catch (error) {
      if (this.#options.isDelay(error)) delay = error
      throw error
    } finally {
      this.#leave(key, line, outcome !== undefined, delay)
    }
  }

  async #untilNoDelay<T>(line: Line, source: string, work: () => Promise<T>): Promise<T> {
    for (;;) {
      const { successes } = line
      try {
        return await work()
      } catch (error) {
        if (!this.#options.isDelay(error)) throw error
        if (line.successes > successes) continue
        // No attempt is left whose success could end the delay.
        if (line.underWay === 1) throw error
        await this.#stepBack(line, source, error)
      }
    }
  }

  async #stepBack(line: Line, source: string, met: ThrottledError): Promise<void> {
    line.underWay -= 1
    try {
      await this.#wait(line, source, met)
    } catch (error) {
      line.underWay += 1
      throw error
    }
  }

  /** The caller that starts it gives it a place. */
  async #wait(line: Line, source: string, met?: ThrottledError): Promise<void> {
    const { waitSeconds, busy } = this.#options
    if (line.waiting.length >= longestLine || !this.#makeRoom(source)) throw met ?? busy()
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
      const refuse = (error = met ?? busy()) => {
        end()
        reject(error)
      }
      const waiting: Waiting = { met, start, refuse }
      const deadline = setTimeout(refuse, waitSeconds * 1000)
      if (met) line.waiting.unshift(waiting)
      else line.waiting.push(waiting)
      this.#waiting.push(source, waiting)
    })
  }

  #makeRoom(source: string): boolean {
    if (this.#waiting.size < mostWaiting) return true
    const displaced = this.#waiting.displace(source)
    // It is in the queue no more, and leaves its line.
    displaced?.refuse()
    return displaced !== undefined
  }

  #leave(key: string, line: Line, succeeded: boolean, delay: ThrottledError | undefined): void {
    line.underWay -= 1
    if (succeeded) line.successes += 1
    const met = succeeded ? undefined : (delay ?? line.waiting[0]?.met)
    if (!met) this.#start(line)
    else if (line.underWay === 0) for (const one of [...line.waiting]) one.refuse(met)
    if (line.underWay > 0 || line.waiting.length > 0) return
    // An attempt that was refused in line leaves later, and may find another line in its place.
    if (this.#lines.get(key) === line) this.#lines.delete(key)
  }

  #start(line: Line): void {
    while (line.underWay < places) {
      const next = line.waiting[0]
      if (!next) return
      line.underWay += 1
      next.start()
    }
  }
}
