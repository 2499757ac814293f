import type { Worker } from 'node:cluster'
import { readFileSync } from 'node:fs'
import type { Log } from '../../telemetry/log.ts'

/** How often a worker reports that its event loop runs, and how often the primary checks. */
export const tickMilliseconds = 1_000

/** Far longer than any burst of work, and no longer than callers wait. */
export const usualSilentSeconds = 15

interface Dependencies {
  readonly log: Log
  /** A worker that is silent for this long is killed. */
  readonly silentSeconds: number
}

type Watched = { readonly process: Pick<Worker['process'], 'pid' | 'kill'> }

interface Watch {
  readonly worker: Watched
  /** Ticks of the primary, each on time, without a message of the worker. */
  silentTicks: number
  /** True after a warning was logged, so that the worker's recovery is logged too. */
  warned: boolean
}

/**
 * Kills workers whose event loop hangs (ADR 20): to the kernel they are alive, and the connections that
 * they accepted would wait for ever. Workers report every second. Killing a healthy worker is the worse
 * error, so silence counts only while the primary itself is on time; after a pause of the machine all
 * counts start again. One worker is killed at a time, and then the others get the whole time again.
 */
export class Heartbeat {
  readonly #deps: Dependencies
  readonly #watches = new Map<number, Watch>()
  readonly #hung = new WeakSet<Watched>()
  #killed = 0
  #tickedAt: number | undefined
  #timer: NodeJS.Timeout | undefined

  constructor(deps: Dependencies) {
    this.#deps = deps
  }

  /** How many workers were killed. */
  get killed(): number {
    return this.#killed
  }

  start(): void {
    this.#timer = setInterval(() => this.tick(performance.now()), tickMilliseconds).unref()
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  /** Starts to watch a worker at its first message: how long its start takes is unknown. */
  heard(number: number, worker: Watched): void {
    const warned = this.#watches.get(number)?.warned ?? false
    this.#watches.set(number, { worker, silentTicks: 0, warned: false })
    if (!warned) return
    const facts = factsOf(number, worker)
    this.#deps.log.warn(facts, 'a worker answers again: something blocked its event loop')
  }

  /** @returns whether it was killed here */
  gone(number: number, worker: Watched): boolean {
    this.#watches.delete(number)
    return this.#hung.has(worker)
  }

  /** @param at milliseconds of a monotonic clock */
  tick(at: number): void {
    const late = at - (this.#tickedAt ?? at) >= 2 * tickMilliseconds
    this.#tickedAt = at
    if (late) this.#reset()
    for (const [number, watch] of this.#watches) {
      watch.silentTicks += late ? 0 : 1
      const { worker, silentTicks } = watch
      const facts = { ...factsOf(number, worker), silentSeconds: silentTicks }
      if (silentTicks >= this.#warnAfter && !watch.warned) {
        watch.warned = true
        this.#deps.log.warn(facts, 'a worker is silent')
      }
      if (silentTicks >= this.#deps.silentSeconds) this.#kill(number, worker, facts)
    }
  }

  #kill(number: number, worker: Watched, facts: object): void {
    this.#deps.log.error({ ...facts, ...stateOf(worker) }, 'a worker hangs and is killed')
    this.#watches.delete(number)
    this.#hung.add(worker)
    this.#killed += 1
    // A hung event loop cannot handle SIGTERM.
    worker.process.kill('SIGKILL')
    this.#reset()
  }

  get #warnAfter(): number {
    return Math.ceil(this.#deps.silentSeconds / 5)
  }

  #reset(): void {
    for (const watch of this.#watches.values()) watch.silentTicks = 0
  }
}

const factsOf = (number: number, { process: { pid } }: Watched) => ({ worker: number, pid })

const meanings: Readonly<Record<string, string>> = {
  R: 'it computes: an endless loop, or far too much work at once',
  S: 'it waits in a blocking call',
  D: 'it waits for a disk: is the machine short of memory?',
  T: 'it was stopped with a signal',
  t: 'a debugger holds it',
}

/** The process state that Linux reports; empty elsewhere. */
function stateOf({ process: { pid } }: Watched): { readonly state?: string } {
  try {
    const [letter = ''] = /(?<=\) )\S/.exec(readFileSync(`/proc/${pid}/stat`, 'utf8')) ?? []
    return { state: meanings[letter] ?? letter }
  } catch {
    return {}
  }
}
