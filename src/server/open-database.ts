import type { Knex } from 'knex'
import type { Config } from '../config/config.ts'
import {
  type EmbeddedPostgres,
  openEmbeddedPostgres,
} from '../stores/embedded/embedded-postgres.ts'
import { inspectSchema, migrate } from '../stores/migrations.ts'
import { openPostgres, type Postgres } from '../stores/postgres.ts'
import type { Log } from '../telemetry/log.ts'
import { StartError } from './explain.ts'

export type Notify = (line: string) => void

export interface OpenedDatabase extends Postgres {
  readonly embedded: EmbeddedPostgres | undefined
}

/** What opening needs to know of whoever opens. */
export interface Opening {
  readonly config: Config
  /** Hears of connections that broke while nobody used them. */
  readonly log: Log
  /** Tells a person what is being made or waited for. */
  readonly notify: Notify
  /** Ends the wait for an embedded PostgreSQL that takes its time. */
  readonly signal?: AbortSignal | undefined
}

/** The database of DATABASE_URL, or the embedded one. */
export async function openDatabase(opening: Opening): Promise<OpenedDatabase> {
  const { config, log } = opening
  const embedded = config.DATABASE_URL ? undefined : await openEmbedded(opening)
  const postgres = openPostgres({
    url: config.DATABASE_URL ?? embedded?.url ?? '',
    poolSize: config.DATABASE_POOL_SIZE,
    timeoutSeconds: config.DATABASE_TIMEOUT_SECONDS,
    onBrokenConnection: (error) => log.warn({ err: error }, 'a connection to PostgreSQL broke'),
  })
  const close = async () => {
    await postgres.close().finally(() => embedded?.close())
  }
  return { ...postgres, embedded, close }
}

async function openEmbedded({ config, notify, signal }: Opening): Promise<EmbeddedPostgres> {
  try {
    return await openEmbeddedPostgres({ directory: config.DATA_DIR, notify, signal })
  } catch (cause) {
    // Its errors are written for people, unless they are bugs, which have names of their own.
    if (signal?.aborted || !(cause instanceof Error) || cause.name !== 'Error') throw cause
    throw new StartError(cause.message, { cause })
  }
}

/** @throws StartRefused when this release and the schema do not fit */
export async function fitSchema(config: Config, db: Knex, notify: Notify): Promise<void> {
  const { state, pending, unknown } = await inspectSchema(db)
  if (state === 'ahead' && !config.DATABASE_ALLOW_NEWER) {
    throw new StartError(
      `The database was migrated by a newer release (unknown here: ${unknown.join(', ')}). Start that ` +
        'release, or set DATABASE_ALLOW_NEWER=true to go back by one release on the newer schema.',
    )
  }
  if (pending.length === 0) return
  if (!config.migrateOnStart) {
    throw new StartError(
      `The database lacks ${pending.length} migration(s). Run: signet migrate (or set MIGRATE_ON_START=true)`,
    )
  }
  notify(`migrating the database: ${pending.length} migration(s)`)
  await migrate(db)
}
