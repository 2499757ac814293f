import { readdir, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import pg from 'pg'
import { openEmbeddedPostgres } from '../src/stores/embedded/embedded-postgres.ts'
import { stopPostmaster } from '../src/stores/embedded/postmaster.ts'
import { findPostmaster } from '../src/stores/embedded/postmaster-file.ts'

/** The PostgreSQL that all tests share: each gets a database of its own in it. */
export interface PostgresServer {
  readonly url: string
  close(): Promise<void>
}

/** Losing everything on a power cut is fine for a test and much faster. */
const settings = {
  fsync: 'off',
  synchronous_commit: 'off',
  full_page_writes: 'off',
  max_connections: '300',
  max_wal_size: '1GB',
  checkpoint_timeout: '1h',
  // Databases that live for a second are not worth a look.
  autovacuum: 'off',
}

export async function startPostgresServer(
  directory: string,
  say: (line: string) => void,
): Promise<PostgresServer> {
  const server = await openEmbeddedPostgres({ directory, notify: say, settings })
  // A run opens thousands of connections, and deriving a key for each takes longer than the rest of it.
  const { username, password } = new URL(server.url)
  const user = pg.escapeIdentifier(decodeURIComponent(username))
  const secret = pg.escapeLiteral(decodeURIComponent(password))
  await query(server.url, `SET scram_iterations = 1; ALTER ROLE ${user} PASSWORD ${secret}`)
  return server
}

/** A PostgreSQL that somebody else runs: it stays, what the tests made in it goes. */
export async function borrowPostgresServer(url: string): Promise<PostgresServer> {
  const { host } = new URL(url)
  await query(url, 'SELECT 1').catch((cause) => {
    const why = cause.message || cause.code
    throw new Error(`DATABASE_URL is set, but PostgreSQL at ${host} does not answer: ${why}`, {
      cause,
    })
  })
  return { url, close: () => dropTestDatabases(url) }
}

async function dropTestDatabases(url: string): Promise<void> {
  const names = `SELECT datname FROM pg_database WHERE datname LIKE 'signet\\_test\\_%'`
  for (const { datname } of await query(url, names)) {
    await query(url, `DROP DATABASE IF EXISTS ${pg.escapeIdentifier(datname ?? '')} WITH (FORCE)`)
  }
}

async function query(url: string, sql: string): Promise<Record<string, string>[]> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 10_000 })
  client.on('error', () => undefined)
  await client.connect()
  return client
    .query(sql)
    .then(({ rows }) => rows)
    .finally(() => client.end())
}

/** Embedded databases outlive a test that was killed: whatever runs below the folder is stopped. */
export async function stopLeftovers(folder: string): Promise<void> {
  const files = await readdir(folder, { recursive: true })
  for (const file of files.filter((name) => name.endsWith('/postmaster.pid'))) {
    const cluster = dirname(join(folder, file))
    const running = await findPostmaster(cluster)
    if (running) await stopPostmaster(cluster, running.pid, 5)
  }
  await rm(folder, { recursive: true, force: true, maxRetries: 5 })
}
