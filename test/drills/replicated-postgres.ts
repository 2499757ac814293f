import { cp, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import pg from 'pg'
import { databasePassword, openFolder, prepareCluster } from '../../src/stores/embedded/cluster.ts'
import { postgresBinaries } from '../../src/stores/embedded/postgres-binaries.ts'
import { freePort, launchPostmaster, stopPostmaster } from '../../src/stores/embedded/postmaster.ts'
import { findPostmaster } from '../../src/stores/embedded/postmaster-file.ts'
import { createLauncher } from '../../src/stores/embedded/unprivileged.ts'
import { eventually } from '../../tools/eventually.ts'
import { startTcpProxy, type TcpProxy } from '../../tools/tcp-proxy.ts'
import { databaseUrl, prepareTemplate, templateName } from '../../tools/template.ts'
import type { Closing } from '../support/server/closing.ts'

/** One PostgreSQL server of a drill. */
export interface Server {
  readonly port: number
  readonly url: string
  query(sql: string): Promise<Record<string, unknown>[]>
  /** Ends it at once, without a checkpoint, as a machine that dies. */
  crash(): Promise<void>
  /** Ends it as an operator does: with a checkpoint, without waiting for its clients. */
  stop(): Promise<void>
  /** Starts it again. */
  start(): Promise<void>
}

/** A primary with a streaming standby, the wire between them, and the wire to the clients. */
export interface ReplicatedPostgres {
  readonly primary: Server
  readonly standby: Server
  /** From the standby to the primary. */
  readonly replication: TcpProxy
  /** From the instances to the server that is the primary now, as PgBouncer or a virtual address would lead. */
  readonly entrance: TcpProxy
  /** The database behind the entrance. */
  readonly url: string
}

const settings = { fsync: 'off', max_connections: '100', wal_level: 'replica', hot_standby: 'on' }

/** Every drill begins with a database of its own, a person and a client in it. */
export async function startReplicatedPostgres(
  folder: string,
  closing: Closing,
): Promise<ReplicatedPostgres> {
  await mkdir(folder, { recursive: true })
  await openFolder(folder)
  const binaries = await postgresBinaries()
  const primaryFolder = join(folder, 'primary')
  const standbyFolder = join(folder, 'standby')
  const programs = [binaries.initdb, binaries.postgres]
  const launcher = await createLauncher({ cluster: primaryFolder, folder, programs })
  const password = await databasePassword(join(folder, 'password'))
  const say = () => undefined
  await prepareCluster({ cluster: primaryFolder, password, binaries, launcher, notify: say })

  const start = async (cluster: string, port: number, more: Record<string, string> = {}) => {
    const options = { cluster, logFile: `${cluster}.log`, binaries, launcher }
    const own = { ...options, settings: { ...settings, ...more } }
    const server = serverAt(cluster, port, password, async () => {
      const launched = await launchPostmaster(own, port)
      const answers = () => query(server.url, 'SELECT 1').then(Boolean, () => false)
      const isReady = async () => {
        if (launched.exited()) throw new Error(`PostgreSQL did not start: ${await launched.log()}`)
        return answers()
      }
      await eventually(isReady, 'PostgreSQL answers', 60)
    })
    await server.start()
    return server
  }

  const port = await freePort()
  const first = await start(primaryFolder, port)
  await prepareTemplate(first.url)
  await first.stop()
  await cp(primaryFolder, standbyFolder, { recursive: true, preserveTimestamps: true })
  await writeFile(join(standbyFolder, 'standby.signal'), '')
  await prepareCluster({ cluster: standbyFolder, password, binaries, launcher, notify: say })

  const primary = await start(primaryFolder, port)
  const replication = await startTcpProxy('127.0.0.1', port)
  closing.add(() => replication.close())
  const conninfo = `host=127.0.0.1 port=${replication.port} user=signet password=${password}`
  const standby = await start(standbyFolder, await freePort(), {
    primary_conninfo: conninfo,
    // As in docs/failover.md.
    wal_retrieve_retry_interval: '500ms',
  })
  await eventually(async () => (await replicas(primary)) === 1, 'the standby follows', 30)
  const entrance = await startTcpProxy('127.0.0.1', port)
  closing.add(() => entrance.close())
  const url = new URL(databaseUrl(primary.url, templateName))
  url.port = String(entrance.port)
  return { primary, standby, replication, entrance, url: url.href }
}

async function replicas(primary: Server): Promise<number> {
  const sql = `SELECT count(*)::int AS count FROM pg_stat_replication WHERE state = 'streaming'`
  return Number((await primary.query(sql))[0]?.count)
}

function serverAt(
  cluster: string,
  port: number,
  password: string,
  start: () => Promise<void>,
): Server {
  const url = `postgres://signet:${password}@127.0.0.1:${port}/postgres`
  return {
    port,
    url,
    start,
    query: (sql) => query(url, sql),
    async stop() {
      await stopPostmaster(cluster, (await findPostmaster(cluster))?.pid ?? 0, 30)
    },
    async crash() {
      const pid = (await findPostmaster(cluster))?.pid
      if (pid === undefined) throw new Error(`no PostgreSQL runs in ${cluster}`)
      process.kill(pid, 'SIGQUIT')
      await eventually(async () => !(await findPostmaster(cluster)), 'PostgreSQL has ended')
    },
  }
}

/** A statement on a connection of its own. */
export async function query(url: string, sql: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 10_000 })
  client.on('error', () => undefined)
  await client.connect()
  return client
    .query(sql)
    .then(({ rows }) => rows)
    .finally(() => client.end())
}
