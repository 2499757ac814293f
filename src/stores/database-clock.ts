import type { Pool } from 'pg'
import { every } from '../clock.ts'
import { isUnavailable } from './unavailable.ts'

/** The time sources of a clock, in milliseconds. Tests provide their own. */
interface ClockSources {
  /** PostgreSQL's time, since the epoch. */
  database(): Promise<number>
  /** Since an arbitrary time; it is never adjusted. */
  monotonic(): number
  /** This machine's time, since the epoch. */
  machine(): number
}

/** PostgreSQL's time minus the monotonic time is between `low` and `high`, as of `at` (monotonic). */
interface Bounds {
  readonly low: number
  readonly high: number
  readonly at: number
}

/** Called when this machine's clock starts to differ from PostgreSQL's, and when it agrees again. */
type OnChange = (offsetSeconds: number, agrees: boolean) => void

/** Beyond this difference an instance is not ready and deletes nothing. */
export const mostOffsetSeconds = 10

/** Twice the maximum slew rate of clocks, which is 500 ppm. */
const driftPerMillisecond = 0.001

/** Rows are deleted only after a reading that is newer than this. */
const freshMilliseconds = 60_000

/**
 * PostgreSQL's clock, which all instances use (ADR 25): its last reading plus the monotonic time since. A
 * reading happens between request and response, which bound the true time. A slow reading has loose
 * bounds and changes nothing, unless it proves that the clock was set.
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

  /** True if it is safe to delete by it: the reading is recent, and this machine has the same time. */
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
    this.#notify()
  }

  #notify(): void {
    if (this.agrees === this.#agreed) return
    this.#agreed = this.agrees
    this.#onChange(this.offsetSeconds, this.#agreed)
  }

  #now(): number {
    const { low, high } = this.#bounds
    return this.#sources.monotonic() + (low + high) / 2
  }

  /** The bounds of the last reading, widened by the possible drift since. */
  #boundsNow(): Bounds {
    const { low, high, at } = this.#bounds
    const now = this.#sources.monotonic()
    const drift = (now - at) * driftPerMillisecond
    return { low: low - drift, high: high + drift, at: now }
  }
}

/** Opens a clock and reads it three times, so that one slow response does not matter. */
export async function openDatabaseClock(pool: Pool, onChange?: OnChange): Promise<DatabaseClock> {
  const sql = 'SELECT extract(epoch FROM clock_timestamp())::float8 * 1000 AS now'
  const database = async () => Number((await pool.query<{ now: number }>(sql)).rows[0]?.now)
  const monotonic = () => performance.now()
  const clock = new DatabaseClock({ database, monotonic, machine: Date.now }, onChange)
  for (let round = 0; round < 3; round += 1) await clock.read()
  return clock
}

/** Reads the clock every second. @returns a function that stops it */
export function keepReading(
  clock: DatabaseClock,
  onError: (error: unknown) => void,
): () => Promise<void> {
  return every(
    1,
    () => clock.read(),
    (error) => {
      // Other code reports an unreachable database.
      if (!isUnavailable(error)) onError(error)
    },
  )
}
