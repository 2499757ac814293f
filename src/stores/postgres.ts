import { setTimeout as sleep } from 'node:timers/promises'
import knex, { type Knex } from 'knex'
import pg from 'pg'
import { activeSpan, type Span, startSpan, within } from '../telemetry/spans.ts'
import { traceStatements } from './statement-spans.ts'
import { cancelOnTimeout } from './statement-timeout.ts'

/** Runs a statement: the pool, or the transaction that the statement belongs to. */
export type Db = Knex | Knex.Transaction

export interface Postgres {
  readonly db: Knex
  /** The pool below `db`, for frequent statements that are prepared by name. */
  readonly pool: pg.Pool
  readonly fullDisk: FullDisk
  close(): Promise<void>
}

/** Statements that failed because the disk of PostgreSQL was full; updates in place may still work. */
export interface FullDisk {
  readonly failures: number
  /** Since the last failure; undefined when there was none. */
  readonly secondsSince: number | undefined
}

interface PostgresOptions {
  readonly url: string
  readonly poolSize: number
  /** Time limit for a statement, for connecting, and for waiting for a connection. */
  readonly timeoutSeconds: number
  /** How many statements may wait for a connection; further ones fail immediately. Default: no limit. */
  readonly maxWaiting?: number
  /** Called for connections that broke; the pool replaces them. */
  readonly onBrokenConnection?: (error: Error) => void
}

const ignore = () => undefined

/** Without it knex writes to standard output, between the JSON lines. It throws the same errors. */
const quiet = { debug: ignore, warn: ignore, error: ignore, deprecate: ignore }

const dialect = { client: 'pg', log: quiet }

/** Shortens messages of knex, which begin with the whole statement. */
function shorten(error: Error): void {
  const { message } = error
  if (message.length > 1000) error.message = `${message.slice(0, 400)} … ${message.slice(-500)}`
}

/**
 * The pool of pg bounds how long a statement waits for a connection, but not how many wait. Behind a
 * PostgreSQL that hangs, thousands would wait, each with its request in memory, and all would fail at the
 * same time. Beyond the bound they fail immediately, with the message of the pool, which means 503.
 */
class BoundedPool extends pg.Pool {
  readonly #maxWaiting: number

  constructor(config: pg.PoolConfig, maxWaiting: number) {
    super(config)
    this.#maxWaiting = maxWaiting
  }

  override connect(): Promise<pg.PoolClient>
  override connect(done: Parameters<pg.Pool['connect']>[0]): void
  override connect(done?: Parameters<pg.Pool['connect']>[0]) {
    if (this.waitingCount < this.#maxWaiting) {
      const wait = this.idleCount === 0 ? startSpan('wait for a connection') : undefined
      if (done) return super.connect(inOwnSpan(done, wait))
      return wait ? super.connect().finally(() => wait.end()) : super.connect()
    }
    const error = new Error('timeout exceeded when trying to connect: too many statements wait')
    if (!done) return Promise.reject(error)
    process.nextTick(done, error, undefined, () => undefined)
  }
}

type Done = NonNullable<Parameters<pg.Pool['connect']>[0]>

/** The pool calls those who wait for a connection in the turn of the one who returns it. */
function inOwnSpan(done: Done, wait: Span | undefined): Done {
  const span = activeSpan()
  return (...args) => {
    wait?.end()
    within(span, () => done(...args))
  }
}

/**
 * Opens the database. It uses no session state (no LISTEN, SET or startup options), so that PgBouncer
 * may run in transaction mode; all time limits are enforced on this side.
 */
export function openPostgres(options: PostgresOptions): Postgres {
  const milliseconds = options.timeoutSeconds * 1000
  const config = {
    connectionString: options.url,
    application_name: 'signet',
    keepAlive: true,
    // Before a firewall drops an idle connection.
    keepAliveInitialDelayMillis: 30_000,
    max: options.poolSize,
    connectionTimeoutMillis: milliseconds,
    query_timeout: milliseconds,
    // A new connection costs 30 ms of CPU for its plans, so connections survive a quiet period.
    idleTimeoutMillis: 600_000,
  }
  const pool = new BoundedPool(config, options.maxWaiting ?? Infinity)
  pool.on('error', ignore)
  pool.on('connect', (client) => {
    // Also while it is in use: without a listener Node would end the process.
    client.on('error', options.onBrokenConnection ?? ignore)
  })
  cancelOnTimeout(pool, options.poolSize)
  traceStatements(pool)
  const fullDisk = watchDisk(pool)
  const db = knex({ ...dialect, connectionPool: pool }).on('query-error', shorten)
  const close = async () => {
    await idle(pool, milliseconds)
    await db.destroy()
    await Promise.race([pool.end(), sleep(milliseconds, undefined, { ref: false })])
  }
  return { db, pool, fullDisk, close }
}

/**
 * Waits until no connection is in use. A request that was cut off still waits for its statement; closing
 * its connection would make the pool wait for it for ever.
 */
async function idle(pool: pg.Pool, milliseconds: number): Promise<void> {
  const end = Date.now() + milliseconds
  while (pool.totalCount > pool.idleCount && Date.now() < end) await sleep(20)
}

/** Observes errors of statements, so that a full disk is noticed without a test write. */
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

/** Three connections to the same database without time limits, for migrations. */
export function withoutTimeLimit(db: Knex): { db: Knex; close(): Promise<void> } {
  const { connectionPool } = db.client.config as { connectionPool: pg.Pool }
  const pool = new pg.Pool({ ...connectionPool.options, max: 3, query_timeout: undefined })
  pool.on('error', ignore)
  pool.on('connect', (client) => client.on('error', ignore))
  const patient = knex({ ...dialect, connectionPool: pool }).on('query-error', shorten)
  const close = async () => {
    await patient.destroy()
    await pool.end()
  }
  return { db: patient, close }
}
