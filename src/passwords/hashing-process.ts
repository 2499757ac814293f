import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import type { Log } from '../telemetry/log.ts'
import type { Argon2Parameters } from './argon2-hashes.ts'
import type { Hashing } from './hashing.ts'
import { advice, type LaunchOptions, launch, nameOf } from './hashing-launch.ts'
import type { Asked, Job, Result, Said } from './hashing-messages.ts'

export interface HashingProcessOptions extends LaunchOptions {
  readonly log: Log
  /** A job without an answer for so long: the process hangs. Far beyond what any hash may cost. */
  readonly patienceSeconds?: number
}

/** Nobody is answered by now, and perhaps somebody will be later: to a caller it is 503. */
export class HashingUnavailableError extends Error {
  override readonly name = 'HashingUnavailableError'
  /** stores/unavailable.ts knows it. */
  readonly code = 'PASSWORD_PROCESS_AWAY'
}

interface Waiting {
  readonly asked: Asked
  readonly resolve: (result: Result) => void
  readonly reject: (error: Error) => void
  deaths: number
  late?: NodeJS.Timeout
}

/** One that dies at once each time must not take the machine with it. */
const leastLifeMilliseconds = 1_000

/**
 * Costly hashes in a process of their own, which the kernel lets wait for this one (ADR 21). It is
 * started with the first password. When it dies, what it had under way is given once to another one.
 */
export class HashingProcess implements Hashing {
  /** While an answer goes one way and the next question the other, a core would do nothing. */
  readonly ahead = 1
  readonly #options: HashingProcessOptions
  readonly #waiting = new Map<number, Waiting>()
  #child: ChildProcess | undefined
  #startedAt = Number.NEGATIVE_INFINITY
  #start: NodeJS.Timeout | undefined
  #lastId = 0
  #deaths = 0
  #isClosed = false
  #saidPriority = false

  constructor(options: HashingProcessOptions) {
    this.#options = options
  }

  get deaths(): number {
    return this.#deaths
  }

  async verify(passwordHash: string, password: string, own: Argon2Parameters): Promise<boolean> {
    return (await this.#ask({ kind: 'verify', passwordHash, password, own })) === true
  }

  async hash(password: string, cost: Argon2Parameters): Promise<string> {
    return String(await this.#ask({ kind: 'hash', password, cost }))
  }

  async whyGuessable(password: string, personal: readonly string[]): Promise<string | undefined> {
    const why = await this.#ask({ kind: 'strength', password, personal })
    return typeof why === 'string' ? why : undefined
  }

  /** Whoever still waits is told so: nobody does after a server has drained. */
  async close(): Promise<void> {
    this.#isClosed = true
    clearTimeout(this.#start)
    const child = this.#child
    this.#child = undefined
    for (const waiting of this.#waiting.values()) this.#refuse(waiting, 'the server stops')
    if (child?.pid === undefined) return
    const exit = once(child, 'exit')
    child.kill('SIGKILL')
    await exit
  }

  #ask(job: Job): Promise<Result> {
    return new Promise((resolve, reject) => {
      this.#lastId += 1
      const asked = { id: this.#lastId, job }
      const waiting: Waiting = { asked, resolve, reject, deaths: 0 }
      this.#waiting.set(asked.id, waiting)
      if (this.#isClosed) this.#refuse(waiting, 'the server stops')
      else if (this.#child) this.#send(this.#child, waiting)
      else this.#startSoon()
    })
  }

  #startSoon(): void {
    if (this.#start) return
    const milliseconds = this.#startedAt + leastLifeMilliseconds - performance.now()
    if (milliseconds <= 0) this.#startNow()
    else this.#start = setTimeout(() => this.#startNow(), milliseconds)
  }

  #startNow(): void {
    this.#start = undefined
    this.#startedAt = performance.now()
    try {
      this.#child = launch(this.#options)
      this.#listen(this.#child)
    } catch (error) {
      this.#ended(this.#child, nameOf(error as Error))
    }
  }

  #listen(child: ChildProcess): void {
    let reason: string | undefined
    child.on('error', (error) => this.#ended(child, nameOf(error)))
    child.once('exit', (code, signal) =>
      this.#ended(child, reason ?? signal ?? `exit code ${code}`),
    )
    child.on('message', (said: Said) => {
      if (said.said === 'not ready') reason = said.reason
      else if (this.#child === child) this.#heard(said)
    })
    // Without a number it was never there: why is said in a moment.
    if (child.pid === undefined) return
    this.#options.log.info({ pid: child.pid }, 'passwords are checked by a process of their own')
    for (const waiting of this.#waiting.values()) this.#send(child, waiting)
  }

  #send(child: ChildProcess, waiting: Waiting): void {
    const { patienceSeconds = 30 } = this.#options
    const late = () => this.#ended(child, `it gave no answer for ${patienceSeconds} s`)
    waiting.late = setTimeout(late, patienceSeconds * 1000)
    child.send(waiting.asked, undefined, undefined, (error) => {
      if (error) this.#ended(child, nameOf(error))
    })
  }

  #heard(said: Said): void {
    if (said.said === 'ready' && said.priorityRefused && !this.#saidPriority) {
      this.#saidPriority = true
      const facts = { why: said.priorityRefused }
      const text = 'the process that checks passwords keeps the usual priority: a flood of sign-ins'
      this.#options.log.warn(facts, `${text} will slow down everything else`)
    }
    if (said.said !== 'done' && said.said !== 'failed') return
    const waiting = this.#taken(said.id)
    if (said.said === 'done') waiting?.resolve(said.result)
    else waiting?.reject(new Error(`a password could not be checked: ${said.reason}`))
  }

  #taken(id: number): Waiting | undefined {
    const waiting = this.#waiting.get(id)
    clearTimeout(waiting?.late)
    this.#waiting.delete(id)
    return waiting
  }

  #refuse({ asked: { id } }: Waiting, why: string): void {
    this.#taken(id)?.reject(new HashingUnavailableError(`no process checks passwords: ${why}`))
  }

  /** Several things may say so of one process, and it may be alive after all of them. */
  #ended(child: ChildProcess | undefined, why: string): void {
    if (this.#child !== child || this.#isClosed) return
    this.#child = undefined
    if (child?.pid !== undefined) child.kill('SIGKILL')
    this.#deaths += 1
    const facts = { pid: child?.pid, why, underWay: this.#waiting.size }
    this.#options.log.error(facts, `the process that checks passwords has died: ${advice(why)}`)
    for (const waiting of this.#waiting.values()) {
      clearTimeout(waiting.late)
      waiting.deaths += 1
      if (waiting.deaths > 1) this.#refuse(waiting, why)
    }
    if (this.#waiting.size > 0) this.#startSoon()
  }
}
