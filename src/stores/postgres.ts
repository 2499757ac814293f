import { setTimeout as sleep } from 'node:timers/promises'
import knex, { type Knex } from 'knex'
import pg from 'pg'
import { cancelOnTimeout } from './statement-timeout.ts'

/** A handle for a statement: the pool, or the transaction that the statement must be part of. */
export type Db = Knex | Knex.Transaction

export interface Postgres {
  readonly db: Knex
  /** The pool below `db`, for the statements that are hot enough to be prepared by name. */
  readonly pool: pg.Pool
  readonly fullDisk: FullDisk
  close(): Promise<void>
}

/** Writes that failed because the disk of PostgreSQL was full; updates in place may go on meanwhile. */
export interface FullDisk {
  readonly failures: number
  /** Undefined when there was none. */
  readonly secondsSince: number | undefined
}

export interface PostgresOptions {
  readonly url: string
  readonly poolSize: number
  /** How long a statement, a connect or the wait for a free connection may take, in seconds. */
  readonly timeoutSeconds: number
  /** Told of connections that broke; the pool replaces them by itself. */
  readonly onBrokenConnection?: (error: Error) => void
}

const ignore = () => undefined

/** knex would write to standard output, into the JSON there; what it complains about it also throws. */
const quiet = { debug: ignore, warn: ignore, error: ignore, deprecate: ignore }

const dialect = { client: 'pg', log: quiet }

/** knex puts the whole statement before the words of PostgreSQL, and a statement may be long. */
function shorten(error: Error): void {
  const { message } = error
  if (message.length > 1000) error.message = `${message.slice(0, 400)} … ${message.slice(-500)}`
}

/**
 * Opens the database. Nothing here is session state (no LISTEN, no SET, no startup options), so that
 * PgBouncer in transaction mode may stand in between; all time limits are kept on this side.
 */
export function openPostgres(options: PostgresOptions): Postgres {
  const milliseconds = options.timeoutSeconds * 1000
  const pool = new pg.Pool({
    connectionString: options.url,
    application_name: 'signet',
    keepAlive: true,
    // Sooner than a firewall on the way forgets a connection on which nothing is said.
    keepAliveInitialDelayMillis: 30_000,
    max: options.poolSize,
    connectionTimeoutMillis: milliseconds,
    query_timeout: milliseconds,
    // A connection costs 30 ms of a core until it has made its plans: not just when many come at once.
    idleTimeoutMillis: 600_000,
  })
  pool.on('error', ignore)
  pool.on('connect', (client) => {
    // Also while somebody has it: without a listener Node ends the process.
    client.on('error', options.onBrokenConnection ?? ignore)
  })
  cancelOnTimeout(pool, options.poolSize)
  const fullDisk = watchDisk(pool)
  const db = knex({ ...dialect, connectionPool: pool }).on('query-error', shorten)
  const close = async () => {
    await resting(pool, milliseconds)
    await db.destroy()
    await Promise.race([pool.end(), sleep(milliseconds, undefined, { ref: false })])
  }
  return { db, pool, fullDisk, close }
}

/**
 * A request that was cut off still waits for its statement. Closing under it would lose its
 * connection, and the pool would wait for that one for ever.
 */
async function resting(pool: pg.Pool, milliseconds: number): Promise<void> {
  const end = Date.now() + milliseconds
  while (pool.totalCount > pool.idleCount && Date.now() < end) await sleep(20)
}

/** Whoever writes notices a full disk: nothing has to be written to find out. */
function watchDisk(pool: pg.Pool): FullDisk {
  let failures = 0
  let lastAt: number | undefined
  pool.on('connect', (client) => {
    const { connection } = client as unknown as { connection: pg.Connection }
    connection.on('errorMessage', ({ code }: { code?: string }) => {
      if (code !== '53100') return
      failures += 1
      lastAt = performance.now()
    })
  })
  return {
    get failures() {
      return failures
    },
    get secondsSince() {
      return lastAt === undefined ? undefined : (performance.now() - lastAt) / 1000
    },
  }
}

/** Another way to the same database, for what takes as long as it takes, such as a migration. */
export function withoutTimeLimit(db: Knex): { db: Knex; close(): Promise<void> } {
  const { connectionPool } = db.client.config as { connectionPool: pg.Pool }
  const pool = new pg.Pool({ ...connectionPool.options, max: 1, query_timeout: undefined })
  pool.on('error', ignore)
  pool.on('connect', (client) => client.on('error', ignore))
  const patient = knex({ ...dialect, connectionPool: pool }).on('query-error', shorten)
  const close = async () => {
    await patient.destroy()
    await pool.end()
  }
  return { db: patient, close }
}
