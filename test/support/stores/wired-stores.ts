import type { ExecutionContext } from 'ava'
import type { Knex } from 'knex'
import { failureMembers } from '../../../src/stores/unavailable.ts'
import { eventually } from '../../../tools/eventually.ts'
import { startRedisServer } from '../../../tools/redis-server.ts'
import { startTcpProxy, type TcpProxy } from '../../../tools/tcp-proxy.ts'
import { copyTemplate } from '../server/start-server.ts'

/** A Redis of the test's own behind a proxy that can cut the connection. */
export async function wiredRedis(t: ExecutionContext<unknown>) {
  const direct = await startRedisServer()
  t.teardown(direct.close)
  const proxy = await startTcpProxy('127.0.0.1', direct.port)
  t.teardown(proxy.close)
  return { proxy, url: `redis://127.0.0.1:${proxy.port}`, directUrl: direct.url }
}

/** A test database behind a proxy that can cut the connection. */
export async function wiredDatabase(t: ExecutionContext<unknown>) {
  const direct = new URL(await copyTemplate(t))
  const proxy = await startTcpProxy(direct.hostname, Number(direct.port || 5432))
  t.teardown(proxy.close)
  const wired = new URL(direct)
  wired.host = `127.0.0.1:${proxy.port}`
  return { proxy, url: wired.href, directUrl: direct.href }
}

/**
 * Closes the way to a database for good, and waits until the pool has noticed: before that it may hand out a
 * connection that is lost.
 */
export async function refuseConnections(proxy: TcpProxy, { db }: { db: Knex }): Promise<void> {
  await proxy.close()
  const isRefused = (error: unknown) =>
    (failureMembers(error) as { cause?: string }).cause === 'connection_refused'
  const ask = () => db.raw('SELECT 1').then(() => false, isRefused)
  await eventually(ask, 'no connection is left')
}
