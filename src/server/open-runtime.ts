import { existsSync } from 'node:fs'
import { loadEnvFile } from 'node:process'
import type { Knex } from 'knex'
import type { Runtime, Services } from '../app/services.ts'
import { type Config, readConfig } from '../config/config.ts'
import { OperatorError } from '../errors.ts'
import {
  createMasterKey,
  MasterKeyError,
  type MasterKeys,
  masterKeysFrom,
  readMasterKeys,
} from '../keyring/master-keys.ts'
import { masterKeysInUse } from '../keyring/sealing.ts'
import { keepReading, mostOffsetSeconds, openDatabaseClock } from '../stores/database-clock.ts'
import type { EmbeddedPostgres } from '../stores/embedded/embedded-postgres.ts'
import { findRedis, type RedisClient } from '../stores/redis.ts'
import { type Log, openLog } from '../telemetry/log.ts'
import { fitSchema, type Notify, type Opening, openDatabase } from './open-database.ts'

/** Sets the variables of `.env` that are not set in the environment. */
export function readEnvironmentFile(): void {
  try {
    if (existsSync('.env')) loadEnvFile('.env')
  } catch (cause) {
    throw new OperatorError(`.env cannot be read: ${(cause as Error).message}`, { cause })
  }
}

/** Reads the configuration from the environment and, for variables not set there, from `.env`. */
export function loadConfig(): Config {
  readEnvironmentFile()
  return readConfig(process.env)
}

/**
 * Undefined if there is none.
 * @throws MasterKeyError for a file that other users can read, or that contains no key
 */
export async function readConfiguredMasterKeys({
  MASTER_KEYS,
  KEYS_DIR,
}: Config): Promise<MasterKeys | undefined> {
  return MASTER_KEYS ? masterKeysFrom(MASTER_KEYS) : readMasterKeys(KEYS_DIR)
}

/**
 * Reads the master keys; outside production the first start creates one.
 * @throws MasterKeyError when there is none, or none that opens the database
 */
async function openMasterKeys(config: Config, db: Knex, notify: Notify): Promise<MasterKeys> {
  const { KEYS_DIR } = config
  const found = await readConfiguredMasterKeys(config)
  const inUse = await masterKeysInUse(db)
  if (found) {
    for (const id of inUse) found.derive('presence', id)
    return found
  }
  if (inUse.length > 0) {
    throw new MasterKeyError(
      `The database has secrets sealed by master key ${inUse.join(', ')}, and there is none in ` +
        `${KEYS_DIR}/. Restore its file, or its value in MASTER_KEYS.`,
    )
  }
  if (config.production) {
    throw new MasterKeyError(
      `There is no master key in ${KEYS_DIR}/. Create one with signet keys new-master and give it to ` +
        'every instance, or set MASTER_KEYS.',
    )
  }
  notify(`creating a master key: ${await createMasterKey(KEYS_DIR, new Date())}`)
  return openMasterKeys(config, db, notify)
}

export async function openConfiguredRedis(config: Config): Promise<RedisClient | undefined> {
  if (config.redisUrls.length === 0) return undefined
  return findRedis({
    urls: config.redisUrls,
    timeoutMilliseconds: config.REDIS_TIMEOUT_MILLISECONDS,
    keyPrefix: config.REDIS_KEY_PREFIX,
  })
}

export interface OpenedRuntime extends Runtime {
  readonly embedded: EmbeddedPostgres | undefined
  close(): Promise<void>
}

/** Opens everything that the server and most commands need. */
export async function openRuntime(opening: Opening): Promise<OpenedRuntime> {
  const { config, log, notify } = opening
  const database = await openDatabase(opening)
  try {
    const databaseClock = await openDatabaseClock(database.pool, logClock(log))
    await fitSchema(config, database.db, notify)
    const masterKeys = await openMasterKeys(config, database.db, notify)
    const redis = await openConfiguredRedis(config)
    const stopReading = keepReading(databaseClock, (error) =>
      log.error({ err: error }, 'reading the clock of PostgreSQL failed'),
    )
    const close = async () => {
      await stopReading()
      // Closing Redis here is not a failure to report.
      redis?.removeAllListeners('close')
      redis?.disconnect()
      await database.close()
    }
    const { now } = databaseClock
    return { ...database, config, log, masterKeys, redis, now, databaseClock, close }
  } catch (error) {
    await database.close()
    throw error
  }
}

/** Logs when the clocks begin to differ, and when they agree again. */
const logClock = (log: Log) => (offsetSeconds: number, agrees: boolean) =>
  agrees
    ? log.info(
        { offsetSeconds },
        'the clock of this machine agrees with the clock of PostgreSQL again',
      )
    : log.error(
        { offsetSeconds },
        'the clocks of this machine and of PostgreSQL differ by more than ' +
          `${mostOffsetSeconds} s: synchronize both with NTP; until then this instance is not ready ` +
          'and deletes no expired rows',
      )

/** Opens for a command: its result goes to standard output, everything else to standard error. */
export function openingForCommand(): Opening {
  const config = loadConfig()
  const level = config.LOG_LEVEL === 'info' ? 'warn' : config.LOG_LEVEL
  const log = openLog({ level, format: config.logFormat, fd: 2 })
  return { config, log, notify: (line) => process.stderr.write(`${line}\n`) }
}

/** Runs a command with all services, and closes everything afterwards. */
export async function withServices<T>(
  work: (services: Services, runtime: Runtime) => Promise<T>,
): Promise<T> {
  const runtime = await openRuntime(openingForCommand())
  try {
    const { createServices } = await import('../app/services.ts')
    const services = await createServices(runtime)
    await services.revocations.mark()
    runtime.log.debug('everything is open')
    return await work(services, runtime)
  } finally {
    await runtime.close()
  }
}
