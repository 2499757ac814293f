import { UnavailableError } from '../errors.ts'
import { outageOf } from '../stores/unavailable.ts'
import type { Log } from '../telemetry/log.ts'

/** The pause after a line with a stack, for each cause. */
const pauseMilliseconds = 60_000

/**
 * Logs why the database does not answer, with the message and the stack of one error, at most once a minute
 * for each cause. In an outage every request fails, and its own line has the cause alone.
 */
export class OutageLog {
  readonly #log: Log
  /** When each cause was logged, and how many requests it has failed since. */
  readonly #seen = new Map<string, { at: number; requests: number }>()

  constructor(log: Log) {
    this.#log = log
  }

  note(error: unknown): void {
    // Not the database: the part that failed has its own line.
    if (error instanceof UnavailableError) return
    const { cause, advice } = outageOf(error)
    const now = performance.now()
    const seen = this.#seen.get(cause)
    const requests = (seen?.requests ?? 0) + 1
    if (seen && now - seen.at < pauseMilliseconds) {
      seen.requests = requests
      return
    }
    this.#seen.set(cause, { at: now, requests: 0 })
    this.#log.error(
      { cause, advice, requests, err: error },
      'requests fail because of the database',
    )
  }
}
