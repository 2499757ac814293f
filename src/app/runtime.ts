import type { Knex } from 'knex'
import type { Pool } from 'pg'
import type { Now } from '../clock.ts'
import type { Config } from '../config/config.ts'
import type { MasterKeys } from '../keyring/master-keys.ts'
import type { Hashing } from '../passwords/hashing.ts'
import type { DatabaseClock } from '../stores/database-clock.ts'
import type { FullDisk } from '../stores/postgres.ts'
import type { RedisClient } from '../stores/redis.ts'
import type { Log } from '../telemetry/log.ts'
import type { DelayLimits, Limits } from '../throttle/limits.ts'

/** What the outside world lends the server. main opens it for real, a test opens its own. */
export interface Runtime {
  readonly config: Config
  readonly db: Knex
  readonly pool: Pool
  readonly fullDisk?: FullDisk
  readonly redis: RedisClient | undefined
  readonly masterKeys: MasterKeys
  readonly now: Now
  /** What `now` follows, and whether this machine's clock agrees. Absent where a test moves the clock. */
  readonly databaseClock?: DatabaseClock
  readonly log: Log
  /** Where costly hashes are computed, if not in this process. */
  readonly hashing?: Hashing
  /** Other limits than those of throttle/limits.ts: for tests that try much. */
  readonly limits?: Partial<Limits>
  readonly delays?: DelayLimits
}

export const daySeconds = 86_400
