import type { Pool } from 'pg'
import { every } from '../clock.ts'
import { isUnavailable } from './unavailable.ts'

/** Where a clock gets its readings, in milliseconds; tests bring their own. */
export interface ClockSources {
  /** PostgreSQL's time, since the epoch. */
  database(): Promise<number>
  /** Since some moment in the past, never set. */
  monotonic(): number
  /** This machine's time, since the epoch. */
  machine(): number
}

/** PostgreSQL's time minus the monotonic one lies between `low` and `high`, as of `at` (monotonic). */
interface Bounds {
  readonly low: number
  readonly high: number
  readonly at: number
}

/** Told when this machine's clock begins to differ from PostgreSQL's, and when it agrees again. */
type OnChange = (offsetSeconds: number, agrees: boolean) => void

/** Beyond this difference an instance is not ready and deletes nothing. */
export const mostOffsetSeconds = 10

/** Clocks are slewed by at most 500 ppm; twice that is allowed for. */
const driftPerMillisecond = 0.001

/** A reading older than this is not enough to delete by. */
const freshMilliseconds = 60_000

/**
 * PostgreSQL's clock, which all instances decide by (ADR 25): its last reading, and the monotonic time
 * since. A reading was made between sending and receiving, so that each bounds the truth; a slow one
 * bounds it loosely and changes nothing, unless it proves that the clock was set.
 */
export class DatabaseClock {
  readonly #sources: ClockSources
  readonly #onChange: OnChange
  #bounds: Bounds = { low: -Infinity, high: Infinity, at: 0 }
  #agreed = true

  constructor(sources: ClockSources, onChange: OnChange = () => undefined) {
    this.#sources = sources
    this.#onChange = onChange
  }

  readonly now = (): Date => new Date(this.#now())

  /** This machine's clock minus that of PostgreSQL. */
  get offsetSeconds(): number {
    return (this.#sources.machine() - this.#now()) / 1000
  }

  /** False once the two clocks are known to differ by more than `mostOffsetSeconds`. */
  get agrees(): boolean {
    const { low, high } = this.#boundsNow()
    return Math.abs(this.offsetSeconds) - (high - low) / 2000 <= mostOffsetSeconds
  }

  /** Whether deleting by it is safe: it was read lately, and this machine has the same time. */
  get isCertain(): boolean {
    const { low, high } = this.#boundsNow()
    const age = this.#sources.monotonic() - this.#bounds.at
    const most = Math.abs(this.offsetSeconds) + (high - low) / 2000
    return age <= freshMilliseconds && most <= mostOffsetSeconds
  }

  /** Reads PostgreSQL's clock once. */
  async read(): Promise<void> {
    const { monotonic, database } = this.#sources
    const sent = monotonic()
    const time = await database()
    const received = monotonic()
    const known = this.#boundsNow()
    const low = Math.max(known.low, time - received)
    const high = Math.min(known.high, time - sent)
    const isSet = low > high
    this.#bounds = isSet
      ? { low: time - received, high: time - sent, at: received }
      : { low, high, at: received }
    this.#tell()
  }

  #tell(): void {
    if (this.agrees === this.#agreed) return
    this.#agreed = this.agrees
    this.#onChange(this.offsetSeconds, this.#agreed)
  }

  #now(): number {
    const { low, high } = this.#bounds
    return this.#sources.monotonic() + (low + high) / 2
  }

  /** What was known at the last reading, less sure with every second since. */
  #boundsNow(): Bounds {
    const { low, high, at } = this.#bounds
    const now = this.#sources.monotonic()
    const drift = (now - at) * driftPerMillisecond
    return { low: low - drift, high: high + drift, at: now }
  }
}

/** Read three times, so that one slow answer does not matter. */
export async function openDatabaseClock(pool: Pool, onChange?: OnChange): Promise<DatabaseClock> {
  const sql = 'SELECT extract(epoch FROM clock_timestamp())::float8 * 1000 AS now'
  const database = async () => Number((await pool.query<{ now: number }>(sql)).rows[0]?.now)
  const monotonic = () => performance.now()
  const clock = new DatabaseClock({ database, monotonic, machine: Date.now }, onChange)
  for (let round = 0; round < 3; round += 1) await clock.read()
  return clock
}

/** Reads it each second. @returns stops that */
export function keepReading(
  clock: DatabaseClock,
  onError: (error: unknown) => void,
): () => Promise<void> {
  return every(
    1,
    () => clock.read(),
    (error) => {
      // Everything else meets a database that is away as well, and says so.
      if (!isUnavailable(error)) onError(error)
    },
  )
}
