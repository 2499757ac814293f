import { table } from '../src/cli/output.ts'
import { freePort } from '../src/stores/embedded/postmaster.ts'
import { HttpClient } from '../tools/http-client.ts'
import { startRedisServer } from '../tools/redis-server.ts'
import { startTcpProxy, type TcpProxy } from '../tools/tcp-proxy.ts'
import { introspects } from './faults-answers.ts'
import { idle, slow, storm } from './faults-clients.ts'
import { hangingDatabase } from './faults-database.ts'
import { type Finding, say } from './faults-finding.ts'
import { redisFaults } from './faults-redis.ts'
import { startFloodServer } from './flood-server.ts'

/** `npx tsx bench/faults.ts [--json]`: what can go wrong around a server is done to it, one by one. */
const findings = [...(await aroundDatabaseAndClients()), ...(await aroundRedis())]
const rows = findings.map(({ fault, meanwhile, memoryMib, recovery: after }) => [
  ...[fault, meanwhile, memoryMib, after],
])
const headings = ['fault', 'meanwhile', 'MiB', 'as before after']
const isJson = process.argv.includes('--json')
process.stdout.write(`${isJson ? JSON.stringify(findings, null, 2) : table(headings, rows)}\n`)

async function aroundDatabaseAndClients(): Promise<Finding[]> {
  let proxy: TcpProxy | undefined
  const server = await startFloodServer(1, say, async (env) => {
    const url = new URL(env.DATABASE_URL ?? '')
    proxy = await startTcpProxy(url.hostname, Number(url.port))
    url.host = `127.0.0.1:${proxy.port}`
    return { ...env, DATABASE_URL: url.href }
  })
  try {
    const wire = proxy as TcpProxy
    introspects((await new HttpClient(server.url).clientCredentials()).body.access_token)
    return [
      await hangingDatabase(server, wire, false),
      await hangingDatabase(server, wire, true),
      await slow(server),
      await idle(server),
      await storm(server),
    ]
  } finally {
    await server.close()
    await proxy?.close()
  }
}

async function aroundRedis(): Promise<Finding[]> {
  const redis = await startRedisServer()
  const proxy = await startTcpProxy('127.0.0.1', redis.port)
  const metricsPort = await freePort()
  const server = await startFloodServer(1, say, (env) => ({
    ...{ ...env, REDIS_URL: `redis://127.0.0.1:${proxy.port}`, METRICS_PORT: String(metricsPort) },
  }))
  try {
    return await redisFaults(server, { redis, proxy }, `http://127.0.0.1:${metricsPort}/metrics`)
  } finally {
    await server.close()
    await proxy.close()
    await redis.close()
  }
}
