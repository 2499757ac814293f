import type { Throttled } from './throttled.ts'

/** Fewer than the failures that cost no delay, so that right passwords alone never meet one. */
const places = 4

/** Beyond so many for one account a caller is refused at once. */
const longestLine = 64

interface Waiting {
  /** The delay that it met: it goes on only after a success, which forgets all failures. */
  readonly met: Throttled | undefined
  start(): void
  refuse(error: Throttled): void
}

interface Line {
  underWay: number
  successes: number
  readonly waiting: Waiting[]
}

interface Options {
  readonly waitSeconds: number
  readonly isDelay: (error: unknown) => error is Throttled
  /** Said to a caller for whom there is no room or no time. */
  readonly busy: () => Throttled
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

  constructor(options: Options) {
    this.#options = options
  }

  /**
   * @param take throws Throttled while the account has a delay
   * @param use undefined is a failure
   * @throws Throttled
   */
  async attempt<Turn, T>(
    key: string,
    take: () => Promise<Turn>,
    use: (turn: Turn) => Promise<T | undefined>,
  ): Promise<T | undefined> {
    const line = this.#lines.get(key) ?? { underWay: 0, successes: 0, waiting: [] }
    this.#lines.set(key, line)
    if (line.underWay < places && line.waiting.length === 0) line.underWay += 1
    else await this.#wait(line, undefined)
    let outcome: T | undefined
    let delay: Throttled | undefined
    try {
      outcome = await use(await this.#turn(line, take))
      return outcome
    } catch (error) {
      if (this.#options.isDelay(error)) delay = error
      throw error
    } finally {
      this.#leave(key, line, outcome !== undefined, delay)
    }
  }

  async #turn<Turn>(line: Line, take: () => Promise<Turn>): Promise<Turn> {
    for (;;) {
      const { successes } = line
      try {
        return await take()
      } catch (error) {
        if (!this.#options.isDelay(error)) throw error
        if (line.successes > successes) continue
        // Nobody is left whose success could end the delay.
        if (line.underWay === 1) throw error
        await this.#stepBack(line, error)
      }
    }
  }

  async #stepBack(line: Line, met: Throttled): Promise<void> {
    line.underWay -= 1
    try {
      await this.#wait(line, met)
    } catch (error) {
      line.underWay += 1
      throw error
    }
  }

  /** Whoever starts it gives it a place. */
  #wait(line: Line, met: Throttled | undefined): Promise<void> {
    const { waitSeconds, busy } = this.#options
    return new Promise((resolve, reject) => {
      if (line.waiting.length >= longestLine) return reject(met ?? busy())
      const refuse = (error: Throttled) => {
        clearTimeout(deadline)
        reject(error)
      }
      const start = () => {
        clearTimeout(deadline)
        resolve()
      }
      const waiting: Waiting = { met, start, refuse }
      const deadline = setTimeout(() => {
        line.waiting.splice(line.waiting.indexOf(waiting), 1)
        reject(met ?? busy())
      }, waitSeconds * 1000)
      if (met) line.waiting.unshift(waiting)
      else line.waiting.push(waiting)
    })
  }

  #leave(key: string, line: Line, succeeded: boolean, delay: Throttled | undefined): void {
    line.underWay -= 1
    if (succeeded) line.successes += 1
    const met = succeeded ? undefined : (delay ?? line.waiting[0]?.met)
    if (!met) this.#start(line)
    else if (line.underWay === 0) for (const one of line.waiting.splice(0)) one.refuse(met)
    if (line.underWay === 0 && line.waiting.length === 0) this.#lines.delete(key)
  }

  #start(line: Line): void {
    while (line.underWay < places) {
      const next = line.waiting.shift()
      if (!next) return
      line.underWay += 1
      next.start()
    }
  }
}
