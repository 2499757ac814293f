import type { Knex } from 'knex'
import type { Pool } from 'pg'
import type { Now } from '../clock.ts'
import type { Config } from '../config/config.ts'
import type { MasterKeys } from '../keyring/master-keys.ts'
import type { Theme } from '../pages/theme/theme.ts'
import type { Hashing } from '../passwords/hashing.ts'
import type { DatabaseClock } from '../stores/database-clock.ts'
import type { FullDisk } from '../stores/postgres.ts'
import type { RedisClient } from '../stores/redis.ts'
import type { Log } from '../telemetry/log.ts'
import type { Tracer } from '../telemetry/spans.ts'
import type { DelayLimits, Limits } from '../throttle/limits.ts'

/** Everything that a process has open: configuration, stores, keys, clock, log. A test opens its own. */
export interface Runtime {
  readonly config: Config
  readonly db: Knex
  readonly pool: Pool
  readonly fullDisk?: FullDisk
  readonly redis: RedisClient | undefined
  readonly masterKeys: MasterKeys
  readonly now: Now
  /** The clock behind `now`; absent in tests, which move their own. */
  readonly databaseClock?: DatabaseClock
  readonly log: Log
  /** Absent: nothing is traced. */
  readonly tracer?: Tracer
  /** Computes password hashes outside this process. Absent: they are computed here. */
  readonly hashing?: Hashing
  /** Replaces limits of throttle/limits.ts, for tests that make many attempts. */
  readonly limits?: Partial<Limits>
  readonly delays?: DelayLimits
  /** How the pages look; absent: as they are built in. */
  readonly theme?: Theme
}
