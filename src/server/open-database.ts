import { accessSync, constants } from 'node:fs'
import type { Knex } from 'knex'
import type { Config } from '../config/config.ts'
import { OperatorError } from '../errors.ts'
import type { EmbeddedPostgres } from '../stores/embedded/embedded-postgres.ts'
import { inspectSchema, migrate } from '../stores/migrations.ts'
import { openPostgres, type Postgres } from '../stores/postgres.ts'
import type { Log } from '../telemetry/log.ts'

export type Notify = (line: string) => void

interface OpenedDatabase extends Postgres {
  readonly embedded: EmbeddedPostgres | undefined
}

/** Everything needed to open the stores. */
export interface Opening {
  readonly config: Config
  /** Reports idle connections that broke. */
  readonly log: Log
  /** Shows the operator what is being created or waited for. */
  readonly notify: Notify
  /** Aborts the wait for an embedded PostgreSQL that is slow to start. */
  readonly signal?: AbortSignal | undefined
}

/** Statements that may wait per connection; a healthy PostgreSQL runs that many in less than a second. */
const waitingPerConnection = 200

/** Opens the database of DATABASE_URL, or the embedded one. */
export async function openDatabase(opening: Opening): Promise<OpenedDatabase> {
  const { config, log } = opening
  checkCertificateFiles(config)
  const embedded = config.DATABASE_URL ? undefined : await openEmbedded(opening)
  const postgres = openPostgres({
    url: config.DATABASE_URL ?? embedded?.url ?? '',
    poolSize: config.DATABASE_POOL_SIZE,
    timeoutSeconds: config.DATABASE_TIMEOUT_SECONDS,
    maxWaiting: waitingPerConnection * config.DATABASE_POOL_SIZE,
    onBrokenConnection: (error) => log.warn({ err: error }, 'a connection to PostgreSQL broke'),
  })
  const close = async () => {
    await postgres.close().finally(() => embedded?.close())
  }
  return { ...postgres, embedded, close }
}

/**
 * Each connection reads the certificates that DATABASE_URL names, so that they can be renewed without a restart.
 * @throws OperatorError that names the one that cannot be read
 */
function checkCertificateFiles({ DATABASE_URL }: Config): void {
  if (DATABASE_URL === undefined) return
  const { searchParams } = new URL(DATABASE_URL)
  for (const name of ['sslrootcert', 'sslcert', 'sslkey']) {
    const path = searchParams.get(name)
    if (path === null) continue
    try {
      accessSync(path, constants.R_OK)
    } catch (cause) {
      const why = (cause as NodeJS.ErrnoException).code
      throw new OperatorError(
        `DATABASE_URL names ${path} as ${name}, which cannot be read (${why}).`,
        { cause },
      )
    }
  }
}

/** Loads the folder only here: an installation with DATABASE_URL runs none of its code. */
async function openEmbedded({ config, notify, signal }: Opening): Promise<EmbeddedPostgres> {
  const { openEmbeddedPostgres } = await import('../stores/embedded/embedded-postgres.ts')
  return openEmbeddedPostgres({ directory: config.DATA_DIR, notify, signal })
}

/**
 * Migrates the database, or checks that this release fits its schema.
 * @throws OperatorError when they do not fit
 */
export async function fitSchema(config: Config, db: Knex, notify: Notify): Promise<void> {
  const { state, pending, unknown } = await inspectSchema(db)
  if (state === 'ahead' && !config.DATABASE_ALLOW_NEWER) {
    throw new OperatorError(
      `The database was migrated by a newer release (unknown to this one: ${unknown.join(', ')}). Start that ` +
        'release, or set DATABASE_ALLOW_NEWER=true to go back one release on the newer schema.',
    )
  }
  if (pending.length === 0) return
  if (!config.migrateOnStart) {
    throw new OperatorError(
      `The database lacks ${pending.length} migration(s). Run: signet migrate (or set MIGRATE_ON_START=true)`,
    )
  }
  notify(`migrating the database: ${pending.length} migration(s)`)
  await migrate(db, { report: notify })
}
