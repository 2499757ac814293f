import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { openEmbeddedPostgres } from '../src/stores/embedded/embedded-postgres.ts'
import { findPostmaster } from '../src/stores/embedded/postmaster-file.ts'
import { redisProgram, startRedisServer } from '../tools/redis-server.ts'
import { administer, databaseUrl } from '../tools/template.ts'

export type Say = (line: string) => void

/** The stores and folders below every measurement; closed in reverse order. */
export interface Stage {
  readonly folder: string
  readonly redisUrl: string
  readonly postgres: PostgresOnStage
  readonly say: Say
  /** A database of its own for one contestant. */
  createDatabase(name: string): Promise<string>
  onClose(close: () => Promise<unknown>): void
  close(): Promise<void>
}

interface PostgresOnStage {
  readonly url: string
  readonly version: string
  /** The main process, when it runs here. */
  readonly pid: number | undefined
  readonly settings: string
}

/**
 * Commits stay durable: fsync and synchronous_commit are never touched. Memory is what an operator
 * would give a machine of this size, and the log of changes has room, so that no round is hit by a
 * checkpoint that another one caused.
 */
const settings = { shared_buffers: '1GB', max_wal_size: '8GB', max_connections: '200' }

export async function openStage(say: Say): Promise<Stage> {
  const closers: (() => Promise<unknown>)[] = []
  let closed: Promise<void> | undefined
  // Every caller waits for all of it: a failure that closing causes must not end the process first.
  const close = () => {
    closed ??= undoAll()
    return closed
  }
  const undoAll = async () => {
    for (const undo of closers.splice(0).reverse()) {
      await undo().catch((error: Error) => say(`while tidying up: ${error.message}`))
    }
  }
  try {
    const folder = await mkdtemp(join(tmpdir(), 'signet-bench-'))
    // As root, PostgreSQL runs as somebody else, who must get through.
    await chmod(folder, 0o711)
    closers.push(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }))
    const postgres = await postgresFor(folder, say, closers)
    const redis = await startRedisServer({ program: redisProgram(say) })
    closers.push(redis.close)
    const createDatabase = async (name: string) => {
      const unique = `signet_bench_${process.pid}_${name}`
      await administer(postgres.url, `CREATE DATABASE ${unique}`)
      closers.push(() => administer(postgres.url, `DROP DATABASE ${unique} WITH (FORCE)`))
      return databaseUrl(postgres.url, unique)
    }
    const onClose = (undo: () => Promise<unknown>) => void closers.push(undo)
    return { folder, redisUrl: redis.url, postgres, say, createDatabase, onClose, close }
  } catch (error) {
    await close()
    throw error
  }
}

async function postgresFor(
  folder: string,
  say: Say,
  closers: (() => Promise<unknown>)[],
): Promise<PostgresOnStage> {
  const given = process.env.DATABASE_URL
  if (given) {
    const version = await versionOf(given)
    return { url: given, version, pid: undefined, settings: 'as DATABASE_URL has them' }
  }
  const directory = join(folder, 'data')
  const server = await openEmbeddedPostgres({ directory, notify: say, settings })
  closers.push(() => server.close())
  const running = await findPostmaster(join(directory, 'postgres'))
  const told = Object.entries(settings).map(([name, value]) => `${name} ${value}`)
  return {
    url: server.url,
    version: await versionOf(server.url),
    pid: running?.pid,
    settings: `${told.join(', ')}; fsync and synchronous_commit on`,
  }
}

async function versionOf(url: string): Promise<string> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  const { rows } = await client.query('SHOW server_version').finally(() => client.end())
  return rows[0].server_version
}
