import type { Worker } from 'node:cluster'
import { readFileSync } from 'node:fs'
import type { Log } from '../../telemetry/log.ts'

/** How often a worker says that its event loop turns, and how often the primary looks. */
export const tickMilliseconds = 1_000

/** Far beyond any burst of work, and within what callers wait for at the longest. */
export const usualSilentSeconds = 15

interface Dependencies {
  readonly log: Log
  /** A worker that has said nothing for so long is ended. */
  readonly silentSeconds: number
}

/** All that is used of a worker. */
type Watched = { readonly process: Pick<Worker['process'], 'pid' | 'kill'> }

interface Listened {
  readonly worker: Watched
  /** Turns of the primary, each on time, in which nothing was heard. */
  silentTurns: number
  /** Told to the log, which then hears of its next word too. */
  noticed: boolean
}

/**
 * A worker whose event loop turns no more lives on for the kernel, and connections that it took wait for
 * ever. So workers speak each second, and one that is silent is ended, as if it had died. Killing a
 * healthy one is the worse mistake: time counts only while the primary itself is on time, which it is not
 * on a machine that slept or is short of everything, and then all begin anew; one is ended at a time, and
 * the others get the whole time again.
 */
export class Heartbeat {
  readonly #deps: Dependencies
  readonly #listened = new Map<number, Listened>()
  readonly #hung = new WeakSet<Watched>()
  #ended = 0
  #turnedAt: number | undefined
  #timer: NodeJS.Timeout | undefined

  constructor(deps: Dependencies) {
    this.#deps = deps
  }

  /** So many workers were ended. */
  get ended(): number {
    return this.#ended
  }

  start(): void {
    this.#timer = setInterval(() => this.tick(performance.now()), tickMilliseconds).unref()
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  /** With its first word it is listened to: how long a start takes is not known. */
  heard(number: number, worker: Watched): void {
    const noticed = this.#listened.get(number)?.noticed ?? false
    this.#listened.set(number, { worker, silentTurns: 0, noticed: false })
    if (!noticed) return
    const facts = factsOf(number, worker)
    this.#deps.log.warn(facts, 'a worker speaks again: something held up its event loop')
  }

  /** @returns whether it was ended here */
  gone(number: number, worker: Watched): boolean {
    this.#listened.delete(number)
    return this.#hung.has(worker)
  }

  /** @param at milliseconds of a clock that only goes forwards */
  tick(at: number): void {
    const late = at - (this.#turnedAt ?? at) >= 2 * tickMilliseconds
    this.#turnedAt = at
    if (late) this.#beginAnew()
    for (const [number, listened] of this.#listened) {
      listened.silentTurns += late ? 0 : 1
      const { worker, silentTurns } = listened
      const facts = { ...factsOf(number, worker), silentSeconds: silentTurns }
      if (silentTurns >= this.#noticeable && !listened.noticed) {
        listened.noticed = true
        this.#deps.log.warn(facts, 'a worker says nothing')
      }
      if (silentTurns >= this.#deps.silentSeconds) this.#end(number, worker, facts)
    }
  }

  #end(number: number, worker: Watched, facts: object): void {
    this.#deps.log.error({ ...facts, ...stateOf(worker) }, 'a worker hangs and is ended')
    this.#listened.delete(number)
    this.#hung.add(worker)
    this.#ended += 1
    // Its event loop would have to turn for it to hear SIGTERM.
    worker.process.kill('SIGKILL')
    this.#beginAnew()
  }

  get #noticeable(): number {
    return Math.ceil(this.#deps.silentSeconds / 5)
  }

  #beginAnew(): void {
    for (const listened of this.#listened.values()) listened.silentTurns = 0
  }
}

const factsOf = (number: number, { process: { pid } }: Watched) => ({ worker: number, pid })

const meanings: Readonly<Record<string, string>> = {
  R: 'it computes: a loop without end in the code, or far too much at once',
  S: 'it waits in a call that blocks',
  D: 'it waits for a disk: is the machine short of memory?',
  T: 'it was stopped with a signal',
  t: 'a debugger holds it',
}

/** What Linux knows of the process. Elsewhere nobody says. */
function stateOf({ process: { pid } }: Watched): { readonly state?: string } {
  try {
    const [letter = ''] = /(?<=\) )\S/.exec(readFileSync(`/proc/${pid}/stat`, 'utf8')) ?? []
    return { state: meanings[letter] ?? letter }
  } catch {
    return {}
  }
}
